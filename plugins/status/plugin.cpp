#include "plugins/status/plugin.hpp"

#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"

#include <algorithm>
#include <array>

namespace airmail::plugins {

sdk::declaration status_plugin::declare() {
    sdk::declaration d;
    d.topics = {{.filter = "devices/{id}/status", .durable = true}};
    d.after = {"ota.campaign"};
    d.metrics = {{"airmail_status_received_total", "status messages"}, {"airmail_status_invalid_total", "status messages without campaign_id and status, or no JSON"},
                 {"airmail_status_unknown_words_total", "status words that are not in the contract"}, {"airmail_status_unknown_campaigns_total", "statuses about no campaign of the device"}};
    return d;
}

sdk::verdict status_plugin::message(sdk::message_view const& m) {
    static constexpr std::array<std::string_view, 6> passed{"campaign_id", "command_id", "reason", "error", "current_firmware", "failed_firmware"};
    auto id = m.topic.substr(8, m.topic.size() - 8 - 7);           // between "devices/" and "/status"
    ctx.metric_add("airmail_status_received_total", 1);
    kit::json_object o;
    o.text("kind", "status").text("serial_no", id);
    bool campaign = false, word = false, ordered = false, certified = false;
    bool good = kit::each_field(m.payload, [&](std::string_view name, kit::field const& f) {
        if (name == "status" && f.is_string()) o.text("word", kit::clip(f.text, 64)), word = true;
        else if (name == "progress" || name == "bytes") o.number(name, std::max<std::int64_t>(f.integer().value_or(0), 0));
        else if (f.is_string() && std::find(passed.begin(), passed.end(), name) != passed.end())
            o.text(name, kit::clip(f.text, 512)), campaign |= name == "campaign_id", certified |= name == "campaign_id" && f.text.starts_with("certify-"), ordered |= name == "campaign_id" && f.text.starts_with("command-");
        else if (name == "result") o.text("result", kit::clip(f.text, 4096));
    });
    if (!good || !campaign || !word) return passed_over(id, "airmail_status_invalid_total", "not a status"), sdk::verdict::ok;
    int status = 0;
    try {
        if (certified) o.text("what", "status");
        // What no campaign has asked for has a room of its own.
        ctx.call(certified ? "certify.heard" : ordered ? "command.report" : "campaign.report", o.str(), [&status](int s, std::string_view) { status = s; });
    } catch (sdk::error const& e) {
        if (e.code() != 2) throw;                                  // ENOENT: no campaign plugin; everything else is set aside
    }
    if (status == 422) passed_over(id, "airmail_status_unknown_words_total", "unknown status word");
    if (status == 404) passed_over(id, "airmail_status_unknown_campaigns_total", "status about a campaign it is not in");
    if (status >= 500) throw sdk::error("the campaign could not take the status");
    return sdk::verdict::ok;
}

void status_plugin::passed_over(std::string_view serial, std::string_view metric, std::string_view why) {
    ctx.metric_add(metric, 1);
    ctx.log(sdk::level::info, why, kit::json_object{}.text("serial_no", serial).str());
}

}
