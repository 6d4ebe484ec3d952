#include "plugins/cohort/plugin.hpp"

#include "plugins/campaign/phases.hpp"
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
// The event up to which the campaign has been looked at, so that a restart goes on there.
constexpr char studies_2[] = R"(ALTER TABLE cohort_studies ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;)";
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

constexpr std::size_t pairs_max = 1000, fields_max = 8, fresh_max = 1000;
constexpr std::int64_t look_every = 1000;      // ms
// A look takes so many candidates in hand. One that is offline, or for whom no other is left, is looked at for ten minutes at least.
constexpr std::size_t in_hand_max = 200, pairs_a_look = 100;
constexpr int looks_max = 600;

// Each event is read once: the index on (campaign_id, seq) begins where the last look ended.
constexpr std::string_view fresh_sql = "SELECT seq, serial_no FROM campaign_events WHERE campaign_id = ?1 AND seq > ?2 AND stage IN ('probation','confirmed','inferred') ORDER BY seq LIMIT ?3";
constexpr std::string_view candidate_sql = "SELECT d.model, d.status <> 'offline', c.stage IN ('probation','confirmed','inferred'), EXISTS(SELECT 1 FROM cohort_devices w WHERE w.campaign_id = ?1 AND w.serial_no = ?2) "
                                           "FROM campaign_devices c JOIN devices d ON d.tenant = 0 AND d.serial_no = c.serial_no WHERE c.campaign_id = ?1 AND c.serial_no = ?2";
// By bucket, which is the salted hash: from a place that was drawn, until there are enough.
constexpr std::string_view partner_sql = "SELECT c.serial_no FROM campaign_devices c JOIN devices d ON d.tenant = 0 AND d.serial_no = c.serial_no WHERE c.campaign_id = ?1 AND c.rank = 0 AND c.live = 1 AND c.bucket BETWEEN ?4 AND ?5 "
                                         "AND c.attempt = 1 AND d.model = ?2 AND d.status = 'online' AND NOT EXISTS(SELECT 1 FROM cohort_devices w WHERE w.campaign_id = ?1 AND w.serial_no = c.serial_no) ORDER BY c.bucket LIMIT ?3";

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
    d.tables = {{"cohort_studies", "campaign_id", false, {studies_1, studies_2}}, {"cohort_measures", "campaign_id,measure", false, {measures_1}}, {"cohort_devices", "campaign_id,serial_no", false, {devices_1}}};
    d.methods = {{"cohort.set", "operator", "POST", "/api/v1/campaigns/{id}/cohort", "Compares updated devices with the others: window, alpha, gate, fields.", true},
                 {"cohort.get", "viewer", "GET", "/api/v1/campaigns/{id}/cohort", "What the comparison has shown so far.", false}};
    d.metrics = {{"airmail_cohort_pairs_total", "pairs of an updated and another device that were watched to their end"}, {"airmail_cohort_discarded_total", "pairs whose other device was updated meanwhile"},
                 {"airmail_cohort_passed_over_total", "updated devices that were let go without a pair: offline, or no other left to compare with"},
                 {"airmail_cohort_alarms_total", "differences shown"}, {"airmail_cohort_watched_devices", "devices in pairs under way", "gauge"}};
    return d;
}

void cohort_plugin::start() {
    load();
    if (!studies_.empty()) ctx.timer(1, ctx.now() + look_every);
}

void cohort_plugin::load() {
    for (auto const& v : ctx.sql("SELECT campaign_id FROM cohort_studies s WHERE EXISTS(SELECT 1 FROM campaigns c WHERE c.campaign_id = s.campaign_id AND c.status IN ('pending','active'))"))
        if (auto s = cohort::load_study(ctx, text(v[0]))) studies_.emplace(text(v[0]), study{std::move(*s), {}});
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
        auto const rows = ctx.sql("SELECT status, seq FROM campaigns WHERE campaign_id = ?", {id});
        if (rows.empty() || text(rows[0][0]) == "cancelled" || text(rows[0][0]) == "completed") gone.push_back(id);
        else if (text(rows[0][0]) == "active" && s.alarm.empty()) look(s, integer(rows[0][1]), now);
    }
    for (auto const& id : gone)
        if (std::none_of(pairs_.begin(), pairs_.end(), [&](pair const& p) { return p.campaign_id == id; })) studies_.erase(id);
    ctx.metric_set("airmail_cohort_watched_devices", static_cast<double>(watched_.size()));
    if (!studies_.empty()) ctx.timer(1, now + look_every);
}

void cohort_plugin::look(study& s, std::int64_t newest, sdk::instant now) {
    gather(s, newest);
    open_pairs(s, now);
    // Whoever still waits is found again from here after a restart.
    auto from = s.seen;
    for (auto const& c : s.fresh) from = std::min(from, c.seq - 1);
    ctx.sql("UPDATE cohort_studies SET seen = ?2 WHERE campaign_id = ?1 AND seen <> ?2", {s.campaign_id, from});
}

/// Who has come to run the new version since the last look. When enough wait already, the rest stays in the log.
void cohort_plugin::gather(study& s, std::int64_t newest) {
    if (s.seen >= newest || s.fresh.size() >= fresh_max) return;
    auto const room = fresh_max - s.fresh.size();
    auto const rows = ctx.sql(fresh_sql, {s.campaign_id, s.seen, static_cast<std::int64_t>(room)});
    for (auto const& v : rows) s.fresh.push_back({integer(v[0]), std::string{text(v[1])}});
    s.seen = rows.size() == room ? s.fresh.back().seq : newest;
}

void cohort_plugin::open_pairs(study& s, sdk::instant now) {
    auto const room = std::min(pairs_a_look, pairs_max - std::min(pairs_max, pairs_.size()));
    std::map<std::string, std::vector<candidate>> by_model;
    std::size_t taken = 0;
    auto later = [&](candidate c) {
        if (++c.looks < looks_max) s.fresh.push_back(std::move(c));
        else ctx.metric_add("airmail_cohort_passed_over_total", 1);
    };
    for (auto n = std::min(s.fresh.size(), in_hand_max); n > 0 && taken < room; --n) {
        auto c = std::move(s.fresh.front());
        s.fresh.pop_front();
        auto const rows = ctx.sql(candidate_sql, {s.campaign_id, c.serial_no});
        if (rows.empty() || integer(rows[0][2]) == 0 || integer(rows[0][3]) != 0) continue;      // gone, gone back, or it has taken part
        if (integer(rows[0][1]) == 0 || watched_.contains(c.serial_no)) later(std::move(c));      // offline, or in another campaign's pair
        else by_model[std::string{text(rows[0][0])}].push_back(std::move(c)), ++taken;
    }
    for (auto& [model, updated] : by_model) {
        auto const others = partners(s, model, updated.size());
        for (std::size_t i = 0; i < updated.size(); ++i)
            if (i >= others.size() || !pair_up(s, updated[i].serial_no, others[i], now)) later(std::move(updated[i]));
    }
}

/// The others of pairs are drawn from those that wait, of the same model, and are there: phases come later for them by the salted hash alone.
std::vector<std::string> cohort_plugin::partners(study const& s, std::string const& model, std::size_t most) {
    auto const place = ctx.sql("SELECT min(bucket), abs(random() % ?2) FROM campaign_devices WHERE campaign_id = ?1 AND rank = 0 AND live = 1", {s.campaign_id, campaign::buckets}).at(0);
    std::vector<std::string> out;
    if (kit::is_null(place[0])) return out;                              // nobody waits
    auto const first = integer(place[0]), begin = first + integer(place[1]) % (campaign::buckets - first);
    auto take = [&](std::int64_t from, std::int64_t to) {
        for (auto const& v : ctx.sql(partner_sql, {s.campaign_id, model, static_cast<std::int64_t>(most - out.size()), from, to})) out.emplace_back(text(v[0]));
    };
    take(begin, campaign::buckets);
    if (out.size() < most) take(first, begin - 1);
    return out;
}

bool cohort_plugin::pair_up(study const& s, std::string const& updated, std::string const& other, sdk::instant now) {
    if (watched_.contains(updated) || watched_.contains(other)) return false;      // in another campaign's pair
    ctx.sql("INSERT OR IGNORE INTO cohort_devices(campaign_id, serial_no) VALUES(?1, ?2), (?1, ?3)", {s.campaign_id, updated, other});
    record blank;
    for (auto const& [name, harm] : s.fields) blank.numbers[name];
    watched_[updated] = blank, watched_[other] = blank;
    pairs_.push_back({s.campaign_id, updated, other, now + s.window_ms});
    return true;
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
        harm == cohort::direction::higher ? judge(s, "field:" + name, a, b) : judge(s, "field:" + name, b, a);
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
    studies_.emplace(id, study{cohort::load_study(ctx, id).value(), {}});
    ctx.timer(1, ctx.now() + look_every);
    status = 201;
    return show(id);
}

std::string cohort_plugin::show(std::string const& id) {
    auto const s = cohort::load_study(ctx, id);
    if (!s) throw refusal{404, "cohort.not_found", "campaign " + id + " is not compared"};
    return cohort::study_json(*s);
}

}
