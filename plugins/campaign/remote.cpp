#include "plugins/campaign/remote.hpp"

#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "plugins/targets/filter.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <stdexcept>

namespace airmail::plugins {

namespace fw = storage::firmware;
using kit::integer, kit::params, kit::refusal, kit::text, kit::txt;

namespace {

// Times for people are unix ms, `expires_at` too. group_id: one call of command.send; devices answer with it as campaign_id.
constexpr char commands_1[] = R"(CREATE TABLE device_commands(
    command_id  TEXT PRIMARY KEY NOT NULL,
    tenant      INTEGER NOT NULL DEFAULT 0,
    group_id    TEXT NOT NULL,
    device_id   TEXT NOT NULL,
    serial_no   TEXT NOT NULL,
    name        TEXT NOT NULL,
    params      TEXT NOT NULL DEFAULT '',
    firmware_id TEXT NOT NULL DEFAULT '',
    status      TEXT NOT NULL DEFAULT 'pending',
    result      TEXT NOT NULL DEFAULT '',
    sends       INTEGER NOT NULL DEFAULT 0,
    created_by  TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX device_commands_by_group ON device_commands(group_id);
CREATE INDEX device_commands_by_serial ON device_commands(serial_no, created_at);
CREATE INDEX device_commands_open ON device_commands(expires_at) WHERE finished_at IS NULL;)";

constexpr std::string_view columns = "SELECT command_id, group_id, serial_no, name, params, status, result, sends, created_by, created_at, expires_at, coalesce(finished_at, 0) FROM device_commands ";
constexpr std::uint64_t expiry_timer = 1;
constexpr std::int64_t devices_max = 10'000;
/// Words of the update itself: nobody sends these by hand.
constexpr std::array<std::string_view, 7> reserved{"ota_update", "cancel", "url", "report", "verify_only", "config", "keys"};
constexpr std::string_view group_prefix = "command-";

std::string command_json(sdk::sql_row const& v) {
    kit::json_object o;
    o.text("command_id", text(v[0])).text("group_id", text(v[1])).text("serial_no", text(v[2])).text("name", text(v[3])).raw("params", text(v[4])).text("status", text(v[5]));
    o.text("result", text(v[6])).number("sends", integer(v[7])).text("created_by", text(v[8])).number("created_at", integer(v[9]) / 1000).number("expires_at", integer(v[10]) / 1000);
    integer(v[11]) ? o.number("finished_at", integer(v[11]) / 1000) : o.null("finished_at");
    return o.str();
}

int rank(std::string_view role) { return role == "admin" ? 3 : role == "operator" ? 2 : role == "viewer" ? 1 : 0; }

}

sdk::declaration command_plugin::declare() {
    sdk::declaration d;
    d.ready_topic = "devices/{id}/command", d.after = {"ota.registry", "ota.campaign"};
    d.tables = {{"device_commands", "command_id", true, {commands_1}}};
    d.methods = {{"command.send", "operator", "POST", "/api/v1/commands", "A command of your own to devices; ota_commands says which, and by whom.", true},
                 {"command.get", "viewer", "GET", "/api/v1/commands/{id}", "A command, or all of one call (group_id).", false},
                 {"command.list", "viewer", "GET", "/api/v1/devices/{id}/commands", "What a device was told, newest first.", false},
                 {"command.cancel", "operator", "DELETE", "/api/v1/commands/{id}", "Those that have not left yet are not sent any more.", true},
                 {"command.report", "admin", "", "", "What a device answers; for other plugins.", false}};
    d.metrics = {{"airmail_command_sent_total", "operators' commands sent, repeats too"}, {"airmail_command_finished_total", "operators' commands that have ended"}};
    return d;
}

/// "reboot=operator,shell=admin".
void command_plugin::configure() {
    auto list = ctx.option("ota_commands");
    for (std::size_t at = 0; at < list.size();) {
        auto end = std::min(list.find(',', at), list.size());
        auto one = list.substr(at, end - at);
        one.erase(std::remove(one.begin(), one.end(), ' '), one.end());
        at = end + 1;
        if (one.empty()) continue;
        auto eq = one.find('=');
        auto name = one.substr(0, eq), role = eq == one.npos ? std::string{"operator"} : one.substr(eq + 1);
        if (!fw::is_serial_no(name) || rank(role) < 2) throw std::runtime_error("ota_commands: \"" + one + "\" is not NAME=operator or NAME=admin");
        if (std::find(reserved.begin(), reserved.end(), name) != reserved.end()) throw std::runtime_error("ota_commands: " + name + " is a word of the update itself");
        allowed_[name] = role;
    }
}

void command_plugin::start() { ctx.timer(expiry_timer, ctx.now() + 1000); }

void command_plugin::allow(std::string const& name, std::string_view role) const {
    auto at = allowed_.find(name);
    if (at == allowed_.end()) throw refusal{403, "command.not_allowed", "\"" + name + "\" is not in ota_commands"};
    if (rank(role) < rank(at->second)) throw refusal{403, "command.forbidden", "\"" + name + "\" needs the role " + at->second};
}

void command_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int& status) -> std::string {
        if (c.method == "command.report") return answered(c.params, status);
        params p{c.params};
        if (c.method == "command.send") return send(p, c, status);
        if (c.method == "command.list") return list(p);
        return c.method == "command.get" ? get(p) : cancel(p);
    });
}

std::string command_plugin::send(params const& p, sdk::call_view const& c, int& status) {
    auto name = p.required("name"), device = p.text("device"), target = p.text("target");
    // A rehearsal: would the device believe this release? It changes nothing, so no list need name it.
    auto firmware = name == "verify_only" ? p.required("firmware_id") : std::string{};
    if (!firmware.empty() && ctx.sql("SELECT 1 FROM firmware WHERE firmware_id = ?", {firmware}).empty()) throw refusal{404, "firmware.not_found", "no firmware " + firmware};
    if (firmware.empty()) allow(name, c.role);
    if (device.empty() == target.empty()) throw refusal{400, "command.bad_target", "either device or target (a filter) must be given"};
    std::string given;
    if (auto v = p.find("params"); v && !v->is_null()) {
        if (!v->is_object()) throw refusal{400, "command.bad_params", "params must be a JSON object"};
        given = boost::json::serialize(*v);
        if (given.size() > 4096) throw refusal{400, "command.bad_params", "params must be at most 4096 bytes"};
    }
    auto life = p.number("expires_in", 86'400, 1, 365 * 86'400);
    std::vector<sdk::sql_row> rows;
    if (!device.empty()) {
        rows = ctx.sql("SELECT device_id, serial_no FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1", {device});
        if (rows.empty()) throw refusal{404, "registry.not_found", "no device " + device};
    } else {
        auto where = targets::where(ctx, targets::filter(target, "command.bad_target"), 1);
        rows = ctx.sql("SELECT d.device_id, d.serial_no FROM devices d WHERE d.tenant = 0 AND d.registration = 'accepted' AND (" + where.sql + ") LIMIT " + std::to_string(devices_max + 1), where.values);
        if (rows.empty()) throw refusal{404, "command.nobody", "no accepted device matches " + target};
        if (static_cast<std::int64_t>(rows.size()) > devices_max) throw refusal{400, "command.too_many", "more than 10,000 devices match " + target};
    }
    auto group = std::string{group_prefix} + fw::new_id(ctx.wall());
    for (auto const& v : rows)
        ctx.sql("INSERT INTO device_commands(command_id, group_id, device_id, serial_no, name, params, firmware_id, created_by, created_at, expires_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                {fw::command_id(group, std::string{text(v[0])}, 1), group, v[0], v[1], name, given, firmware, txt(c.caller), ctx.wall(), ctx.wall() + life * 1000});
    deliver("group_id = ?", {group});
    ctx.timer(expiry_timer, ctx.now() + 1000);
    auto sent = integer(ctx.sql("SELECT count(*) FROM device_commands WHERE group_id = ? AND sends > 0", {group}).at(0).at(0));
    status = 201;
    kit::json_object o;
    o.text("group_id", group).number("devices", static_cast<std::int64_t>(rows.size())).number("sent", sent);
    if (!device.empty()) o.text("command_id", fw::command_id(group, std::string{text(rows[0][0])}, 1));
    return o.str();
}

/// Late binding: signature, sequence and life are made for the device that is here now.
void command_plugin::deliver(std::string const& where, std::vector<sdk::sql_value> const& values) {
    for (auto const& v : ctx.sql("SELECT command_id, group_id, serial_no, name, params, expires_at, firmware_id FROM device_commands WHERE " + where +
                                 " AND finished_at IS NULL AND status IN ('pending', 'sent') ORDER BY created_at, command_id", values)) {
        auto left = (integer(v[5]) - ctx.wall()) / 1000;
        if (left < 1 || !here_.contains(std::string{text(v[2])})) continue;
        auto say = kit::json_object{}.text("command", text(v[3])).text("serial_no", text(v[2])).text("campaign_id", text(v[1])).text("command_id", text(v[0])).number("life_s", left).text_if("firmware_id", text(v[6]));
        if (!text(v[4]).empty()) say.raw("params", text(v[4]));
        ctx.call("campaign.say", say.str(), [](int, std::string_view) {});
        ctx.sql("UPDATE device_commands SET status = 'sent', sends = sends + 1 WHERE command_id = ?", {v[0]});
        ctx.metric_add("airmail_command_sent_total", 1);
    }
}

void command_plugin::session(sdk::session_view const& s) {
    std::string serial{s.identity};
    if (s.change == sdk::session_change::connect) return;
    if (s.change != sdk::session_change::ready) return void(here_.erase(serial));
    here_.insert(serial);
    deliver("serial_no = ?", {serial});
}

/// What nobody has answered in time has expired, wherever it lies.
void command_plugin::tick(std::uint64_t, sdk::instant now) {
    ctx.sql("UPDATE device_commands SET status = 'expired', finished_at = ?1 WHERE finished_at IS NULL AND expires_at <= ?1", {ctx.wall()});
    auto next = ctx.sql("SELECT min(expires_at) FROM device_commands WHERE finished_at IS NULL");
    if (!next.empty() && !kit::is_null(next[0][0])) ctx.timer(expiry_timer, now + std::clamp<std::int64_t>(integer(next[0][0]) - ctx.wall(), 1000, 60'000));
}

/// The first final word stands; the same word again changes nothing.
std::string command_plugin::answered(std::string_view json, int& status) {
    std::string serial, command_id, word, result;
    kit::each_field(json, [&](std::string_view name, kit::field const& f) {
        if (name == "serial_no") serial = f.text;
        else if (name == "command_id") command_id = f.text;
        else if (name == "word") word = f.text;
        else if (name == "result" || (result.empty() && (name == "reason" || name == "error"))) result = f.text;
    });
    static constexpr std::array<std::string_view, 4> final_words{"completed", "failed", "rejected", "cancelled"};
    // The answer to a rehearsal has no later word.
    if (word == "accepted" && !ctx.sql("SELECT 1 FROM device_commands WHERE command_id = ? AND name = 'verify_only'", {command_id}).empty()) word = "completed";
    bool final = std::find(final_words.begin(), final_words.end(), word) != final_words.end();
    if (!final && word != "accepted") return status = 422, "{}";
    ctx.sql("UPDATE device_commands SET status = ?1, result = CASE WHEN ?2 = '' THEN result ELSE ?2 END, finished_at = CASE WHEN ?3 THEN ?4 ELSE NULL END "
            "WHERE command_id = ?5 AND serial_no = ?6 AND finished_at IS NULL", {word, result, std::int64_t{final}, ctx.wall(), command_id, serial});
    status = ctx.changes() > 0 ? 200 : 208;
    if (final && status == 200) ctx.metric_add("airmail_command_finished_total", 1);
    return "{}";
}

std::string command_plugin::list(params const& p) {
    auto id = p.required("id");
    kit::json_array out;
    for (auto const& v : ctx.sql(std::string{columns} + "WHERE serial_no = ?1 OR device_id = ?1 ORDER BY created_at DESC, command_id LIMIT ?2", {id, p.number("limit", 50, 1, 1000)})) out.add(command_json(v));
    return kit::json_object{}.raw("commands", out.str()).str();
}

std::string command_plugin::get(params const& p) {
    auto id = p.required("id");
    auto rows = ctx.sql(std::string{columns} + "WHERE command_id = ?1 OR group_id = ?1 ORDER BY serial_no LIMIT 10001", {id});
    if (rows.empty()) throw refusal{404, "command.not_found", "no command " + id};
    kit::json_array out;
    for (auto const& v : rows) out.add(command_json(v));
    return kit::json_object{}.raw("commands", out.str()).str();
}

std::string command_plugin::cancel(params const& p) {
    auto id = p.required("id");
    if (ctx.sql("SELECT 1 FROM device_commands WHERE command_id = ?1 OR group_id = ?1 LIMIT 1", {id}).empty()) throw refusal{404, "command.not_found", "no command " + id};
    ctx.sql("UPDATE device_commands SET status = 'cancelled', finished_at = ?2 WHERE (command_id = ?1 OR group_id = ?1) AND status = 'pending'", {id, ctx.wall()});
    return kit::json_object{}.number("cancelled", ctx.changes()).str();
}

}
