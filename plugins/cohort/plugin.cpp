#include "plugins/cohort/plugin.hpp"

#include "plugins/kit/duration.hpp"
#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <charconv>
#include <cmath>

namespace airmail::plugins {

using kit::integer, kit::params, kit::refusal, kit::text;

namespace {

constexpr char studies_1[] = R"(CREATE TABLE cohort_studies(
    campaign_id TEXT PRIMARY KEY NOT NULL,
    window_ms   INTEGER NOT NULL,
    alpha       REAL NOT NULL,
    gate        INTEGER NOT NULL,
    fields      TEXT NOT NULL DEFAULT '{}',
    alarm       TEXT NOT NULL DEFAULT '',
    alarm_at    INTEGER NOT NULL DEFAULT 0
) STRICT;)";
constexpr char measures_1[] = R"(CREATE TABLE cohort_measures(
    campaign_id TEXT NOT NULL,
    measure     TEXT NOT NULL,
    worse       INTEGER NOT NULL DEFAULT 0,
    better      INTEGER NOT NULL DEFAULT 0,
    same        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(campaign_id, measure)
) STRICT;)";
// Whoever was watched once is watched no more: pairs must not know of one another.
constexpr char devices_1[] = R"(CREATE TABLE cohort_devices(
    campaign_id TEXT NOT NULL,
    serial_no   TEXT NOT NULL,
    PRIMARY KEY(campaign_id, serial_no)
) STRICT;)";

constexpr std::size_t pairs_max = 1000, fields_max = 8;
constexpr std::int64_t look_every = 1000;      // ms

std::string_view serial_of(std::string_view topic) {
    topic.remove_prefix(std::min(topic.size(), std::string_view{"devices/"}.size()));
    return topic.substr(0, topic.find('/'));
}

bool number_of(kit::field const& f, double& out) {
    if (f.what != kit::field::kind::number) return false;
    auto const [end, ec] = std::from_chars(f.text.data(), f.text.data() + f.text.size(), out);
    return ec == std::errc{} && end == f.text.data() + f.text.size() && std::isfinite(out);
}

}

double cohort_plugin::record::mean(std::string const& field) const {
    auto const at = numbers.find(field);
    return at == numbers.end() ? std::nan("") : at->second.first / static_cast<double>(at->second.second);
}

sdk::declaration cohort_plugin::declare() {
    sdk::declaration d;
    d.ready_topic = "devices/{id}/command", d.after = {"ota.campaign"};
    d.topics = {{.filter = "devices/{id}/heartbeat", .durable = false, .overflow = "drop"}, {.filter = "devices/{id}/error/#", .durable = false, .overflow = "drop"}};
    d.tables = {{"cohort_studies", "campaign_id", false, {studies_1}}, {"cohort_measures", "campaign_id,measure", false, {measures_1}}, {"cohort_devices", "campaign_id,serial_no", false, {devices_1}}};
    d.methods = {{"cohort.set", "operator", "POST", "/api/v1/campaigns/{id}/cohort", "Compares updated devices with the others: window, alpha, gate, fields.", true},
                 {"cohort.get", "viewer", "GET", "/api/v1/campaigns/{id}/cohort", "What the comparison has shown so far.", false}};
    d.metrics = {{"airmail_cohort_pairs_total", "pairs of an updated and another device that were watched to their end"}, {"airmail_cohort_discarded_total", "pairs whose other device was updated meanwhile"},
                 {"airmail_cohort_alarms_total", "differences shown"}, {"airmail_cohort_watched_devices", "devices in pairs under way", "gauge"}};
    return d;
}

void cohort_plugin::start() {
    load();
    if (!studies_.empty()) ctx.timer(1, ctx.now() + look_every);
}

void cohort_plugin::load() {
    for (auto const& v : ctx.sql("SELECT campaign_id, window_ms, alpha, gate, fields, alarm, alarm_at FROM cohort_studies s WHERE EXISTS(SELECT 1 FROM campaigns c WHERE "
                                 "c.campaign_id = s.campaign_id AND c.status IN ('pending','active'))")) {
        auto s = read(std::string{text(v[0])}, text(v[4]));
        auto const* alpha = std::get_if<double>(&v[2]);
        s.window_ms = integer(v[1]), s.alpha = alpha ? *alpha : 0.05, s.gate = integer(v[3]) != 0, s.alarm = text(v[5]), s.alarm_at = integer(v[6]);
        studies_[s.campaign_id] = std::move(s);
    }
}

cohort_plugin::study cohort_plugin::read(std::string const& campaign_id, std::string_view fields) {
    study s;
    s.campaign_id = campaign_id;
    kit::each_field(fields, [&](std::string_view name, kit::field const& f) { s.fields.emplace_back(name, f.text == "lower" ? direction::lower : direction::higher); });
    s.counts["reconnects"], s.counts["errors"];
    for (auto const& [name, harm] : s.fields) s.counts["field:" + name];
    for (auto const& v : ctx.sql("SELECT measure, worse, better, same FROM cohort_measures WHERE campaign_id = ?", {campaign_id}))
        if (auto at = s.counts.find(std::string{text(v[0])}); at != s.counts.end()) at->second = {integer(v[1]), integer(v[2]), integer(v[3])};
    return s;
}

sdk::verdict cohort_plugin::message(sdk::message_view const& m) {
    if (watched_.empty()) return sdk::verdict::ok;
    auto const at = watched_.find(std::string{serial_of(m.topic)});
    if (at == watched_.end()) return sdk::verdict::ok;
    if (!m.topic.ends_with("/heartbeat")) return ++at->second.errors, sdk::verdict::ok;
    kit::each_field(m.payload, [&](std::string_view name, kit::field const& f) {
        double n = 0;
        auto const field = at->second.numbers.find(std::string{name});
        if (field != at->second.numbers.end() && number_of(f, n)) field->second.first += n, ++field->second.second;
    });
    return sdk::verdict::ok;
}

void cohort_plugin::session(sdk::session_view const& s) {
    if (s.change != sdk::session_change::ready || watched_.empty()) return;
    if (auto at = watched_.find(std::string{s.identity}); at != watched_.end()) ++at->second.reconnects;
}

void cohort_plugin::tick(std::uint64_t, sdk::instant now) {
    std::vector<pair> over;
    std::erase_if(pairs_, [&](pair const& p) { return p.ends <= now && (over.push_back(p), true); });
    for (auto const& p : over) settle(p);
    std::vector<std::string> gone;
    for (auto& [id, s] : studies_) {
        auto const rows = ctx.sql("SELECT status, stage FROM campaigns WHERE campaign_id = ?", {id});
        if (rows.empty() || text(rows[0][0]) == "cancelled" || text(rows[0][0]) == "completed") gone.push_back(id);
        else if (text(rows[0][0]) == "active" && s.alarm.empty()) open_pairs(s, now);
    }
    for (auto const& id : gone)
        if (std::none_of(pairs_.begin(), pairs_.end(), [&](pair const& p) { return p.campaign_id == id; })) studies_.erase(id);
    ctx.metric_set("airmail_cohort_watched_devices", static_cast<double>(watched_.size()));
    if (!studies_.empty()) ctx.timer(1, now + look_every);
}

/// The other of a pair is drawn from those that wait, of the same model, and are there: phases come later for them by the salted hash alone.
void cohort_plugin::open_pairs(study& s, sdk::instant now) {
    if (pairs_.size() >= pairs_max) return;
    auto const fresh = ctx.sql("SELECT c.serial_no, d.model FROM campaign_devices c JOIN devices d ON d.tenant = 0 AND d.serial_no = c.serial_no WHERE c.campaign_id = ?1 AND c.stage IN ('probation','confirmed','inferred') "
                               "AND d.status <> 'offline' AND c.serial_no NOT IN (SELECT serial_no FROM cohort_devices WHERE campaign_id = ?1) LIMIT ?2",
                               {s.campaign_id, static_cast<std::int64_t>(std::min<std::size_t>(100, pairs_max - pairs_.size()))});
    std::map<std::string, std::vector<std::string>> by_model;
    for (auto const& v : fresh) by_model[std::string{text(v[1])}].emplace_back(text(v[0]));
    for (auto& [model, updated] : by_model) {
        // All that wait are looked at once for a model, not once for each of its devices.
        auto const drawn = ctx.sql("SELECT c.serial_no FROM campaign_devices c JOIN devices d ON d.tenant = 0 AND d.serial_no = c.serial_no WHERE c.campaign_id = ?1 AND c.stage = 'waiting' AND c.live = 1 AND c.attempt = 1 "
                                   "AND d.model = ?2 AND d.status = 'online' AND c.serial_no NOT IN (SELECT serial_no FROM cohort_devices WHERE campaign_id = ?1) ORDER BY random() LIMIT ?3",
                                   {s.campaign_id, model, static_cast<std::int64_t>(updated.size())});
        for (std::size_t i = 0; i < std::min(updated.size(), drawn.size()); ++i) pair_up(s, updated[i], std::string{text(drawn[i][0])}, now);
    }
}

void cohort_plugin::pair_up(study const& s, std::string const& updated, std::string const& other, sdk::instant now) {
    if (watched_.contains(updated) || watched_.contains(other)) return;      // in another campaign's pair
    ctx.sql("INSERT OR IGNORE INTO cohort_devices(campaign_id, serial_no) VALUES(?1, ?2), (?1, ?3)", {s.campaign_id, updated, other});
    record blank;
    for (auto const& [name, harm] : s.fields) blank.numbers[name];
    watched_[updated] = blank, watched_[other] = blank;
    pairs_.push_back({s.campaign_id, updated, other, now + s.window_ms});
}

/// A reconnect of the other device's own update would be held against it.
bool cohort_plugin::still_other(pair const& p) {
    auto const rows = ctx.sql("SELECT stage FROM campaign_devices WHERE campaign_id = ? AND serial_no = ?", {p.campaign_id, p.other});
    return !rows.empty() && text(rows[0][0]) == "waiting";
}

void cohort_plugin::settle(pair const& p) {
    auto const updated = watched_[p.updated], other = watched_[p.other];
    watched_.erase(p.updated), watched_.erase(p.other);
    auto const at = studies_.find(p.campaign_id);
    if (at == studies_.end()) return;
    if (!still_other(p)) return ctx.metric_add("airmail_cohort_discarded_total", 1);
    ctx.metric_add("airmail_cohort_pairs_total", 1);
    auto& s = at->second;
    judge(s, "reconnects", static_cast<double>(updated.reconnects), static_cast<double>(other.reconnects));
    judge(s, "errors", static_cast<double>(updated.errors), static_cast<double>(other.errors));
    for (auto const& [name, harm] : s.fields) {
        auto const a = updated.mean(name), b = other.mean(name);
        if (std::isnan(a) || std::isnan(b)) continue;                // one of them never said it
        harm == direction::higher ? judge(s, "field:" + name, a, b) : judge(s, "field:" + name, b, a);
    }
}

void cohort_plugin::judge(study& s, std::string const& measure, double updated, double other) {
    auto& n = s.counts[measure];
    ++(updated > other ? n.worse : updated < other ? n.better : n.same);
    ctx.sql("INSERT INTO cohort_measures(campaign_id, measure, worse, better, same) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(campaign_id, measure) DO UPDATE SET worse = ?3, better = ?4, same = ?5",
            {s.campaign_id, measure, n.worse, n.better, n.same});
    if (s.alarm.empty() && cohort::shown(n, s.share())) alarm(s, measure);
}

void cohort_plugin::alarm(study& s, std::string const& measure) {
    auto const& n = s.counts[measure];
    s.alarm = measure, s.alarm_at = ctx.wall();
    ctx.sql("UPDATE cohort_studies SET alarm = ?, alarm_at = ? WHERE campaign_id = ?", {measure, s.alarm_at, s.campaign_id});
    ctx.metric_add("airmail_cohort_alarms_total", 1);
    auto const line = "updated devices of campaign " + s.campaign_id + " are worse in " + measure + " than the others: in " + std::to_string(n.worse) + " pairs of " + std::to_string(n.total()) + ", better in " + std::to_string(n.better);
    auto const tell = [&](char const* method, std::string const& what) {
        try {
            ctx.call(method, what, [](int, std::string_view) {});
        } catch (sdk::error const& e) {
            ctx.log(sdk::level::error, std::string{method} + ": " + e.what());
        }
    };
    tell("alert.raise", kit::json_object{}.text("severity", "critical").text("kind", "cohort").text("campaign_id", s.campaign_id).text("text", line).str());
    if (s.gate) tell("campaign.pause", kit::json_object{}.text("id", s.campaign_id).text("reason", "cohort " + measure).str());
}

void cohort_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int& status) -> std::string {
        params p{c.params};
        return c.method == "cohort.set" ? set(p, status) : show(p.required("id"));
    });
}

std::string cohort_plugin::set(params const& p, int& status) {
    auto const id = p.required("id");
    auto const known = ctx.sql("SELECT status FROM campaigns WHERE campaign_id = ?", {id});
    if (known.empty()) throw refusal{404, "campaign.not_found", "no campaign " + id};
    if (auto s = text(known[0][0]); s != "pending" && s != "active") throw refusal{409, "cohort.over", "campaign " + id + " is " + std::string{s}};
    if (studies_.contains(id)) throw refusal{409, "cohort.exists", "campaign " + id + " is compared already: a test that is begun again says less than it claims"};
    auto const window = kit::parse_duration(p.text("window").empty() ? "10m" : p.text("window"));
    if (!window || *window < 1000 || *window > 86'400'000) throw refusal{400, "cohort.bad_window", "window is from 1s to 1d"};
    double alpha = 0.05;
    if (auto const given = p.text("alpha"); !given.empty()) {
        auto const [end, ec] = std::from_chars(given.data(), given.data() + given.size(), alpha);
        if (ec != std::errc{} || end != given.data() + given.size() || !(alpha >= 0.0001 && alpha <= 0.5)) throw refusal{400, "cohort.bad_alpha", "alpha is a text from 0.0001 to 0.5"};
    }
    kit::json_object fields;
    if (auto const* v = p.find("fields"); v && !v->is_null()) {
        auto const* o = v->if_object();
        if (!o || o->size() > fields_max) throw refusal{400, "cohort.bad_fields", "fields is an object of at most 8: {\"battery\":\"lower\"} (which is the harm: higher or lower)"};
        for (auto const& m : *o) {
            auto const* way = m.value().if_string();
            if (!way || (*way != "higher" && *way != "lower") || m.key().size() > 64) throw refusal{400, "cohort.bad_fields", "fields say which is the harm: higher or lower"};
            fields.text(std::string_view{m.key().data(), m.key().size()}, std::string_view{way->data(), way->size()});
        }
    }
    auto const gate = p.flag("gate").value_or(false);
    ctx.sql("INSERT INTO cohort_studies(campaign_id, window_ms, alpha, gate, fields) VALUES(?, ?, ?, ?, ?)", {id, *window, alpha, std::int64_t{gate}, fields.str()});
    auto s = read(id, fields.str());
    s.window_ms = *window, s.alpha = alpha, s.gate = gate;
    studies_[id] = std::move(s);
    ctx.timer(1, ctx.now() + look_every);
    status = 201;
    return show(id);
}

std::string cohort_plugin::show(std::string const& id) {
    auto const rows = ctx.sql("SELECT window_ms, alpha, gate, fields, alarm, alarm_at FROM cohort_studies WHERE campaign_id = ?", {id});
    if (rows.empty()) throw refusal{404, "cohort.not_found", "campaign " + id + " is not compared"};
    auto const& v = rows[0];
    auto s = read(id, text(v[3]));
    auto const* alpha = std::get_if<double>(&v[1]);
    s.alpha = alpha ? *alpha : 0.05;
    kit::json_array measures;
    for (auto const& [name, n] : s.counts)
        measures.add(kit::json_object{}.text("measure", name).number("pairs", n.total()).number("worse", n.worse).number("better", n.better).number("same", n.same)
                         .real("evidence", std::min(cohort::evidence(n), 1e12)).real("needed", 1 / s.share()).flag("shown", cohort::shown(n, s.share())).str());
    kit::json_object o;
    o.text("campaign_id", id).number("window_s", integer(v[0]) / 1000).real("alpha", s.alpha).flag("gate", integer(v[2]) != 0).raw("fields", text(v[3]));
    o.text("alarm", text(v[4]));
    integer(v[5]) ? o.number("alarm_at", integer(v[5]) / 1000) : o.null("alarm_at");
    return o.raw("measures", measures.str()).str();
}

}
