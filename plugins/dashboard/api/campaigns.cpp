// Campaign, its rows, and firmware.
#include "plugins/dashboard/api/resolvers.hpp"

#include "plugins/campaign/views.hpp"
#include "plugins/cohort/study.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::dashboard {

namespace json = boost::json;
namespace cmp = plugins::campaign;
using graphql::field_error;

namespace {

std::int64_t page_of(json::object const& a, std::string_view key, std::int64_t otherwise) {
    auto n = number_of(a, key, otherwise);
    if (n < 0 || n > 200) throw field_error("graphql.bad_argument", std::string{key} + " must be 0 to 200");
    return n;
}

constexpr std::string_view firmware_columns = "SELECT firmware_id, version, model, models, file_url, checksum, size_bytes, image_bytes, security_counter, min_from_version, manifest <> '', uploaded_at, "
                                              "uploaded_by FROM firmware ";
const std::initializer_list<std::string_view> firmware_names = {"firmware_id", "version", "model", "models{", "file_url", "checksum", "size_bytes", "image_bytes", "security_counter",
                                                                    "min_from_version", "signed?", "uploaded_at~", "uploaded_by"};

/// Ends that are nobody's failure (campaign::counts_as_failure).
#define TAKEN_BACK "('cancelled', 'superseded', 'not_applicable', 'device_removed')"

constexpr std::string_view count_columns = "count(*), sum(status = 'pending'), sum(status = 'downloading'), sum(status = 'installing'), sum(status = 'completed'), sum(status = 'failed'), "
                                           "sum(status = 'rollback'), sum(live = 0), sum(rank BETWEEN 2 AND 50), "
                                           "sum(status = 'failed' AND reason IN " TAKEN_BACK ")";

json::object no_counters() {
    json::object o;
    for (auto key : {"total", "pending", "downloading", "installing", "completed", "failed", "rollback", "finished", "in_flight", "not_counting"}) o[key] = 0;
    return o;
}

}

json::array resolvers::firmware_where(std::string const& where, std::vector<sdk::sql_value> params) {
    return db_.objects(std::string{firmware_columns} + where, params, firmware_names);
}

json::value resolvers::campaign(std::string const& id) {
    auto c = cmp::load_campaign(db_, id);
    if (!c) return nullptr;
    boost::system::error_code ec;
    auto v = json::parse(cmp::campaign_json(*c), ec);
    return ec ? json::value(nullptr) : v;
}

json::value resolvers::q_campaign(call const& f) { return campaign(text_of(f.arguments, "id")); }

json::value resolvers::q_campaigns(call const& f) {
    json::array out;
    for (auto const& r : db_.sql("SELECT campaign_id FROM campaigns WHERE ?1 = '' OR status = ?1 ORDER BY rowid DESC LIMIT 200", {lower(text_of(f.arguments, "status"))}))
        out.push_back(campaign(std::get<std::string>(r[0])));
    return out;
}

json::value resolvers::q_campaigns_connection(call const& f) {
    auto page = page_of(f.arguments, "first", 20);
    auto after = text_of(f.arguments, "after");
    json::array rows;
    for (auto const& r : db_.sql("SELECT campaign_id FROM campaigns WHERE (?1 = '' OR status = ?1) AND (?2 = '' OR rowid < (SELECT rowid FROM campaigns WHERE campaign_id = ?2)) ORDER BY rowid DESC LIMIT ?3",
                                 {lower(text_of(f.arguments, "status")), after, page + 1}))
        rows.push_back(campaign(std::get<std::string>(r[0])));
    return connection(std::move(rows), static_cast<std::size_t>(page), "campaign_id", !after.empty());
}

json::value resolvers::q_target_preview(call const& f) {
    auto said = ask("campaign.preview", {{"name", "preview"}, {"firmware_id", text_of(f.arguments, "firmwareId")}, {"target_criteria", f.arguments.contains("targetCriteria") ? f.arguments.at("targetCriteria") : json::object{}}});
    json::object out{{"count", number_of(said, "count")}, {"online", number_of(said, "online")}};
    json::array versions, examples;
    auto list = [&](char const* key) {
        auto const* v = said.is_object() ? said.get_object().if_contains(key) : nullptr;
        return v && v->is_array() ? v->get_array() : json::array{};
    };
    for (auto const& g : list("groups"))
        if (text_of(g, "why").empty()) versions.push_back(g);
    for (auto const& serial : list("examples"))
        if (auto d = device(text_of(serial)); d.is_object()) examples.push_back(std::move(d));
    out["versions"] = std::move(versions), out["examples"] = std::move(examples);
    return out;
}

json::value resolvers::q_firmware(call const& f) {
    auto found = firmware_where("WHERE firmware_id = ?", {text_of(f.arguments, "id")});
    return found.empty() ? json::value(nullptr) : found[0];
}

json::value resolvers::q_firmwares(call const& f) {
    return firmware_where("WHERE (?1 = '' OR ?1 IN (SELECT value FROM json_each(models))) AND (?2 = '' OR version = ?2) ORDER BY uploaded_at DESC, firmware_id DESC LIMIT ?3",
                          {text_of(f.arguments, "model"), text_of(f.arguments, "version"), page_of(f.arguments, "first", 50)});
}

json::value resolvers::campaign_firmware(call const& f) {
    auto found = firmware_where("WHERE firmware_id = ?", {text_of(f.parent, "firmware_id")});
    return found.empty() ? json::value(nullptr) : found[0];
}

json::value resolvers::campaign_phases(call const& f) {
    auto const* list = f.parent.get_object().if_contains("phases");
    json::array out;
    if (!list || !list->is_array()) return out;
    auto open = number_of(f.parent, "phase");
    auto status = text_of(f.parent, "status");
    std::int64_t from = 0;
    for (std::size_t i = 0; i < list->get_array().size(); ++i) {
        auto p = list->get_array()[i];
        auto const percent = p.is_object() && p.get_object().contains("percent") ? p.at("percent").to_number<double>() : p.is_number() ? p.to_number<double>() : 100;
        auto const upto = static_cast<std::int64_t>(percent * cmp::buckets / 100 + 0.5);
        auto n = static_cast<std::int64_t>(i) + 1;
        json::object o{{"number", n}, {"percent", percent}, {"soak_s", number_of(p, "soak_s", 600)}, {"success_percent", p.is_object() && p.get_object().contains("success_percent") ? p.at("success_percent") : json::value(95)}};
        o["state"] = status == "pending" || n > open ? "WAITING" : n == open && status == "active" ? "OPEN" : "PASSED";
        o["counters"] = no_counters();
        if (f.wants("counters")) {
            auto id = text_of(f.parent, "campaign_id");
            // A scan of the campaign's rows: kept for a second for everybody.
            o["counters"] = s_.kept.get("phase " + id + " " + std::to_string(from) + " " + std::to_string(upto), 1000, [&] {
                return db_.object("SELECT " + std::string{count_columns} + " FROM campaign_devices WHERE campaign_id = ? AND bucket >= ? AND bucket < ?", {id, from, upto},
                                  {"total", "pending", "downloading", "installing", "completed", "failed", "rollback", "finished", "in_flight", "not_counting"});
            });
            for (auto& m : o["counters"].get_object())
                if (m.value().is_null()) m.value() = 0;
        }
        from = upto, out.push_back(std::move(o));
    }
    return out;
}

json::value resolvers::campaign_devices(call const& f) {
    auto page = page_of(f.arguments, "first", 50);
    auto after = text_of(f.arguments, "after");
    auto rows = updates_where("WHERE campaign_id = ?1 AND serial_no > ?2 AND (?3 = '' OR status = ?3) AND (?4 = '' OR stage = ?4) AND (?5 = '' OR reason = ?5) ORDER BY serial_no LIMIT ?6",
                              {text_of(f.parent, "campaign_id"), after, lower(text_of(f.arguments, "status")), text_of(f.arguments, "stage"), text_of(f.arguments, "reason"), page + 1});
    return connection(std::move(rows), static_cast<std::size_t>(page), "serial_no", !after.empty());
}

json::value resolvers::campaign_explain(call const& f) {
    auto d = device(text_of(f.arguments, "device"));
    auto rows = updates_where("WHERE campaign_id = ? AND serial_no = ?", {text_of(f.parent, "campaign_id"), d.is_null() ? text_of(f.arguments, "device") : text_of(d, "serial_no")});
    if (rows.empty()) return nullptr;
    auto said = ask("campaign.explain", {{"id", text_of(f.parent, "campaign_id")}, {"device", text_of(rows[0], "serial_no")}});
    return json::object{{"campaign", f.parent}, {"update", rows[0]}, {"why", text_of(said, "why")}};
}

json::value resolvers::campaign_failures(call const& f) {
    auto id = text_of(f.parent, "campaign_id");
    auto page = page_of(f.arguments, "first", 10);
    return s_.kept.get("failures " + id + " " + std::to_string(page), 1000, [&] {
        return json::value(db_.objects("SELECT CASE reason WHEN '' THEN status ELSE reason END, count(*), min(serial_no), max(error_message) FROM campaign_devices WHERE campaign_id = ? AND status IN ('failed', 'rollback') "
                                       "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?", {id, page}, {"reason", "count", "example_serial_no", "error_message"}));
    });
}

json::value resolvers::campaign_cohorts(call const& f) {
    auto id = text_of(f.parent, "campaign_id");
    auto page = page_of(f.arguments, "first", 10);
    return s_.kept.get("cohorts " + id + " " + std::to_string(page), 1000, [&] {
        return json::value(db_.objects("SELECT from_version, count(*), sum(status = 'completed'), sum(status = 'failed' AND reason NOT IN " TAKEN_BACK "), sum(status = 'rollback') FROM campaign_devices WHERE campaign_id = ? GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
                                       {id, page}, {"from_version", "total", "completed", "failed", "rollback"}));
    });
}

json::value resolvers::campaign_events(call const& f) {
    auto rows = db_.objects("SELECT seq, at, event, serial_no, to_status, stage, reason, attempt, detail FROM campaign_events WHERE campaign_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                            {text_of(f.parent, "campaign_id"), number_of(f.arguments, "after"), page_of(f.arguments, "first", 50)},
                            {"seq", "at~", "event", "serial_no", "status", "stage", "reason", "attempt", "detail"});
    for (auto& r : rows) {                                          // a campaign's detail is JSON, a device's a text
        auto text = text_of(r, "detail");
        boost::system::error_code ec;
        auto v = json::parse(text, ec);
        r.get_object()["detail"] = text.empty() ? json::value(nullptr) : ec ? json::value(text) : v;
    }
    return rows;
}

json::value comparison_of(json::value said) {
    if (!said.is_object()) return nullptr;
    if (text_of(said, "alarm").empty()) said.get_object()["alarm"] = nullptr;
    return said;
}

json::value resolvers::campaign_comparison(call const& f) {
    auto const study = plugins::cohort::load_study(db_, text_of(f.parent, "campaign_id"));
    if (!study) return nullptr;
    boost::system::error_code ec;
    auto said = json::parse(plugins::cohort::study_json(*study), ec);
    return ec ? json::value(nullptr) : comparison_of(std::move(said));
}

json::value resolvers::update_campaign_name(call const& f) {
    return db_.object("SELECT name FROM campaigns WHERE campaign_id = ?", {text_of(f.parent, "campaign_id")}, {"name"}).at("name");
}

json::value resolvers::firmware_running(call const& f) {
    // Of every model that the image is for.
    auto const version = text_of(f.parent, "version"), id = text_of(f.parent, "firmware_id");
    return s_.kept.get("running " + id, 5000, [&] {
        return json::value(std::get<std::int64_t>(db_.sql("SELECT count(*) FROM devices WHERE model IN (SELECT value FROM firmware, json_each(models) WHERE firmware_id = ?) AND current_firmware = ?", {id, version}).at(0).at(0)));
    });
}

json::value resolvers::firmware_campaigns(call const& f) {
    json::array out;
    for (auto const& r : db_.sql("SELECT campaign_id FROM campaigns WHERE firmware_id = ? ORDER BY rowid DESC LIMIT ?", {text_of(f.parent, "firmware_id"), page_of(f.arguments, "first", 10)}))
        out.push_back(campaign(std::get<std::string>(r[0])));
    return out;
}

}
