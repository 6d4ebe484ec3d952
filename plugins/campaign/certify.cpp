#include "plugins/campaign/certify.hpp"

#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

#include <utility>

namespace airmail::plugins {

using kit::params, kit::refusal, kit::text;

namespace {
constexpr std::size_t benches_max = 16, heard_max = 1000;
}

sdk::declaration certify_plugin::declare() {
    sdk::declaration d;
    d.after = {"ota.campaign"};
    d.methods = {{"certify.send", "admin", "POST", "/api/v1/devices/{id}/certify", "A command with a fault of choice, outside of all campaigns.", true},
                 {"certify.watch", "admin", "GET", "/api/v1/devices/{id}/certify", "What the device has answered since.", false},
                 {"certify.heard", "admin", "", "", "A word of a device under certification; for other plugins.", false},
                 {"certify.grant", "admin", "", "", "Whether a download belongs to a certification; for other plugins.", false}};
    return d;
}

void certify_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int& status) -> std::string {
        if (c.method == "certify.heard") return note(c.params);
        params p{c.params};
        if (c.method == "certify.grant") return grant(p, status);
        return c.method == "certify.send" ? send(p) : heard(p);
    });
}

certify_plugin::bench* certify_plugin::find(std::string const& serial) {
    auto at = benches_.find(serial);
    return at == benches_.end() ? nullptr : &at->second;
}

void certify_plugin::keep(bench& b, std::string json) {
    b.heard.emplace_back(b.next++, std::move(json));
    if (b.heard.size() > heard_max) b.heard.pop_front();
}

std::string certify_plugin::send(params const& p) {
    auto id = p.required("id"), command = p.required("command"), command_id = p.required("command_id"), fault = p.text("fault");
    auto rows = ctx.sql("SELECT serial_no FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1", {id});
    if (rows.empty()) throw refusal{404, "registry.not_found", "no device " + id};
    std::string serial{text(rows[0][0])};
    if (!command_id.starts_with(campaign::certify_prefix) || command_id.size() > 64) throw refusal{400, "certify.bad_id", "command_id must begin with certify-"};
    if (!ctx.sql("SELECT 1 FROM campaign_devices WHERE tenant = 0 AND serial_no = ? AND rank BETWEEN 2 AND 50", {serial}).empty())
        throw refusal{409, "certify.busy", serial + " has an update of a campaign under way"};
    if (!find(serial) && benches_.size() >= benches_max) benches_.erase(benches_.begin());
    auto& b = benches_[serial];
    auto firmware = p.text("firmware_id");
    if (command == "ota_update") b.command_id = command_id, b.firmware_id = firmware, b.cut[command_id] = fault == "cut";
    kit::json_object say;
    say.text("command", command).text("serial_no", serial).text("campaign_id", "certify-" + serial.substr(0, 56)).text("command_id", command_id).number("life_s", 600);
    if (command == "ota_update" || command == "verify_only") say.text("firmware_id", firmware).text("fault", fault);
    std::string answer;
    int status = 0;
    ctx.call("campaign.say", say.str(), [&](int s, std::string_view json) { status = s, answer = json; });
    if (status != 200) throw refusal{status, "certify.refused", answer};
    return answer;
}

std::string certify_plugin::heard(params const& p) {
    auto* b = find(p.required("id"));
    auto after = p.number("after", 0, 0, INT64_MAX);
    kit::json_array out;
    std::int64_t last = after;
    if (b)
        for (auto const& [n, json] : b->heard)
            if (n > after) out.add(json), last = n;
    return kit::json_object{}.raw("heard", out.str()).number("next", last).str();
}

std::string certify_plugin::note(std::string_view json) {
    std::string serial, what, request, command_id;
    kit::each_field(json, [&](std::string_view name, kit::field const& f) {
        if (name == "serial_no") serial = f.text;
        if (name == "what") what = f.text;
        if (name == "request") request = f.text;
        if (name == "command_id") command_id = f.text;
    });
    auto* b = find(serial);
    if (!b) throw refusal{404, "certify.unknown", "no certification of " + serial};
    // A device that knows the document's fields alone names no command: it can only mean the newest.
    if (command_id.empty() && !json.empty()) keep(*b, std::string{json.substr(0, json.size() - 1)} + "," + kit::json_object{}.text("command_id", b->command_id).str().substr(1));
    else keep(*b, std::string{json});
    // Its URL has expired and it asks for another: as in any campaign.
    if (what == "request" && (request == "url" || request == "url_refresh") && command_id == b->command_id)
        ctx.call("campaign.say", kit::json_object{}.text("command", "url").text("serial_no", serial).text("campaign_id", "certify-" + serial.substr(0, 56)).text("command_id", command_id)
                     .text("firmware_id", b->firmware_id).number("life_s", 600).str(), [](int, std::string_view) {});
    return "{}";
}

/// The first download of a `cut` ends after a third of it.
std::string certify_plugin::grant(params const& p, int& status) {
    auto* b = find(p.required("serial_no"));
    auto command_id = p.required("command_id");
    auto at = b ? b->cut.find(command_id) : std::map<std::string, bool>::iterator{};
    if (!b || at == b->cut.end()) return status = 404, kit::problem_json("certify.unknown", "not a certification");
    keep(*b, kit::json_object{}.text("what", "download").text("command_id", command_id).text("range", p.text("range")).str());
    bool cut = std::exchange(at->second, false);
    return kit::json_object{}.flag("cut", cut).str();
}

}
