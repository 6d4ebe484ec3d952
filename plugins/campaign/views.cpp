#include "plugins/campaign/views.hpp"

#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

namespace airmail::plugins::campaign {

using kit::json_object;

std::string counters_json(counters const& n) {
    json_object o;
    o.number("total", n.total);
    for (int i = 0; i < 6; ++i) o.number(name_of(static_cast<status>(i)), n.by_status[i]);
    return o.number("finished", n.finished).number("not_counting", n.not_counting).number("in_flight", n.in_flight).str();
}

std::string campaign_json(campaign_row const& c, std::string_view extra) {
    json_object o;
    o.text("campaign_id", c.id).text("name", c.name).text("firmware_id", c.firmware_id).text("firmware_version", c.to_version);
    o.raw("target_criteria", c.target_criteria).text("status", c.status).text("stage", c.stage).text("reason", c.reason);
    o.number("phase", c.phase + 1).raw("phases", c.phases.size() == 1 ? "\"none\"" : std::string_view{c.phases_text});
    o.real("phase_percent", c.status == "pending" ? 0 : c.current().percent).number("max_in_flight", c.max_in_flight).number("rate_per_min", c.rate_per_min);
    o.number("rate_bytes_s", c.rate_bytes_s).number("priority", c.priority).flag("auto_stop", c.auto_stop);
    o.raw("windows", c.windows_text.empty() ? std::string_view{"[]"} : std::string_view{c.windows_text}).text_if("zone", c.zone).text_if("approved_by", c.approved_by);
    o.text_if("reverts", c.reverts);
    o.flag("dynamic", c.dynamic).raw("counters", counters_json(c.n));
    o.number("progress", c.n.total ? c.n.finished * 100 / c.n.total : c.status == "completed" ? 100 : 0);
    auto bad = c.n.counted() - c.n.of(status::completed);
    o.real("failure_percent", c.n.counted() > 0 ? static_cast<double>(bad) * 100 / static_cast<double>(c.n.counted()) : 0);
    o.text("created_by", c.created_by).number("created_at", c.created_at / 1000).number("updated_at", c.updated_at / 1000);
    auto time = [&](char const* key, std::int64_t ms) { ms ? o.number(key, ms / 1000) : o.null(key); };
    time("started_at", c.started_at), time("completed_at", c.completed_at), time("start_at", c.start_at), time("expires_at", c.expires_at);
    auto out = o.number("seq", c.seq).str();
    if (!extra.empty()) out.pop_back(), (((out += ',') += extra) += '}');
    return out;
}

std::string device_json(device_entry const& d, std::int64_t now, std::int64_t wall) {
    auto const& r = d.row;
    json_object o;
    o.text("serial_no", d.serial_no).text("device_id", d.device_id).text("campaign_id", d.campaign_id).text("status", name_of(status_of(r.at)));
    o.text("stage", name_of(r.at)).text("reason", name_of(r.why)).text("error_message", d.error_message).number("attempt", r.attempt);
    d.command_id.empty() ? o.null("command_id") : o.text("command_id", d.command_id);
    o.text("from_version", d.from_version).text("to_version", d.to_version).text("current_firmware", d.current_version);
    r.progress < 0 ? o.null("progress") : o.number("progress", r.progress);
    o.number("bytes", static_cast<std::int64_t>(r.bytes)).flag("connected", r.connected).flag("too_late", r.too_late);
    o.flag("cancel_requested", r.cancel_requested).flag("installed_anyway", r.installed_anyway).flag("anomaly", r.anomaly);
    r.retry_pending ? o.number("next_try_at", (wall + r.deadline_at - now) / 1000) : o.null("next_try_at");
    auto time = [&](char const* key, std::int64_t ms) { ms ? o.number(key, ms / 1000) : o.null(key); };
    time("started_at", d.started_at), time("completed_at", d.completed_at), time("updated_at", d.updated_at);
    return o.str();
}

std::string event_json(sdk::sql_row const& v) {
    using kit::integer, kit::text;
    json_object o;
    o.number("seq", integer(v[0])).text("campaign_id", text(v[1])).number("at", integer(v[2]) / 1000).text("event", text(v[3]));
    if (text(v[3]) == "device") {
        o.text("serial_no", text(v[4])).text("from", text(v[5])).text("to", text(v[6])).text("status", text(v[6])).text("stage", text(v[7]));
        o.text("reason", text(v[8])).text("command_id", text(v[9])).number("attempt", integer(v[10])).text("detail", text(v[11]));
    } else {
        o.text("status", text(v[6])).text("stage", text(v[7])).text("reason", text(v[8])).raw("detail", text(v[11]));
    }
    return o.str();
}

}
