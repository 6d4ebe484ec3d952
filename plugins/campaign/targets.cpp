#include "plugins/campaign/targets.hpp"

#include "plugins/kit/json_out.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::plugins::campaign {

namespace fw = storage::firmware;
using kit::refusal;

namespace {

[[noreturn]] void bad(std::string const& why) { throw refusal{400, "campaign.bad_criteria", why}; }

std::string text_of(boost::json::value const& v, char const* what) {
    if (!v.is_string()) bad(std::string{what} + " must be a text");
    return {v.as_string().data(), v.as_string().size()};
}

std::vector<std::string> texts_of(boost::json::value const& v, char const* what) {
    if (!v.is_array()) bad(std::string{what} + " must be a list of texts");
    std::vector<std::string> out;
    for (auto const& item : v.as_array()) out.push_back(text_of(item, what));
    return out;
}

std::string list_json(std::vector<std::string> const& list) {
    kit::json_array a;
    for (auto const& s : list) a.add_text(s);
    return a.str();
}

// A random UUID of version 4, since the document's key is one; nothing refers to it.
constexpr std::string_view new_uuid =
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || "
    "substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";

/// ?1 salt, ?2 campaign, ?3 to_version, ?4 wall, ?5 model, ?6 version, ?7 devices or null, ?8 tags, ?9 number of tags, ?10 one serial or null
std::string insert_sql() {
    std::string s = "INSERT OR IGNORE INTO campaign_devices(campaign_device_id, tenant, campaign_id, device_id, serial_no, bucket, from_version, "
                    "to_version, updated_at) SELECT ";
    ((s += new_uuid) += ", d.tenant, ?2, d.device_id, d.serial_no, ") += bucket_sql;
    s += ", d.current_firmware, ?3, ?4 FROM devices d WHERE d.registration = 'accepted' AND d.model = ?5 AND d.current_firmware = ?6 "
         "AND (?7 IS NULL OR d.serial_no IN (SELECT value FROM json_each(?7)) OR d.device_id IN (SELECT value FROM json_each(?7))) "
         "AND (?9 = 0 OR ?9 = (SELECT count(*) FROM device_tags t WHERE t.device_id = d.device_id AND t.tag IN (SELECT value FROM json_each(?8)))) "
         "AND (?10 IS NULL OR d.serial_no = ?10)";
    return s;
}

std::int64_t insert(sdk::context& ctx, campaign_row const& c, criteria const& k, std::string_view model, std::string_view version, sdk::sql_value one) {
    static std::string const sql = insert_sql();
    ctx.sql(sql, {c.salt, c.id, c.to_version, ctx.wall(), kit::txt(model), kit::txt(version),
                  k.explicit_list ? sdk::sql_value{list_json(k.devices)} : sdk::sql_value{nullptr}, list_json(k.tags),
                  static_cast<std::int64_t>(k.tags.size()), std::move(one)});
    return ctx.changes();
}

}

criteria parse_criteria(std::string_view json) {
    criteria c;
    if (json.empty()) json = "{}";
    boost::system::error_code ec;
    auto v = boost::json::parse(boost::json::string_view{json.data(), json.size()}, ec);
    if (ec || !v.is_object()) bad("target_criteria must be a JSON object");
    for (auto const& m : v.as_object()) {
        auto key = std::string_view{m.key().data(), m.key().size()};
        if (key == "model") c.model = text_of(m.value(), "model");
        else if (key == "fw_version") c.range_text = text_of(m.value(), "fw_version");
        else if (key == "devices") c.devices = texts_of(m.value(), "devices"), c.explicit_list = true;
        else if (key == "tags") c.tags = texts_of(m.value(), "tags");
        else bad("unknown member \"" + std::string{key} + "\" (known: model, fw_version, devices, tags)");
    }
    std::sort(c.tags.begin(), c.tags.end());
    c.tags.erase(std::unique(c.tags.begin(), c.tags.end()), c.tags.end());
    auto range = fw::version_range::parse(c.range_text);
    if (!range) bad("fw_version \"" + c.range_text + "\" is not a range such as \"< v1.1.0\" or \">=1.0 <2\"");
    c.versions = std::move(*range);
    c.json = boost::json::serialize(v);
    return c;
}

std::string unfit(image_rules const& rules, criteria const& c, std::string_view model, std::string_view version) {
    if (!c.model.empty() && model != c.model) return "its model is not the one asked for";
    if (!rules.models.empty() && std::find(rules.models.begin(), rules.models.end(), model) == rules.models.end()) return "the image is not for its model";
    if (!c.versions.contains(version)) return "its version is outside the range asked for";
    auto order = fw::compare_versions(version, rules.version);
    if (order == 0) return "it has this version already";
    if (order > 0 && !rules.allow_downgrade) return "its version is newer";
    if (!rules.min_from.empty() && fw::compare_versions(version, rules.min_from) < 0) return "its version is below the image's min_from_version";
    return {};
}

image_rules rules_of(sdk::context& ctx, campaign_row const& c) {
    image_rules r;
    r.version = c.to_version, r.allow_downgrade = c.allow_downgrade;
    auto rows = ctx.sql("SELECT models, min_from_version FROM firmware WHERE firmware_id = ?", {c.firmware_id});
    if (rows.empty()) return r;
    boost::system::error_code ec;
    auto list = kit::text(rows[0][0]);
    auto v = boost::json::parse(boost::json::string_view{list.data(), list.size()}, ec);
    if (!ec && v.is_array())
        for (auto const& m : v.as_array())
            if (m.is_string()) r.models.emplace_back(m.as_string().data(), m.as_string().size());
    r.min_from = kit::text(rows[0][1]);
    return r;
}

std::int64_t materialise(sdk::context& ctx, campaign_row const& c) {
    auto k = parse_criteria(c.target_criteria);
    auto rules = rules_of(ctx, c);
    std::int64_t n = 0;
    for (auto const& row : ctx.sql("SELECT DISTINCT model, current_firmware FROM devices"))
        if (unfit(rules, k, kit::text(row[0]), kit::text(row[1])).empty()) n += insert(ctx, c, k, kit::text(row[0]), kit::text(row[1]), nullptr);
    return n;
}

std::int64_t materialise_one(sdk::context& ctx, campaign_row const& c, std::string_view serial_no) {
    auto rows = ctx.sql("SELECT model, current_firmware FROM devices WHERE tenant = 0 AND serial_no = ?", {kit::txt(serial_no)});
    if (rows.empty()) return 0;
    auto k = parse_criteria(c.target_criteria);
    if (!unfit(rules_of(ctx, c), k, kit::text(rows[0][0]), kit::text(rows[0][1])).empty()) return 0;
    return insert(ctx, c, k, kit::text(rows[0][0]), kit::text(rows[0][1]), kit::txt(serial_no));
}

}
