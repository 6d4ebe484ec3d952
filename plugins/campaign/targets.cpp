#include "plugins/campaign/targets.hpp"

#include "plugins/kit/json_out.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"
#include "plugins/targets/filter.hpp"

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

/// ?1 salt, ?2 campaign, ?3 to_version, ?4 wall, ?5 model, ?6 version, ?7 devices or null, ?8 tags, ?9 number of tags, ?10 one serial or
/// null, from ?11 the filter's.
constexpr std::string_view chosen =
    " FROM devices d WHERE d.registration = 'accepted' AND d.model = ?5 AND d.current_firmware = ?6 "
    "AND (?7 IS NULL OR d.serial_no IN (SELECT value FROM json_each(?7)) OR d.device_id IN (SELECT value FROM json_each(?7))) "
    "AND (?9 = 0 OR ?9 = (SELECT count(*) FROM device_tags t WHERE t.device_id = d.device_id AND t.tag IN (SELECT value FROM json_each(?8)))) "
    "AND (?10 IS NULL OR d.serial_no = ?10)";

constexpr int first_of_filter = 11;

/// The statement's end and its values, for every (model, version) in turn.
class choice {
public:
    choice(sdk::context& ctx, campaign_row const& c, criteria const& k, sdk::sql_value one, bool ask_filter) : tail_(chosen) {
        values_.resize(10);
        values_[0] = c.salt, values_[1] = c.id, values_[2] = c.to_version, values_[3] = ctx.wall();
        if (k.explicit_list) values_[6] = list_json(k.devices);
        values_[7] = list_json(k.tags), values_[8] = static_cast<std::int64_t>(k.tags.size()), values_[9] = std::move(one);
        if (!k.q || !ask_filter) return;
        auto w = k.q->where(first_of_filter, ctx.wall(), [&] { return targets::versions_of_fleet(ctx); });
        (tail_ += " AND ") += w.sql;
        for (auto& v : w.values) values_.push_back(std::move(v));
    }
    std::string const& tail() const { return tail_; }
    std::vector<sdk::sql_value> const& of(std::string_view model, std::string_view version) {
        return values_[4] = kit::txt(model), values_[5] = kit::txt(version), values_;
    }

private:
    std::string tail_;
    std::vector<sdk::sql_value> values_;
};

std::string insert_sql(choice const& who) {
    std::string s = "INSERT OR IGNORE INTO campaign_devices(campaign_device_id, tenant, campaign_id, device_id, serial_no, bucket, from_version, "
                    "to_version, updated_at) SELECT ";
    ((s += new_uuid) += ", d.tenant, ?2, d.device_id, d.serial_no, ") += bucket_sql;
    return (s += ", d.current_firmware, ?3, ?4") += who.tail();
}

}

criteria parse_criteria(std::string_view json) {
    criteria c;
    if (json.empty()) json = "{}";
    boost::system::error_code ec;
    boost::json::value v;
    auto first = json.find_first_not_of(" \t\r\n");
    if (first != json.npos && json[first] != '{') v = boost::json::object{{"q", boost::json::string_view{json.data(), json.size()}}};
    else v = boost::json::parse(boost::json::string_view{json.data(), json.size()}, ec);
    if (ec || !v.is_object()) bad("target_criteria must be a JSON object or a filter such as model==TX-100;fw=lt=1.1.0");
    for (auto const& m : v.as_object()) {
        auto key = std::string_view{m.key().data(), m.key().size()};
        if (key == "model") c.model = text_of(m.value(), "model");
        else if (key == "fw_version") c.range_text = text_of(m.value(), "fw_version");
        else if (key == "devices") c.devices = texts_of(m.value(), "devices"), c.explicit_list = true;
        else if (key == "tags") c.tags = texts_of(m.value(), "tags");
        else if (key == "q") c.q = targets::filter(text_of(m.value(), "q"), "campaign.bad_criteria");
        else bad("unknown member \"" + std::string{key} + "\" (known: model, fw_version, devices, tags, q)");
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
    choice who{ctx, c, k, nullptr, true};
    auto sql = insert_sql(who);
    std::int64_t n = 0;
    for (auto const& row : ctx.sql("SELECT DISTINCT model, current_firmware FROM devices"))
        if (unfit(rules, k, kit::text(row[0]), kit::text(row[1])).empty()) {
            ctx.sql(sql, who.of(kit::text(row[0]), kit::text(row[1])));
            n += ctx.changes();
        }
    return n;
}

std::int64_t materialise_one(sdk::context& ctx, campaign_row const& c, std::string_view serial_no) {
    auto d = targets::load_facts(ctx, serial_no);
    if (!d) return 0;
    auto k = parse_criteria(c.target_criteria);
    if (!unfit(rules_of(ctx, c), k, d->model, d->version).empty()) return 0;
    if (k.q && !k.q->matches(*d, ctx.wall())) return 0;            // in RAM: no statement is compiled for one device
    choice who{ctx, c, k, kit::txt(serial_no), false};
    ctx.sql(insert_sql(who), who.of(d->model, d->version));
    return ctx.changes();
}

preview look_ahead(sdk::context& ctx, campaign_row const& c) {
    auto k = parse_criteria(c.target_criteria);
    auto rules = rules_of(ctx, c);
    choice who{ctx, c, k, nullptr, true};
    auto day = std::to_string(86'400'000LL), silent = " AND d.last_seen <= ?4 - " + day;
    auto counts = "SELECT count(*), sum(d.status <> 'offline'), sum(d.ever_seen = 0), sum(d.status = 'offline'" + silent + "), sum(d.status = 'offline'" +
                  silent + " * 7), sum(d.status = 'offline'" + silent + " * 30)" + who.tail();
    auto names = "SELECT d.serial_no" + who.tail() + " ORDER BY d.serial_no LIMIT 10";
    preview out;
    for (auto const& row : ctx.sql("SELECT DISTINCT model, current_firmware FROM devices")) {
        preview_group g{std::string{kit::text(row[0])}, std::string{kit::text(row[1])}, unfit(rules, k, kit::text(row[0]), kit::text(row[1])), 0, 0};
        auto n = ctx.sql(counts, who.of(g.model, g.version)).at(0);
        g.count = kit::integer(n[0]), g.online = kit::integer(n[1]);
        if (g.count == 0) continue;
        out.groups.push_back(g);
        if (!g.why.empty()) continue;
        out.count += g.count, out.online += g.online, out.never_seen += kit::integer(n[2]);
        out.silent_day += kit::integer(n[3]), out.silent_week += kit::integer(n[4]), out.silent_month += kit::integer(n[5]);
        if (out.examples.size() >= 10) continue;
        for (auto const& v : ctx.sql(names, who.of(g.model, g.version)))
            if (out.examples.size() < 10) out.examples.emplace_back(kit::text(v[0]));
    }
    std::sort(out.groups.begin(), out.groups.end(), [](auto const& a, auto const& b) { return a.count > b.count; });
    if (out.groups.size() > 100) out.groups.resize(100);
    return out;
}

}
