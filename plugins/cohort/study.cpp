#include "plugins/cohort/study.hpp"

#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>

namespace airmail::plugins::cohort {

using kit::integer, kit::text, kit::txt;

namespace {

constexpr std::string_view of_field = "field:";

std::string_view word(direction d) { return d == direction::lower ? "lower" : "higher"; }

}

direction study::harm_of(std::string_view measure) const {
    if (!measure.starts_with(of_field)) return direction::higher;
    auto const at = std::find_if(fields.begin(), fields.end(), [&](auto const& f) { return f.first == measure.substr(of_field.size()); });
    return at == fields.end() ? direction::higher : at->second;
}

std::optional<study> load_study(sdk::context& ctx, std::string_view campaign_id) {
    auto const rows = ctx.sql("SELECT window_ms, alpha, gate, fields, alarm, alarm_at, seen FROM cohort_studies WHERE campaign_id = ?", {txt(campaign_id)});
    if (rows.empty()) return std::nullopt;
    auto const& v = rows[0];
    study s;
    s.campaign_id = campaign_id, s.window_ms = integer(v[0]), s.gate = integer(v[2]) != 0, s.alarm = text(v[4]), s.alarm_at = integer(v[5]), s.seen = integer(v[6]);
    if (auto const* alpha = std::get_if<double>(&v[1])) s.alpha = *alpha;
    kit::each_field(text(v[3]), [&](std::string_view name, kit::field const& f) { s.fields.emplace_back(name, f.text == "lower" ? direction::lower : direction::higher); });
    s.counts["reconnects"], s.counts["errors"];
    for (auto const& [name, harm] : s.fields) s.counts[std::string{of_field} + name];
    for (auto const& m : ctx.sql("SELECT measure, worse, better, same FROM cohort_measures WHERE campaign_id = ?", {txt(campaign_id)}))
        if (auto at = s.counts.find(std::string{text(m[0])}); at != s.counts.end()) at->second = {integer(m[1]), integer(m[2]), integer(m[3])};
    return s;
}

std::string study_json(study const& s) {
    kit::json_array measures;
    for (auto const& [name, n] : s.counts)
        measures.add(kit::json_object{}.text("measure", name).text("harm", word(s.harm_of(name))).number("pairs", n.total()).number("worse", n.worse).number("better", n.better).number("same", n.same)
                         .real("evidence", std::min(evidence(n), 1e12)).real("needed", 1 / s.share()).flag("shown", shown(n, s.share())).str());
    kit::json_object fields, o;
    for (auto const& [name, harm] : s.fields) fields.text(name, word(harm));
    o.text("campaign_id", s.campaign_id).number("window_s", s.window_ms / 1000).real("alpha", s.alpha).flag("gate", s.gate).raw("fields", fields.str()).text("alarm", s.alarm);
    s.alarm_at ? o.number("alarm_at", s.alarm_at / 1000) : o.null("alarm_at");
    return o.raw("measures", measures.str()).str();
}

}
