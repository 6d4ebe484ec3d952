#include "plugins/config_notify/plugin.hpp"

#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

#include <boost/json/object.hpp>
#include <map>

namespace airmail::plugins {

using kit::integer, kit::params, kit::refusal, kit::text, kit::txt;

namespace {

constexpr char configs_1[] = R"(CREATE TABLE device_configs(
    device_id    TEXT NOT NULL,
    config_key   TEXT NOT NULL,
    config_value TEXT NOT NULL DEFAULT '',
    updated_at   INTEGER NOT NULL,
    reported     INTEGER NOT NULL DEFAULT 1,
    desired      TEXT,
    desired_at   INTEGER,
    PRIMARY KEY(device_id, config_key)
) STRICT, WITHOUT ROWID;)";

constexpr char history_1[] = R"(CREATE TABLE config_history(
    change_id  INTEGER PRIMARY KEY,
    device_id  TEXT NOT NULL,
    config_key TEXT NOT NULL,
    old_value  TEXT,
    new_value  TEXT NOT NULL,
    source     TEXT NOT NULL,
    device_ts  INTEGER,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX config_history_by_device ON config_history(device_id, change_id);)";

// A device's timeline goes by time, and a device may say much.
constexpr char history_2[] = R"(CREATE INDEX config_history_by_time ON config_history(device_id, at, change_id);)";

constexpr int settings_max = 256;          // per device: a device must not grow the registry without bound

}

sdk::declaration config_plugin::declare() {
    sdk::declaration d;
    d.ready_topic = "devices/{id}/command", d.after = {"ota.registry"};
    d.topics = {{.filter = "devices/{id}/notify", .durable = true}};
    d.tables = {{"device_configs", "device_id,config_key", true, {configs_1}}, {"config_history", "change_id", true, {history_1, history_2}}};
    d.methods = {{"config.get", "viewer", "GET", "/api/v1/devices/{id}/config", "A device's settings as it reported them, and as they should be.", false},
                 {"config.history", "viewer", "GET", "/api/v1/devices/{id}/config/history", "Changes, newest first.", false},
                 {"config.desired.set", "operator", "PUT", "/api/v1/devices/{id}/config/desired", "What the settings should be; sent now or when it is back.", true}};
    d.metrics = {{"airmail_config_received_total", "notify messages"}, {"airmail_config_invalid_total", "notify messages that are not what the contract says, or one setting too many"}};
    return d;
}

sdk::verdict config_plugin::message(sdk::message_view const& m) {
    auto id = m.topic.substr(8, m.topic.size() - 8 - 7);           // between "devices/" and "/notify"
    ctx.metric_add("airmail_config_received_total", 1);
    std::string key, before, after;
    std::int64_t device_ts = 0;
    bool has_value = false;
    bool good = kit::each_field(m.payload, [&](std::string_view name, kit::field const& f) {
        auto value = [&](std::string& to) { to = kit::clip(f.text, 4096); };
        if (name == "setting_changed" && f.is_string()) key = kit::clip(f.text, 128);
        else if (name == "old_value") value(before);
        else if (name == "new_value") value(after), has_value = true;
        else if (name == "timestamp") device_ts = f.integer().value_or(0);
    });
    auto rows = ctx.sql("SELECT device_id FROM devices WHERE tenant = 0 AND serial_no = ? AND registration <> 'blocked'", {txt(id)});
    if (!good || key.empty() || !has_value || rows.empty()) return ctx.metric_add("airmail_config_invalid_total", 1), sdk::verdict::ok;
    std::string device{text(rows[0][0])};
    auto known = ctx.sql("SELECT config_value FROM device_configs WHERE device_id = ? AND config_key = ?", {device, key});
    if (known.empty() && integer(ctx.sql("SELECT count(*) FROM device_configs WHERE device_id = ?", {device}).at(0).at(0)) >= settings_max)
        return ctx.metric_add("airmail_config_invalid_total", 1), sdk::verdict::ok;
    ctx.sql("INSERT INTO device_configs(device_id, config_key, config_value, updated_at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
            "config_value = ?3, updated_at = ?4, reported = 1, desired = CASE WHEN desired = ?3 THEN NULL ELSE desired END", {device, key, after, ctx.wall()});
    remember(device, key, before, after, "device", device_ts);
    return sdk::verdict::ok;
}

void config_plugin::remember(std::string const& device, std::string_view key, std::string_view before, std::string_view after, char const* source, std::int64_t device_ts) {
    ctx.sql("INSERT INTO config_history(device_id, config_key, old_value, new_value, source, device_ts, at) VALUES(?, ?, ?, ?, ?, ?, ?)",
            {device, txt(key), txt(before), txt(after), txt(source), kit::or_null(device_ts), ctx.wall()});
}

void config_plugin::session(sdk::session_view const& s) {
    std::string serial{s.identity};
    if (s.change == sdk::session_change::connect) return;
    if (s.change != sdk::session_change::ready) return void(here_.erase(serial));
    here_.insert(serial);
    auto rows = ctx.sql("SELECT device_id FROM devices WHERE tenant = 0 AND serial_no = ? AND registration = 'accepted'", {serial});
    if (!rows.empty()) send(std::string{text(rows[0][0])}, serial);
}

bool config_plugin::send(std::string const& device, std::string const& serial) {
    kit::json_object settings;
    auto rows = ctx.sql("SELECT config_key, desired FROM device_configs WHERE device_id = ? AND desired IS NOT NULL", {device});
    if (rows.empty()) return false;
    for (auto const& v : rows) settings.text(text(v[0]), text(v[1]));
    auto topic = "devices/" + serial + "/command", back = "devices/" + serial + "/notify";
    auto payload = kit::json_object{}.text("command", "config").raw("settings", settings.str()).number("issued_at", ctx.wall() / 1000).str();
    ctx.publish({.topic = topic, .payload = payload, .response_topic = back, .expiry_s = 3600});
    return true;
}

std::string config_plugin::device_of(std::string const& id, std::string& serial) {
    auto rows = ctx.sql("SELECT device_id, serial_no FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1", {id});
    if (rows.empty()) throw refusal{404, "registry.not_found", "no device " + id};
    serial = text(rows[0][1]);
    return std::string{text(rows[0][0])};
}

static void settings_of(sdk::context& ctx, std::string const& device, kit::json_object& out) {
    for (auto const& v : ctx.sql("SELECT config_key, config_value, updated_at, desired, reported FROM device_configs WHERE device_id = ? ORDER BY config_key", {device})) {
        kit::json_object one;
        integer(v[4]) ? one.text("value", text(v[1])) : one.null("value");
        one.number("updated_at", integer(v[2]) / 1000);
        if (!kit::is_null(v[3])) one.text("desired", text(v[3]));
        out.raw(text(v[0]), one.str());
    }
}

void config_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int&) -> std::string {
        params p{c.params};
        if (c.method == "config.get") return get(p);
        if (c.method == "config.history") return history(p);
        return set_desired(p);
    });
}

std::string config_plugin::get(params const& p) {
    std::string serial;
    auto device = device_of(p.required("id"), serial);
    kit::json_object settings;
    settings_of(ctx, device, settings);
    return kit::json_object{}.text("serial_no", serial).raw("settings", settings.str()).str();
}

std::string config_plugin::history(params const& p) {
    std::string serial;
    auto device = device_of(p.required("id"), serial);
    kit::json_array out;
    for (auto const& v : ctx.sql("SELECT config_key, old_value, new_value, source, at FROM config_history WHERE device_id = ? ORDER BY change_id DESC LIMIT ?",
                                 {device, p.number("limit", 100, 1, 1000)}))
        out.add(kit::json_object{}.text("key", text(v[0])).text("old_value", text(v[1])).text("new_value", text(v[2])).text("source", text(v[3])).number("at", integer(v[4]) / 1000).str());
    return kit::json_object{}.text("serial_no", serial).raw("changes", out.str()).str();
}

std::string config_plugin::set_desired(params const& p) {
    std::string serial;
    auto device = device_of(p.required("id"), serial);
    auto v = p.find("settings");
    if (!v || !v->is_object() || v->as_object().size() > settings_max) throw refusal{400, "config.bad_settings", "settings must be an object of texts, at most 256"};
    std::map<std::string, std::string> wanted;
    for (auto const& m : v->as_object()) {
        std::string key{m.key().data(), m.key().size()};
        if (!m.value().is_string() || key.empty() || key.size() > 128 || m.value().as_string().size() > 4096)
            throw refusal{400, "config.bad_settings", "setting \"" + key + "\" must be a text of at most 4096 bytes"};
        wanted[key] = std::string{m.value().as_string().data(), m.value().as_string().size()};
    }
    kit::json_object desired;
    for (auto const& [key, value] : wanted) {
        ctx.sql("INSERT INTO device_configs(device_id, config_key, updated_at, reported, desired, desired_at) VALUES(?1, ?2, ?4, 0, ?3, ?4) "
                "ON CONFLICT DO UPDATE SET desired = ?3, desired_at = ?4", {device, key, value, ctx.wall()});
        remember(device, key, {}, value, "desired", 0);
        desired.text(key, value);
    }
    bool sent = here_.contains(serial) && send(device, serial);
    return kit::json_object{}.text("serial_no", serial).raw("desired", desired.str()).flag("sent", sent).str();
}

}
