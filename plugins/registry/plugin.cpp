#include "plugins/registry/plugin.hpp"

#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "plugins/registry/tables.hpp"
#include "plugins/targets/filter.hpp"
#include "storage/firmware/digest.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <stdexcept>

namespace airmail::plugins {

namespace fw = storage::firmware;
using kit::integer, kit::params, kit::refusal, kit::text, kit::txt;

namespace {

/// 31 bits that follow from the id alone.
std::int64_t hash_of(std::string_view device_id) {
    auto d = fw::sha256_of(device_id);
    return (std::int64_t{d[0]} << 24 | std::int64_t{d[1]} << 16 | std::int64_t{d[2]} << 8 | d[3]) & 0x7fffffff;
}

constexpr std::string_view columns =
    "SELECT device_id, serial_no, model, current_firmware, last_seen, status, registration, ever_seen, keys_version, security_counter, boot_slot, "
    "created_at, updated_at, (SELECT json_group_array(tag) FROM device_tags t WHERE t.device_id = d.device_id), "
    "(SELECT json_group_object(key, value) FROM device_attributes a WHERE a.device_id = d.device_id) FROM devices d ";

std::string device_json(sdk::sql_row const& v) {
    kit::json_object o;
    o.text("device_id", text(v[0])).text("serial_no", text(v[1])).text("model", text(v[2])).text("current_firmware", text(v[3]));
    o.number("last_seen", integer(v[4]) / 1000).text("status", text(v[5])).text("registration", text(v[6])).flag("ever_seen", integer(v[7]) != 0);
    auto number = [&](char const* key, sdk::sql_value const& x) { kit::is_null(x) ? o.null(key) : o.number(key, integer(x)); };
    number("keys_version", v[8]), number("security_counter", v[9]);
    return o.text("boot_slot", text(v[10])).number("created_at", integer(v[11]) / 1000).number("updated_at", integer(v[12]) / 1000).raw("tags", text(v[13])).raw("attributes", text(v[14])).str();
}

constexpr std::int64_t attributes_max = 64;          // per device

bool good_tag(std::string const& t) { return !t.empty() && t.size() <= 64; }

}

sdk::declaration registry_plugin::declare() {
    sdk::declaration d;
    d.ready_topic = "devices/{id}/command";
    d.tables = {{"devices", "device_id", true, {registry::devices_1, registry::devices_2, registry::devices_3, registry::devices_4}, "last_seen"}, {"device_tags", "device_id,tag", true, {registry::tags_1, registry::tags_2}},
                {"device_attributes", "device_id,key", true, {registry::attributes_1}}};
    auto m = [&](char const* name, char const* role, char const* verb, char const* path, char const* doc) {
        d.methods.push_back({name, role, verb, path, doc, std::string_view{role} != "viewer"});
    };
    m("device.list", "viewer", "GET", "/api/v1/devices", "Devices in order of serial_no.");
    m("device.fleet", "viewer", "GET", "/api/v1/fleet", "How many devices, where they stand, which versions.");
    m("device.get", "viewer", "GET", "/api/v1/devices/{id}", "One device and its campaigns.");
    m("device.add", "operator", "POST", "/api/v1/devices", "Expects a device.");
    m("device.import", "operator", "POST", "/api/v1/devices/import", "Expects many.");
    m("device.accept", "operator", "POST", "/api/v1/devices/{id}/accept", "Lets a quarantined or blocked device take part.");
    m("device.block", "operator", "POST", "/api/v1/devices/{id}/block", "Disconnects it and ends its updates.");
    m("device.tag", "operator", "POST", "/api/v1/devices/{id}/tags", "Adds and removes tags.");
    m("device.attributes", "operator", "POST", "/api/v1/devices/{id}/attributes", "Sets and removes attributes.");
    m("device.remove", "admin", "DELETE", "/api/v1/devices/{id}", "Forgets a device.");
    d.methods.push_back({"registry.seen", "admin", "", "", "A heartbeat that is new or has changed; for other plugins.", false});
    d.metrics = {{"airmail_registry_registered_total", "devices registered at their first heartbeat"}, {"airmail_registry_refused_total", "first heartbeats refused by ota_registration deny"},
                 {"airmail_registry_online_devices", "devices with a session on their command topic", "gauge"}};
    return d;
}

void registry_plugin::configure() {
    auto word = ctx.option("ota_registration");
    if (word == "quarantine") mode_ = mode::quarantine;
    else if (word == "deny") mode_ = mode::deny;
    else if (!word.empty() && word != "allow") throw std::runtime_error("ota_registration " + word + ": not allow, quarantine or deny");
}

void registry_plugin::start() {
    // Nobody is connected to a broker that has just started.
    ctx.sql("UPDATE devices SET status = 'offline' WHERE status <> 'offline'");
    // Rows that came from elsewhere (a restored copy, a tool) may lack what orders them.
    ctx.sql("UPDATE device_tags SET serial_no = (SELECT serial_no FROM devices d WHERE d.device_id = device_tags.device_id) "
            "WHERE serial_no = '' AND device_id IN (SELECT device_id FROM devices)");
}

void registry_plugin::session(sdk::session_view const& s) {
    if (s.change == sdk::session_change::connect) return;
    std::string serial{s.identity};
    bool here = s.change == sdk::session_change::ready;
    if (here) presence_[serial] = s.connection;
    else if (auto at = presence_.find(serial); at == presence_.end() || (s.connection != 0 && at->second != s.connection)) return;
    else presence_.erase(at);
    ctx.metric_set("airmail_registry_online_devices", static_cast<double>(presence_.size()));
    ctx.sql("UPDATE devices SET status = CASE WHEN ?1 = 'online' AND EXISTS(SELECT 1 FROM campaign_devices c WHERE c.serial_no = ?2 AND c.status IN "
            "('downloading','installing') AND c.live = 1) THEN 'updating' ELSE ?1 END, last_seen = max(last_seen, ?3), updated_at = ?3 "
            "WHERE tenant = 0 AND serial_no = ?2 AND ever_seen = 1",
            {txt(here ? "online" : "offline"), serial, ctx.wall()});
}

void registry_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int& status) -> std::string {
        if (c.method == "registry.seen") return seen(c.params, status);
        params p{c.params};
        if (c.method == "device.list") return list(p);
        if (c.method == "device.fleet") return fleet();
        if (c.method == "device.get") return get(p.required("id"));
        if (c.method == "device.add") return add(p, status);
        if (c.method == "device.import") return import(p);
        if (c.method == "device.accept") return set_registration(p, "accepted");
        if (c.method == "device.block") return set_registration(p, "blocked");
        if (c.method == "device.tag") return tag(p);
        if (c.method == "device.attributes") return attributes(p);
        return remove(p);
    });
}

/// {"serial_no","model","fw","at",...}: registers, or takes over what has changed. The answer says whether it may take part.
std::string registry_plugin::seen(std::string_view json, int& status) {
    std::string serial, model, version, slot;
    std::int64_t at = ctx.wall();
    sdk::sql_value keys = nullptr, counter = nullptr;
    kit::each_field(json, [&](std::string_view name, kit::field const& f) {
        if (name == "serial_no") serial = f.text;
        else if (name == "model") model = f.text;
        else if (name == "current_firmware") version = f.text;
        else if (name == "boot_slot") slot = f.text;
        else if (name == "keys_version" && f.integer()) keys = *f.integer();
        else if (name == "counter" && f.integer()) counter = *f.integer();
    });
    auto known = ctx.sql("SELECT device_id, registration FROM devices WHERE tenant = 0 AND serial_no = ?", {serial});
    std::string registration;
    if (known.empty()) {
        if (mode_ == mode::deny) {
            ctx.metric_add("airmail_registry_refused_total", 1);
            status = 403;
            return kit::problem_json("registry.denied", serial + " is not imported");
        }
        registration = mode_ == mode::allow ? "accepted" : "quarantined";
        insert(serial, model, registration);
        ctx.metric_add("airmail_registry_registered_total", 1);
        ctx.log(sdk::level::info, "device registered", kit::json_object{}.text("serial_no", serial).text("registration", registration).str());
    } else {
        registration = text(known[0][1]);
        if (registration == "imported") registration = "accepted";
    }
    ctx.sql("UPDATE devices SET model = ?2, current_firmware = ?3, boot_slot = CASE WHEN ?4 = '' THEN boot_slot ELSE ?4 END, "
            "keys_version = coalesce(?5, keys_version), security_counter = coalesce(?6, security_counter), ever_seen = 1, last_seen = ?7, "
            "updated_at = ?7, registration = ?8, status = CASE WHEN status = 'offline' AND ?9 THEN 'online' ELSE status END "
            "WHERE tenant = 0 AND serial_no = ?1",
            {serial, model, version, slot, keys, counter, at, registration, std::int64_t{presence_.contains(serial)}});
    return kit::json_object{}.text("registration", registration).str();
}

void registry_plugin::insert(std::string const& serial, std::string const& model, std::string const& registration) {
    auto id = fw::device_id(0, serial);
    auto wall = ctx.wall();
    ctx.sql("INSERT INTO devices(device_id, serial_no, model, last_seen, created_at, updated_at, registration, hash) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            {id, serial, model, wall, wall, wall, registration, hash_of(id)});
}

std::string registry_plugin::find(std::string const& id, std::string* serial) {
    auto rows = ctx.sql("SELECT device_id, serial_no FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1", {id});
    if (rows.empty()) throw refusal{404, "registry.not_found", "no device " + id};
    if (serial) *serial = text(rows[0][1]);
    return std::string{text(rows[0][0])};
}

/// How many devices match. The count looks at every one of them, so the pages that follow a first one take its answer.
std::int64_t registry_plugin::count_once(std::string const& where, std::vector<sdk::sql_value> const& args, bool later_page) {
    auto const now = ctx.wall();
    for (auto const& c : counted_)
        if (later_page && c.where == where && c.args == args && now >= c.at && now - c.at < 60'000) return c.total;
    auto total = integer(ctx.sql("SELECT count(*) FROM devices d " + where, args).at(0).at(0));
    auto& slot = counted_[next_counted_++ % counted_.size()];
    slot = {where, args, now, total};
    return total;
}

std::string registry_plugin::list(params const& p) {
    auto limit = p.number("limit", 50, 1, 1000);
    // Only what is asked for stands in the query: "? = '' OR" would keep it from the indexes.
    std::string where = "WHERE tenant = 0";
    std::vector<sdk::sql_value> args;
    auto add = [&](char const* member, std::string_view before, std::string_view behind) {
        auto v = p.text(member);
        if (v.empty()) return;
        args.push_back(std::move(v));
        ((where += before) += "?" + std::to_string(args.size())) += behind;
    };
    add("model", " AND model = ", ""), add("status", " AND status = ", ""), add("registration", " AND registration = ", ""), add("version", " AND current_firmware = ", "");
    add("tag", " AND EXISTS(SELECT 1 FROM device_tags t WHERE t.device_id = d.device_id AND t.tag = ", ")");
    // A plain "tenant = 0" would draw the planner to the list's own index.
    if (!p.text("model").empty() || !p.text("status").empty() || !p.text("registration").empty()) where.insert(6, "+");
    auto q = p.text("q");
    bool const filter = targets::looks_like_filter(q);             // otherwise what a serial number begins with
    if (!q.empty() && !filter) {                                   // a range of the index; U+10FFFF sorts behind every text
        args.push_back(q), args.push_back(q + "\xF4\x8F\xBF\xBF");
        where += " AND serial_no >= ?" + std::to_string(args.size() - 1) + " AND serial_no < ?" + std::to_string(args.size());
    }
    if (filter) {
        auto c = targets::where(ctx, targets::filter(q, "registry.bad_filter"), static_cast<int>(args.size()) + 1);
        (where += " AND ") += c.sql;
        for (auto& v : c.values) args.push_back(std::move(v));
    }
    auto from = p.text("after");
    auto const total = count_once(where, args, !from.empty());
    auto after = std::to_string(args.size() + 1), most = std::to_string(args.size() + 2);
    args.push_back(from), args.push_back(limit + 1);
    auto rows = ctx.sql(std::string{columns} + where + " AND serial_no > ?" + after + " ORDER BY serial_no LIMIT ?" + most, args);
    kit::json_array out;
    auto shown = std::min(rows.size(), static_cast<std::size_t>(limit));
    for (std::size_t i = 0; i < shown; ++i) out.add(device_json(rows[i]));
    kit::json_object reply;
    reply.raw("devices", out.str());
    rows.size() > shown ? reply.text("next", text(rows[shown - 1][1])) : reply.null("next");
    return reply.number("total", total).str();
}

std::string registry_plugin::get(std::string const& id) {
    auto device = find(id);
    auto out = device_json(ctx.sql(std::string{columns} + "WHERE device_id = ?", {device}).at(0));
    kit::json_array campaigns;
    try {
        for (auto const& v : ctx.sql("SELECT c.campaign_id, c.name, d.status, d.stage, d.reason, d.updated_at FROM campaign_devices d JOIN campaigns c "
                                     "ON c.campaign_id = d.campaign_id WHERE d.serial_no = (SELECT serial_no FROM devices WHERE device_id = ?1) "
                                     "ORDER BY d.rowid DESC LIMIT 20", {device}))
            campaigns.add(kit::json_object{}.text("campaign_id", text(v[0])).text("name", text(v[1])).text("status", text(v[2])).text("stage", text(v[3]))
                              .text("reason", text(v[4])).number("updated_at", integer(v[5]) / 1000).str());
    } catch (sdk::error const&) {}                                 // without the campaign plugin there are none
    out.pop_back();
    return out + ",\"campaigns\":" + campaigns.str() + "}";
}

std::string registry_plugin::fleet() {
    auto v = ctx.sql("SELECT count(*), coalesce(sum(status = 'online'), 0), coalesce(sum(status = 'offline'), 0), coalesce(sum(status = 'updating'), 0), "
                     "coalesce(sum(registration = 'quarantined'), 0), coalesce(sum(registration = 'blocked'), 0), coalesce(sum(ever_seen = 0), 0) FROM devices").at(0);
    kit::json_object o;
    std::size_t i = 0;
    for (auto key : {"total", "online", "offline", "updating", "quarantined", "blocked", "never_seen"}) o.number(key, integer(v[i++]));
    kit::json_array versions;
    for (auto const& r : ctx.sql("SELECT model, current_firmware, count(*) FROM devices GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100"))
        versions.add(kit::json_object{}.text("model", text(r[0])).text("version", text(r[1])).number("count", integer(r[2])).str());
    return o.raw("versions", versions.str()).str();
}

std::string registry_plugin::add(params const& p, int& status) {
    auto serial = p.required("serial_no");
    if (!fw::is_serial_no(serial)) throw refusal{400, "registry.bad_serial_no", "serial_no must be 1 to 64 of [A-Za-z0-9._:-]"};
    auto tags = p.list("tags");
    for (auto const& t : tags)
        if (!good_tag(t)) throw refusal{400, "registry.bad_tag", "a tag has 1 to 64 characters"};
    if (!ctx.sql("SELECT 1 FROM devices WHERE tenant = 0 AND serial_no = ?", {serial}).empty()) throw refusal{409, "registry.exists", serial + " is known"};
    insert(serial, p.text("model"), "imported");
    add_tags(fw::device_id(0, serial), tags);
    status = 201;
    return get(serial);
}

std::string registry_plugin::import(params const& p) {
    auto v = p.find("devices");
    if (!v || !v->is_array() || v->as_array().size() > 10'000) throw refusal{400, "registry.bad_import", "devices must be a list of at most 10,000"};
    std::int64_t added = 0, known = 0;
    kit::json_array refused;
    for (auto const& item : v->as_array()) {
        auto o = item.if_object();
        auto word = [&](char const* key) {
            auto x = o ? o->if_contains(key) : nullptr;
            return x && x->is_string() ? std::string{x->as_string().data(), x->as_string().size()} : std::string{};
        };
        auto serial = word("serial_no");
        if (!fw::is_serial_no(serial)) {
            refused.add(kit::json_object{}.text("serial_no", serial).text("why", "not 1 to 64 of [A-Za-z0-9._:-]").str());
            continue;
        }
        if (!ctx.sql("SELECT 1 FROM devices WHERE tenant = 0 AND serial_no = ?", {serial}).empty()) {
            ++known;
            continue;
        }
        insert(serial, word("model"), "imported"), ++added;
        std::vector<std::string> tags;
        if (auto t = o->if_contains("tags"); t && t->is_array())
            for (auto const& x : t->as_array())
                if (x.is_string()) tags.emplace_back(x.as_string().data(), x.as_string().size());
        add_tags(fw::device_id(0, serial), tags);
    }
    return kit::json_object{}.number("added", added).number("known", known).raw("refused", refused.str()).str();
}

void registry_plugin::add_tags(std::string const& device_id, std::vector<std::string> const& tags) {
    for (auto const& t : tags)
        if (good_tag(t)) ctx.sql("INSERT OR IGNORE INTO device_tags(device_id, tag, serial_no) SELECT device_id, ?2, serial_no FROM devices WHERE device_id = ?1", {device_id, t});
}

void registry_plugin::tell_campaign(char const* kind, std::string const& serial) {
    try {
        ctx.call("campaign.report", kit::json_object{}.text("kind", kind).text("serial_no", serial).str(), [](int, std::string_view) {});
    } catch (sdk::error const&) {}                                 // no campaign plugin, nothing under way
}

std::string registry_plugin::set_registration(params const& p, char const* to) {
    std::string serial;
    auto device = find(p.required("id"), &serial);
    // A device that was accepted before it was ever seen stays expected until it comes.
    ctx.sql("UPDATE devices SET registration = ?2, updated_at = ?3 WHERE device_id = ?1", {device, txt(to), ctx.wall()});
    if (std::string_view{to} == "blocked") {
        tell_campaign("removed", serial);
        ctx.disconnect(serial, 0x98);                              // Administrative action
    } else tell_campaign("joined", serial);
    return get(device);
}

std::string registry_plugin::tag(params const& p) {
    std::string serial;
    auto device = find(p.required("id"), &serial);
    auto add = p.list("add"), gone = p.list("remove");
    for (auto const& t : add)
        if (!good_tag(t)) throw refusal{400, "registry.bad_tag", "a tag has 1 to 64 characters"};
    add_tags(device, add);
    for (auto const& t : gone) ctx.sql("DELETE FROM device_tags WHERE device_id = ? AND tag = ?", {device, t});
    tell_campaign("joined", serial);
    return get(device);
}

std::string registry_plugin::attributes(params const& p) {
    std::string serial;
    auto device = find(p.required("id"), &serial);
    auto good = [](std::string_view key) {
        return !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        });
    };
    auto set = p.find("set");
    if (set && !set->is_object()) throw refusal{400, "registry.bad_attribute", "set must be an object of texts"};
    auto gone = p.list("remove");
    if (set)
        for (auto const& m : set->as_object()) {
            if (!good({m.key().data(), m.key().size()})) throw refusal{400, "registry.bad_attribute", "a key has 1 to 64 of [A-Za-z0-9._-]"};
            if (!m.value().is_string() || m.value().as_string().size() > 256) throw refusal{400, "registry.bad_attribute", "a value is a text of at most 256 bytes"};
        }
    auto known = integer(ctx.sql("SELECT count(*) FROM device_attributes WHERE device_id = ?", {device}).at(0).at(0));
    if (set && known + static_cast<std::int64_t>(set->as_object().size()) > attributes_max)
        throw refusal{409, "registry.too_many_attributes", serial + " would have more than 64 attributes"};
    if (set)
        for (auto const& m : set->as_object())
            ctx.sql("INSERT INTO device_attributes(device_id, key, value) VALUES(?, ?, ?) ON CONFLICT(device_id, key) DO UPDATE SET value = excluded.value",
                    {device, std::string{m.key().data(), m.key().size()}, std::string{m.value().as_string().data(), m.value().as_string().size()}});
    for (auto const& key : gone) ctx.sql("DELETE FROM device_attributes WHERE device_id = ? AND key = ?", {device, key});
    tell_campaign("joined", serial);
    return get(device);
}

std::string registry_plugin::remove(params const& p) {
    std::string serial;
    auto device = find(p.required("id"), &serial);
    tell_campaign("removed", serial);
    ctx.sql("DELETE FROM device_tags WHERE device_id = ?", {device});
    ctx.sql("DELETE FROM device_attributes WHERE device_id = ?", {device});
    ctx.sql("DELETE FROM devices WHERE device_id = ?", {device});
    try {
        ctx.call("heartbeat.forget", kit::json_object{}.text("serial_no", serial).str(), [](int, std::string_view) {});
    } catch (sdk::error const&) {}
    ctx.disconnect(serial, 0x98);
    return kit::json_object{}.text("removed", serial).str();
}

}
