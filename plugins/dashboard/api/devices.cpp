// Device and everything that hangs on it.
#include "plugins/dashboard/api/resolvers.hpp"

#if __has_include("plugins/targets/filter.hpp")
#include "plugins/kit/params.hpp"
#include "plugins/targets/filter.hpp"
#define AIRMAIL_HAS_FILTERS 1
#endif

#include <algorithm>
#include <cstdio>
#include <tuple>

namespace airmail::dashboard {

namespace json = boost::json;
using graphql::field_error;

namespace {

constexpr std::string_view device_fields =
    "SELECT d.device_id, d.serial_no, model, current_firmware, last_seen, status, registration, ever_seen, keys_version, security_counter, boot_slot, created_at, updated_at, "
    "(SELECT json_group_array(tag) FROM device_tags t WHERE t.device_id = d.device_id) ";
/// One step of the index per model, however many devices: a loose index scan. At most a thousand, the empty one (never said) among them.
constexpr std::string_view models_sql = "WITH RECURSIVE m(x) AS (SELECT min(model) FROM devices UNION ALL SELECT (SELECT min(model) FROM devices WHERE model > x) FROM m WHERE x IS NOT NULL) "
                                        "SELECT x FROM m WHERE x IS NOT NULL LIMIT 1000";
constexpr std::string_view named_models_sql = "WITH RECURSIVE m(x) AS (SELECT min(model) FROM devices WHERE model > '' UNION ALL SELECT (SELECT min(model) FROM devices WHERE model > x) FROM m WHERE x IS NOT NULL) "
                                              "SELECT x FROM m WHERE x IS NOT NULL LIMIT 1000";
const std::initializer_list<std::string_view> device_names = {"device_id", "serial_no", "model", "current_firmware", "last_seen~", "status", "registration", "ever_seen?", "keys_version",
                                                                  "security_counter", "boot_slot", "created_at~", "updated_at~", "tags{"};
constexpr std::string_view update_columns =
    "SELECT campaign_id, device_id, serial_no, status, stage, reason, error_message, attempt, command_id, from_version, to_version, nullif(progress, -1), bytes, started_at, completed_at, "
    "updated_at, live, rowid, failed_version FROM campaign_devices ";
const std::initializer_list<std::string_view> update_names = {"campaign_id", "device_id", "serial_no", "status", "stage", "reason", "error_message", "attempt", "command_id", "from_version",
                                                                  "to_version", "progress", "bytes", "started_at~", "completed_at~", "updated_at~", "live?", "rowid", "failed_version"};

/// The wire has "1 to 200" for pages; GraphQL's Int may be less.
std::int64_t page_of(json::object const& a, std::string_view key, std::int64_t otherwise) {
    auto n = number_of(a, key, otherwise);
    if (n < 0 || n > 200) throw field_error("graphql.bad_argument", std::string{key} + " must be 0 to 200");
    return n;
}

std::string sentence(json::value const& u) {
    auto status = text_of(u, "status"), stage = text_of(u, "stage");
    auto progress = number_of(u, "progress", -1);
    if (status == "rollback") return "Update Failed - Rolled Back";
    if (status == "failed") {
        // Ends that are nobody's failure (campaign::counts_as_failure) say how the update was taken back.
        auto reason = text_of(u, "reason");
        if (reason == "cancelled") return "Update cancelled";
        if (reason == "superseded") return "Superseded by a newer campaign";
        if (reason == "not_applicable") return "Update not applicable";
        if (reason == "device_removed") return "Device removed";
        return "Update Failed";
    }
    if (status == "completed") return "Up to date";
    if (status == "downloading") return progress >= 0 ? "Downloading " + std::to_string(progress) + " %" : "Downloading";
    if (status == "installing") return stage == "probation" ? "Installed, being watched" : "Installing";
    return stage == "waiting" ? "Waiting for its turn" : "Told to update";
}

}

json::array resolvers::devices_where(std::string const& where, std::vector<sdk::sql_value> params) {
    return db_.objects(std::string{device_fields} + "FROM devices d " + where, params, device_names);
}
json::array resolvers::updates_where(std::string const& where, std::vector<sdk::sql_value> params) {
    return db_.objects(std::string{update_columns} + where, params, update_names);
}

json::value resolvers::device(std::string const& id) {
    auto found = devices_where("WHERE tenant = 0 AND serial_no = ?", {id});
    if (found.empty()) found = devices_where("WHERE device_id = ?", {id});
    return found.empty() ? json::value(nullptr) : found[0];
}

json::value resolvers::q_device(call const& f) { return device(text_of(f.arguments, "id")); }

json::value resolvers::q_devices(call const& f) {
    auto model = text_of(f.arguments, "model"), status = lower(text_of(f.arguments, "status"));
    std::string where = model.empty() && status.empty() ? "WHERE tenant = 0" : "WHERE +tenant = 0";
    std::vector<sdk::sql_value> args;
    if (!model.empty()) where += " AND model = ?", args.push_back(model);
    if (!status.empty()) where += " AND status = ?", args.push_back(status);
    args.push_back(page_of(f.arguments, "limit", 50));
    return devices_where(where + " ORDER BY serial_no LIMIT ?", args);
}

/// Fewer than this are fetched and sorted; more are found soon enough while walking the list in its order.
bool resolvers::few(std::string const& what, std::vector<sdk::sql_value> args) {
    constexpr std::int64_t most = 2000;
    return std::get<std::int64_t>(db_.sql("SELECT count(*) FROM (SELECT 1 FROM " + what + " LIMIT " + std::to_string(most) + ")", args).at(0).at(0)) < most;
}

/// The conditions of a device list. SQLite has no statistics of a fleet, so which index a page walks is said here: a "+" keeps a column from
/// being one. What is rare leads; then the tag, the model, the status; without any of them the list's own order.
resolvers::device_query resolvers::query_of(call const& f) {
    device_query q;
    auto const model = text_of(f.arguments, "model"), status = lower(text_of(f.arguments, "status")), version = text_of(f.arguments, "version"), tag = text_of(f.arguments, "tag");
    auto const registration = lower(text_of(f.arguments, "registration"));
    bool const rare_status = !status.empty() && few("devices WHERE status = ?1", {status});
    bool const aside = !registration.empty() && registration != "accepted";    // few are; a partial index has them
    bool const by_tag = !tag.empty() && !rare_status && !aside;
    bool const by_model = !model.empty() && !rare_status && !aside && !by_tag;
    bool const by_status = !status.empty() && !aside && !by_tag && !by_model;
    // With its length, so that no value reads like the next name: a list's count is kept under this key.
    auto told = [&](std::string_view name, std::string const& value) { q.key += "\n" + std::string{name} + ":" + std::to_string(value.size()) + "=" + value; };
    auto add = [&](std::string_view name, std::string const& value, std::string condition) {
        if (value.empty()) return;
        told(name, value);
        for (auto at = condition.find('#'); at != condition.npos; at = condition.find('#')) condition.replace(at, 1, "?" + std::to_string(q.args.size() + 1));
        q.where += " AND " + condition, q.args.push_back(value);
    };
    bool const led = rare_status || aside || by_tag || by_model || by_status;
    if (by_tag) q.from = "device_tags g CROSS JOIN devices d ON d.device_id = g.device_id", q.serial = "g.serial_no";
    q.where = led ? "WHERE +d.tenant = 0" : "WHERE d.tenant = 0";
    add("model", model, by_model ? "d.model = #" : "+d.model = #");
    add("status", status, by_status ? "d.status = #" : "+d.status = #");
    if (by_model) add("version", version, "d.current_firmware = #");
    // Through each model's part of the index, unless there are more models than are looked at.
    else if (!version.empty() && !led && std::get<std::int64_t>(db_.sql("SELECT count(*) FROM (" + std::string{models_sql} + ")").at(0).at(0)) < 1000 &&
             few("devices WHERE model IN (" + std::string{models_sql} + ") AND current_firmware = ?1", {version})) {
        q.where.insert(6, "+"), add("version", version, "d.model IN (" + std::string{models_sql} + ") AND d.current_firmware = #");
    } else add("version", version, "+d.current_firmware = #");
    add("tag", tag, by_tag ? "g.tag = #" : "EXISTS(SELECT 1 FROM device_tags t WHERE t.device_id = d.device_id AND t.tag = #)");
    add("registration", registration, aside ? "d.registration <> 'accepted' AND d.registration = #" : "+d.registration = #");   // the partial index is found by its own words only
    if (auto begin = text_of(f.arguments, "search"); !begin.empty()) {
        // A range of the index; U+10FFFF sorts behind every text.
        told("search", begin);
        q.where += " AND " + q.serial + " >= ?" + std::to_string(q.args.size() + 1) + " AND " + q.serial + " < ?" + std::to_string(q.args.size() + 2);
        q.args.push_back(begin), q.args.push_back(begin + "\xF4\x8F\xBF\xBF");
    }
    if (auto filter = text_of(f.arguments, "filter"); !filter.empty()) {
#ifdef AIRMAIL_HAS_FILTERS
        try {
            auto c = plugins::targets::where(db_, plugins::targets::filter(filter, "registry.bad_filter"), static_cast<int>(q.args.size()) + 1);
            q.where += " AND " + c.sql, told("filter", filter);
            for (auto& v : c.values) q.args.push_back(std::move(v));
        } catch (plugins::kit::refusal const& e) { throw field_error(e.code, e.detail); }
#else
        throw field_error("registry.bad_filter", "this broker has no RSQL filters");
#endif
    }
    // Nothing else is asked: not even a filter, which may have no values of its own.
    if (by_tag && q.where == "WHERE +d.tenant = 0 AND g.tag = ?1") q.lean = "device_tags WHERE tag = ?1";
    q.accepted_only = q.where == "WHERE d.tenant = 0 AND +d.registration = ?1" && !aside;
    return q;
}

/// How many match; a fleet's count is dear, so it may be some seconds old.
json::value resolvers::count_of(device_query const& q) {
    return s_.kept.get(q.key, 2000, [&] {
        auto one = [&](std::string const& sql, std::vector<sdk::sql_value> const& args) { return std::get<std::int64_t>(db_.sql(sql, args).at(0).at(0)); };
        // All but a few are accepted: those few are counted.
        if (q.accepted_only) return json::value(one("SELECT count(*) FROM devices WHERE tenant = 0", {}) - one("SELECT count(*) FROM devices WHERE +tenant = 0 AND registration <> 'accepted'", {}));
        if (!q.lean.empty()) return json::value(one("SELECT count(*) FROM " + q.lean, q.args));
        return json::value(one("SELECT count(*) FROM " + q.from + " " + q.where, q.args));
    });
}

/// A jump far into the list. Passing over a million rows takes what a million rows take, so every thousandth serial number of a list is
/// remembered for as long as its count: from the one before, at most a thousand are passed. What came or went meanwhile shifts it by as much.
std::pair<std::string, std::int64_t> resolvers::landing(device_query const& q, std::int64_t skip) {
    constexpr std::int64_t stride = 1000;
    if (skip < stride) return {"", skip};
    auto const kept = s_.kept.get("steps" + q.key, 2000, [&] {
        json::array steps;
        auto const n = q.args.size();
        auto const sql = "SELECT " + q.serial + " FROM " + q.from + " " + q.where + " AND " + q.serial + " > ?" + std::to_string(n + 1) + " ORDER BY " + q.serial + " LIMIT 1 OFFSET " + std::to_string(stride - 1);
        auto args = q.args;
        args.push_back(std::string{});
        while (steps.size() < 10'000) {
            auto const rows = db_.sql(sql, args);
            if (rows.empty()) break;
            args[n] = rows[0][0], steps.emplace_back(std::get<std::string>(rows[0][0]));
        }
        return json::value(std::move(steps));
    });
    auto const& steps = kept.get_array();
    auto const whole = std::min<std::int64_t>(skip / stride, static_cast<std::int64_t>(steps.size()));
    if (whole == 0) return {"", skip};
    return {std::string(steps[static_cast<std::size_t>(whole - 1)].get_string()), skip - whole * stride};
}

json::value resolvers::q_devices_connection(call const& f) {
    auto q = query_of(f);
    auto const page = page_of(f.arguments, "first", 50);
    json::value total(0);
    if (f.wants("totalCount")) total = count_of(q);
    auto after = text_of(f.arguments, "after");
    auto skip = number_of(f.arguments, "skip", 0);
    if (skip < 0 || skip > 10'000'000) throw field_error("graphql.bad_argument", "skip must be 0 to 10000000");
    bool const later = !after.empty() || skip > 0;
    json::array rows;
    if (f.wants("nodes") || f.wants("edges") || f.wants("pageInfo")) {
        if (after.empty()) std::tie(after, skip) = landing(q, skip);
        auto const n = q.args.size();
        q.where += " AND " + q.serial + " > ?" + std::to_string(n + 1) + " ORDER BY " + q.serial + " LIMIT ?" + std::to_string(n + 2) + " OFFSET ?" + std::to_string(n + 3);
        q.args.push_back(after), q.args.push_back(page + 1), q.args.push_back(skip);
        rows = db_.objects(std::string{device_fields} + "FROM " + q.from + " " + q.where, q.args, device_names);
    }
    auto out = connection(std::move(rows), static_cast<std::size_t>(page), "serial_no", later);
    out["totalCount"] = std::move(total);
    return out;
}

json::value resolvers::q_models(call const&) {
    return s_.kept.get("models", 5000, [&] {
        json::array out;
        for (auto const& r : db_.sql(std::string{named_models_sql})) out.emplace_back(std::get<std::string>(r[0]));
        return json::value(std::move(out));
    });
}

json::value resolvers::q_tags(call const&) {
    return s_.kept.get("tags", 5000, [&] {
        json::array out;
        for (auto const& r : db_.sql("WITH RECURSIVE m(x) AS (SELECT min(tag) FROM device_tags UNION ALL SELECT (SELECT min(tag) FROM device_tags WHERE tag > x) FROM m WHERE x IS NOT NULL) "
                                     "SELECT x FROM m WHERE x IS NOT NULL LIMIT 1000"))
            out.emplace_back(std::get<std::string>(r[0]));
        return json::value(std::move(out));
    });
}

json::value resolvers::device_member(call const& f) {
    // A draft's rows are its preview: nobody has been told anything, and they must not hide how the last update ended.
    auto newest = updates_where("WHERE serial_no = ? AND NOT EXISTS(SELECT 1 FROM campaigns c WHERE c.campaign_id = campaign_devices.campaign_id AND c.status = 'pending') ORDER BY rowid DESC LIMIT 1",
                                {text_of(f.parent, "serial_no")});
    if (newest.empty()) return nullptr;
    if (f.field.name == "update_status") return json::value(sentence(newest[0]));
    auto error = text_of(newest[0], "error_message"), reason = text_of(newest[0], "reason"), status = text_of(newest[0], "status");
    if (status != "failed" && status != "rollback") return nullptr;
    if (status == "failed" && (reason == "cancelled" || reason == "superseded" || reason == "not_applicable" || reason == "device_removed")) return nullptr;
    return json::value(error.empty() ? reason : error);
}

json::value resolvers::device_current(call const& f) {
    auto live = updates_where("WHERE serial_no = ? AND rank BETWEEN 2 AND 50 ORDER BY rowid DESC LIMIT 1", {text_of(f.parent, "serial_no")});
    return live.empty() ? json::value(nullptr) : live[0];
}

json::value resolvers::device_updates(call const& f) {
    return updates_where("WHERE serial_no = ? ORDER BY rowid DESC LIMIT ?", {text_of(f.parent, "serial_no"), page_of(f.arguments, "first", 20)});
}

json::value resolvers::device_history(call const& f) {
    return db_.objects("SELECT CASE status WHEN 'completed' THEN to_version ELSE from_version END, coalesce(completed_at, updated_at), campaign_id, status FROM campaign_devices "
                       "WHERE serial_no = ? AND status IN ('completed', 'rollback') ORDER BY coalesce(completed_at, updated_at) DESC, rowid DESC LIMIT ?",
                       {text_of(f.parent, "serial_no"), page_of(f.arguments, "first", 20)}, {"version", "at~", "campaign_id", "outcome"});
}

namespace {

/// A place in a timeline. The newest stands first; of one moment updates, then settings, then alerts; of those the last made first. Many
/// things happen in one millisecond (a batch has one time), so a moment alone would not say where the next page begins.
struct place {
    std::int64_t at = INT64_MAX;
    int source = 0;
    std::int64_t id = INT64_MAX;

    /// "" is the beginning.
    static place read(std::string const& cursor) {
        place p;
        if (cursor.empty()) return p;
        int used = 0;
        long long at = 0, id = 0;
        if (std::sscanf(cursor.c_str(), "%lld.%d.%lld%n", &at, &p.source, &id, &used) != 3 || static_cast<std::size_t>(used) != cursor.size()) throw field_error("graphql.bad_argument", "after is no cursor of a timeline");
        p.at = at, p.id = id;
        return p;
    }
    /// At that very moment, rows of a source with smaller ids than this are behind it.
    std::int64_t below(int of) const { return of == source ? id : of < source ? INT64_MIN : INT64_MAX; }
};

}

/// Three sources, merged.
json::value resolvers::device_timeline(call const& f) {
    auto const page = page_of(f.arguments, "first", 50);
    auto const after = text_of(f.arguments, "after");
    auto const from = place::read(after);
    auto serial = text_of(f.parent, "serial_no"), id = text_of(f.parent, "device_id");
    const std::initializer_list<std::string_view> names = {"id", "at_ms", "kind", "text", "campaign_id", "status", "stage", "reason", "detail"};
    json::array rows;
    auto take = [&](int source, std::string const& of, std::string const& sql) {
        for (auto& r : db_.objects(sql, {of, from.at, from.below(source), page + 1}, names)) {
            auto& o = r.get_object();
            o["source"] = source, o["at"] = number_of(o, "at_ms") / 1000;
            o["cursor"] = std::to_string(number_of(o, "at_ms")) + "." + std::to_string(source) + "." + std::to_string(number_of(o, "id"));
            rows.push_back(std::move(r));
        }
    };
    // Only campaigns the device was in: their events are indexed by campaign, device and time.
    take(0, serial, "SELECT e.event_id, e.at, 'UPDATE', 'Update ' || e.to_status || CASE e.stage WHEN e.to_status THEN '' ELSE ' (' || e.stage || ')' END || CASE e.reason WHEN '' THEN '' ELSE ': ' || e.reason END, "
                    "e.campaign_id, e.to_status, e.stage, e.reason, e.detail FROM campaign_devices c JOIN campaign_events e ON e.campaign_id = c.campaign_id AND e.serial_no = c.serial_no "
                    "WHERE c.serial_no = ?1 AND e.at <= ?2 AND (e.at < ?2 OR e.event_id < ?3) ORDER BY e.at DESC, e.event_id DESC LIMIT ?4");
    take(1, id, "SELECT change_id, at, 'SETTING', CASE source WHEN 'desired' THEN 'Asked to set ' ELSE 'Set ' END || config_key || ' to ' || new_value, NULL, NULL, NULL, NULL, old_value FROM config_history "
                "WHERE device_id = ?1 AND at <= ?2 AND (at < ?2 OR change_id < ?3) ORDER BY at DESC, change_id DESC LIMIT ?4");
    take(2, serial, "SELECT alert_id, at, 'ALERT', text, nullif(campaign_id, ''), NULL, NULL, kind, NULL FROM alerts WHERE serial_no = ?1 AND at <= ?2 AND (at < ?2 OR alert_id < ?3) ORDER BY at DESC, alert_id DESC LIMIT ?4");
    // Each source came in its order, one behind the other.
    std::stable_sort(rows.begin(), rows.end(), [](json::value const& a, json::value const& b) { return number_of(a, "at_ms") > number_of(b, "at_ms"); });
    return connection(std::move(rows), static_cast<std::size_t>(page), "cursor", !after.empty());
}

json::value resolvers::device_configuration(call const& f) {
    return db_.objects("SELECT config_key, CASE WHEN reported THEN config_value END, CASE WHEN reported THEN updated_at END, desired, desired IS NULL OR (reported AND desired = config_value) FROM device_configs "
                       "WHERE device_id = ? ORDER BY config_key", {text_of(f.parent, "device_id")}, {"key", "value", "updated_at~", "desired", "in_sync?"});
}

json::value resolvers::device_configuration_history(call const& f) {
    return db_.objects("SELECT config_key, old_value, new_value, source, at FROM config_history WHERE device_id = ? ORDER BY change_id DESC LIMIT ?",
                       {text_of(f.parent, "device_id"), page_of(f.arguments, "first", 50)}, {"key", "old_value", "new_value", "source", "at~"});
}

json::value resolvers::device_sessions(call const& f) {
    // A device's identity is its serial number, and that needs no escaping in a query.
    return ask_rest("GET", "/api/v1/sessions", "identity=" + text_of(f.parent, "serial_no")).at("sessions");
}

json::value resolvers::device_explain(call const& f) {
    json::array out;
    for (auto& u : updates_where("WHERE serial_no = ? ORDER BY live DESC, rowid DESC LIMIT 3", {text_of(f.parent, "serial_no")})) {
        auto id = text_of(u, "campaign_id");
        auto said = ask("campaign.explain", {{"id", id}, {"device", text_of(f.parent, "serial_no")}});
        out.push_back(json::object{{"campaign", campaign(id)}, {"update", u}, {"why", text_of(said, "why")}});
    }
    return out;
}

json::value resolvers::update_device(call const& f) { return device(text_of(f.parent, "serial_no")); }

}
