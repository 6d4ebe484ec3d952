#include "plugins/alert/plugin.hpp"

#include "plugins/kit/duration.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

namespace airmail::plugins {

using kit::integer, kit::params, kit::refusal, kit::text;

namespace {

constexpr char alerts_1[] = R"(CREATE TABLE alerts(
    alert_id        INTEGER PRIMARY KEY,
    tenant          INTEGER NOT NULL DEFAULT 0,
    severity        TEXT NOT NULL CHECK(severity IN ('critical','warning')),
    kind            TEXT NOT NULL,
    campaign_id     TEXT NOT NULL DEFAULT '',
    serial_no       TEXT NOT NULL DEFAULT '',
    text            TEXT NOT NULL,
    count           INTEGER NOT NULL DEFAULT 1,
    at              INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    acknowledged_at INTEGER,
    acknowledged_by TEXT
) STRICT;
CREATE INDEX alerts_open ON alerts(kind, campaign_id, serial_no) WHERE acknowledged_at IS NULL;)";

// A device's page asks for its alerts; resolved ones are never few for ever.
constexpr char alerts_2[] = R"(CREATE INDEX alerts_by_device ON alerts(serial_no, alert_id);)";

constexpr std::string_view columns = "SELECT alert_id, severity, kind, campaign_id, serial_no, text, count, at, last_at, acknowledged_at, acknowledged_by FROM alerts ";

std::string alert_json(sdk::sql_row const& v) {
    kit::json_object o;
    o.number("alert_id", integer(v[0])).text("severity", text(v[1])).text("kind", text(v[2])).text("campaign_id", text(v[3])).text("serial_no", text(v[4]));
    o.text("text", text(v[5])).number("count", integer(v[6])).number("at", integer(v[7]) / 1000).number("last_at", integer(v[8]) / 1000);
    kit::is_null(v[9]) ? o.null("acknowledged_at") : o.number("acknowledged_at", integer(v[9]) / 1000);
    return o.text("acknowledged_by", text(v[10])).str();
}

}

sdk::declaration alert_plugin::declare() {
    sdk::declaration d;
    d.topics = {{.filter = "$ota/alerts", .dir = sdk::direction::down, .role = "viewer"}};
    d.tables = {{"alerts", "alert_id", true, {alerts_1, alerts_2}}, alert::webhook::table()};
    d.methods = {{"alert.list", "viewer", "GET", "/api/v1/alerts", "Alerts, newest first.", false},
                 {"alert.ack", "operator", "POST", "/api/v1/alerts/{id}/ack", "Seen by a person.", true},
                 {"alert.raise", "admin", "", "", "For other plugins.", false}};
    d.metrics = {{"airmail_alert_raised_total", "alerts raised"}};
    for (auto& m : alert::webhook::metrics()) d.metrics.push_back(std::move(m));
    return d;
}

namespace {

constexpr std::uint64_t rates = 1, webhook = 2;      // timers

}

void alert_plugin::configure() {
    failure_percent_ = kit::count_option(ctx, "ota_alert_failure_percent", failure_percent_, 0, 100);
    hook_.configure();
}

void alert_plugin::start() {
    hook_.start();
    ctx.timer(rates, ctx.now() + 10'000);
    if (hook_.on()) ctx.timer(webhook, ctx.now());
}

void alert_plugin::tick(std::uint64_t timer, sdk::instant now) {
    if (timer == webhook) {
        if (auto const wait = hook_.look(); wait > 0) ctx.timer(webhook, now + wait);
        return;
    }
    failure_rates();
    ctx.timer(rates, now + 10'000);
}

void alert_plugin::tell(std::int64_t alert_id) {
    if (!hook_.on()) return;
    hook_.tell(alert_id);
    ctx.timer(webhook, ctx.now());
}

/// Above the seed's 10 % of finished, counting devices: critical, once per campaign until acknowledged.
void alert_plugin::failure_rates() {
    if (failure_percent_ == 0) return;
    for (auto const& v : ctx.sql("SELECT campaign_id, name, n_finished - n_not_counting, n_completed FROM campaigns WHERE status = 'active' AND "
                                 "n_finished - n_not_counting >= 10")) {
        auto counted = integer(v[2]), bad = counted - integer(v[3]);
        if (bad * 100 <= counted * failure_percent_) continue;
        std::string id{text(v[0])};
        if (!ctx.sql("SELECT 1 FROM alerts WHERE kind = 'failure_rate' AND campaign_id = ?", {id}).empty()) continue;
        put("critical", "failure_rate", id, "", std::to_string(bad) + " of " + std::to_string(counted) + " finished devices of " + std::string{text(v[1])} + " failed");
    }
}

void alert_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int&) -> std::string {
        params p{c.params};
        if (c.method == "alert.raise") return raise(p);
        if (c.method == "alert.list") return list(p);
        return ack(p, c);
    });
}

std::string alert_plugin::raise(params const& p) {
    auto severity = p.required("severity");
    if (severity != "critical" && severity != "warning") throw refusal{400, "alert.bad_severity", "severity is critical or warning"};
    return put(severity, p.required("kind"), p.text("campaign_id"), p.text("serial_no"), p.required("text"));
}

std::string alert_plugin::put(std::string const& severity, std::string const& kind, std::string const& campaign, std::string const& serial, std::string const& what) {
    auto open = ctx.sql("SELECT alert_id FROM alerts WHERE kind = ? AND campaign_id = ? AND serial_no = ? AND acknowledged_at IS NULL", {kind, campaign, serial});
    if (!open.empty()) {
        ctx.sql("UPDATE alerts SET count = count + 1, last_at = ?, text = ? WHERE alert_id = ?", {ctx.wall(), what, open[0][0]});
        return alert_json(ctx.sql(std::string{columns} + "WHERE alert_id = ?", {open[0][0]}).at(0));
    }
    ctx.sql("INSERT INTO alerts(severity, kind, campaign_id, serial_no, text, at, last_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            {severity, kind, campaign, serial, what, ctx.wall()});
    auto const row = ctx.sql(std::string{columns} + "WHERE alert_id = last_insert_rowid()").at(0);
    auto json = alert_json(row);
    tell(integer(row[0]));
    ctx.metric_add("airmail_alert_raised_total", 1);
    ctx.log(severity == "critical" ? sdk::level::error : sdk::level::warn, "alert: " + what, json);
    ctx.publish({.topic = "$ota/alerts", .payload = json});
    return json;
}

std::string alert_plugin::list(params const& p) {
    kit::json_array out;
    for (auto const& v : ctx.sql(std::string{columns} + "WHERE ?1 = 0 OR acknowledged_at IS NULL ORDER BY alert_id DESC LIMIT ?2",
                                 {std::int64_t{p.flag("open").value_or(true)}, p.number("limit", 100, 1, 1000)}))
        out.add(alert_json(v));
    return kit::json_object{}.raw("alerts", out.str()).str();
}

std::string alert_plugin::ack(params const& p, sdk::call_view const& c) {
    auto id = p.number("id");
    if (!id || ctx.sql("SELECT 1 FROM alerts WHERE alert_id = ?", {*id}).empty()) throw refusal{404, "alert.not_found", "no such alert"};
    ctx.sql("UPDATE alerts SET acknowledged_at = ?, acknowledged_by = ? WHERE alert_id = ? AND acknowledged_at IS NULL", {ctx.wall(), kit::txt(c.caller), *id});
    if (ctx.changes() > 0) tell(*id);
    return alert_json(ctx.sql(std::string{columns} + "WHERE alert_id = ?", {*id}).at(0));
}

}
