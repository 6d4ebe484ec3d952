// What hangs on one device, and the lists of alerts, audit and images, against a plain look at every row.

#include "console.hpp"

using namespace known;

namespace {

json::array nodes(json::value const& connection) { return connection.at("nodes").as_array(); }

/// One line of a device's timeline with its place: the newest first; at one moment updates, settings, alerts; of those the last made first.
struct line {
    int64_t at = 0;
    int kind = 0;
    int64_t id = 0;
    json::value shown;
};

std::vector<line> timeline_of(store const& s, string const& serial) {
    std::vector<line> out;
    auto add = [&](int64_t at, int kind, int64_t id, char const* name, string const& text, maybe_text const& detail) {
        out.push_back({at, kind, id, json::object{{"at", moment(at)}, {"kind", name}, {"text", text}, {"detail", or_null(detail)}}});
    };
    for (auto const& e : s.events)
        if (e.serial == serial) add(e.at, 0, e.id, "UPDATE", "Update " + e.status + (e.stage == e.status ? "" : " (" + e.stage + ")") + (e.reason.empty() ? "" : ": " + e.reason), e.detail);
    for (auto const& h : s.changes)
        if (h.serial == serial) add(h.at, 1, h.id, "SETTING", (h.source == "desired" ? "Asked to set " : "Set ") + h.key + " to " + h.fresh, h.old);
    for (auto const& a : s.alerts)
        if (a.serial == serial) add(a.at, 2, a.id, "ALERT", a.text, std::nullopt);
    std::sort(out.begin(), out.end(), [](line const& a, line const& b) { return std::tuple(-a.at, a.kind, -a.id) < std::tuple(-b.at, b.kind, -b.id); });
    return out;
}

}

TEST_CASE("a device's timeline, page by page, shows every event once, also when many happened in one millisecond") {
    auto& c = console::get();
    for (string const& serial : {string(store::busy), c.s.events.at(3).serial.value_or(store::busy), c.s.changes.at(5).serial})
        for (int64_t first : {1, 7, 50, 200}) {
            json::array want, got;
            auto const all = timeline_of(c.s, serial);
            if (first == 1 && all.size() > 250) continue;
            for (auto const& l : all) want.push_back(l.shown);
            json::object v{{"id", serial}, {"first", first}};
            for (bool more = true; more && got.size() <= want.size();) {
                auto const page = c.ask("query($id: ID!, $first: Int, $after: String) { device(id: $id) { timeline(first: $first, after: $after) { nodes { at kind text detail } pageInfo { hasNextPage endCursor } } } }", v).at("device").at("timeline");
                for (auto const& n : nodes(page)) got.push_back(n);
                more = page.at("pageInfo").at("hasNextPage").as_bool(), v["after"] = page.at("pageInfo").at("endCursor");
            }
            SAME(want, got, serial << " by " << first);
        }
}

TEST_CASE("a device's updates, what ran on it, its settings' history and its alerts") {
    auto& c = console::get();
    for (int i = 0; i < 60; ++i) {
        auto const& d = i % 4 == 0 ? *c.s.find(store::busy) : c.s.of(c.s.devices);
        auto const first = c.s.of<int64_t>({0, 1, 2, 20, 200});
        auto const got = c.ask("query($id: ID!, $first: Int) { device(id: $id) { updates(first: $first) { campaign_id stage } firmware_history(first: $first) { version campaign_id outcome at } "
                               "configuration_history(first: $first) { key old_value new_value source at } open: alerts(open: true, first: $first) { text } all: alerts(first: $first) { text } current_update { campaign_id } tags } }",
                               {{"id", i % 2 ? d.serial : d.id}, {"first", first}}).at("device");
        json::array updates, history, changes, open, all;
        json::value current = nullptr;
        auto const room = [&](json::array const& a) { return a.size() < static_cast<std::size_t>(first); };
        std::vector<update const*> ended;
        for (auto u = c.s.updates.rbegin(); u != c.s.updates.rend(); ++u) {
            if (u->serial != d.serial) continue;
            if (room(updates)) updates.push_back(json::object{{"campaign_id", u->campaign}, {"stage", u->stage}});
            if (u->rank >= 2 && u->rank <= 50) current = json::object{{"campaign_id", u->campaign}};
            if (u->status == "completed" || u->status == "rollback") ended.push_back(&*u);
        }
        std::stable_sort(ended.begin(), ended.end(), [](update const* a, update const* b) { return a->completed.value_or(a->updated) > b->completed.value_or(b->updated); });
        for (auto const* u : ended)
            if (room(history))
                history.push_back(json::object{{"version", u->status == "completed" ? u->to : u->from}, {"campaign_id", u->campaign}, {"outcome", u->status}, {"at", moment(u->completed.value_or(u->updated))}});
        for (auto h = c.s.changes.rbegin(); h != c.s.changes.rend(); ++h)
            if (h->serial == d.serial && room(changes)) changes.push_back(json::object{{"key", h->key}, {"old_value", or_null(h->old)}, {"new_value", h->fresh}, {"source", h->source}, {"at", moment(h->at)}});
        for (auto a = c.s.alerts.rbegin(); a != c.s.alerts.rend(); ++a) {
            if (a->serial != d.serial) continue;
            if (a->open && room(open)) open.push_back(json::object{{"text", a->text}});
            if (room(all)) all.push_back(json::object{{"text", a->text}});
        }
        SAME(updates, got.at("updates").as_array(), d.serial);
        SAME(history, got.at("firmware_history").as_array(), d.serial);
        SAME(changes, got.at("configuration_history").as_array(), d.serial);
        SAME(open, got.at("open").as_array(), d.serial);
        SAME(all, got.at("all").as_array(), d.serial);
        CHECK(got.at("current_update") == current);
    }
}

TEST_CASE("alerts and the audit log, newest first, filtered, page by page") {
    auto& c = console::get();
    for (int i = 0; i < 40; ++i) {
        bool const open = c.s.one_in(2);
        auto const first = c.s.below(201);
        json::array want;
        for (auto a = c.s.alerts.rbegin(); a != c.s.alerts.rend(); ++a)
            if ((a->open || !open) && want.size() < static_cast<std::size_t>(first)) want.push_back(json::object{{"alert_id", std::to_string(a->id)}, {"severity", upper(a->severity)}, {"text", a->text}});
        SAME(want, c.ask("query($open: Boolean, $first: Int) { alerts(open: $open, first: $first) { alert_id severity text } }", {{"open", open}, {"first", first}}).at("alerts").as_array(), open << " " << first);
    }
    for (int i = 0; i < 20; ++i) {
        json::object v{{"first", c.s.of<int64_t>({13, 100, 200})}};
        string actor, action, target;
        if (c.s.one_in(2)) v["actor"] = actor = c.s.of<string>({"ada", "bob", "nobody"});
        if (c.s.one_in(2)) v["action"] = action = c.s.of<string>({"device.tag", "key.create"});
        if (c.s.one_in(2)) v["target"] = target = "c-37";
        json::array want, got;
        for (auto e = c.s.audit.rbegin(); e != c.s.audit.rend(); ++e)
            if ((actor.empty() || e->actor == actor) && (action.empty() || e->action == action) && (target.empty() || e->target == target)) want.push_back(json::object{{"seq", e->seq}, {"actor", e->actor}, {"action", e->action}, {"target", e->target}});
        for (bool more = true; more && got.size() <= want.size();) {
            auto const page = c.ask("query($first: Int, $after: Long, $actor: String, $action: String, $target: String) { audit(first: $first, after: $after, actor: $actor, action: $action, target: $target) "
                                    "{ nodes { seq actor action target } pageInfo { hasNextPage endCursor } } }", v).at("audit");
            for (auto const& n : nodes(page)) got.push_back(n);
            more = page.at("pageInfo").at("hasNextPage").as_bool();
            if (more) v["after"] = std::stoll(string(page.at("pageInfo").at("endCursor").as_string()));
        }
        v.erase("after");
        SAME(want, got, json::serialize(v));
    }
}

TEST_CASE("images by model and version, also of several models, and where they run") {
    auto& c = console::get();
    for (int i = 0; i < 60; ++i) {
        json::object v{{"first", c.s.below(100)}};
        string model, version;
        if (c.s.one_in(2)) v["model"] = model = c.s.of<string>({"TX-100", "TX-200", "tx-100", "none"});
        if (c.s.one_in(2)) v["version"] = version = c.s.of<string>({"v1.1.0", "v2.0.0", "v9"});
        std::vector<image const*> all;
        for (auto const& m : c.s.images)
            if ((model.empty() || std::find(m.models.begin(), m.models.end(), model) != m.models.end()) && (version.empty() || m.version == version)) all.push_back(&m);
        std::sort(all.begin(), all.end(), [](image const* a, image const* b) { return std::tuple(a->at, a->id) > std::tuple(b->at, b->id); });
        json::array want;
        for (auto const* m : all) {
            if (want.size() >= static_cast<std::size_t>(v["first"].as_int64())) break;
            int64_t running = 0;
            for (auto const& d : c.s.devices) running += std::find(m->models.begin(), m->models.end(), d.model) != m->models.end() && d.version == m->version;
            json::array campaigns;
            for (auto at = c.s.campaigns.rbegin(); at != c.s.campaigns.rend(); ++at)
                if (at->firmware == m->id && campaigns.size() < 3) campaigns.push_back(json::object{{"campaign_id", at->id}});
            want.push_back(json::object{{"firmware_id", m->id}, {"running_on", running}, {"campaigns", campaigns}});
        }
        auto const got = c.ask("query($model: String, $version: String, $first: Int) { firmwares(model: $model, version: $version, first: $first) { firmware_id running_on campaigns(first: 3) { campaign_id } } }", v);
        SAME(want, got.at("firmwares").as_array(), json::serialize(v));
    }
}

TEST_CASE("the fleet's figures are those of its rows") {
    auto& c = console::get();
    std::map<string, int64_t> n;
    std::map<std::pair<string, string>, int64_t> run;
    for (auto const& d : c.s.devices) ++n[d.status], ++n[d.registration], n["never_seen"] += !d.ever_seen, ++run[{d.model, d.version}];
    int64_t good = 0, bad = 0, active = 0, open = 0, critical = 0;
    for (auto const& u : c.s.updates)
        if (u.completed && *u.completed > wall - 86'400'000) good += u.status == "completed", bad += u.status == "failed" || u.status == "rollback";
    for (auto const& x : c.s.campaigns) active += x.status == "active";
    for (auto const& a : c.s.alerts) open += a.open, critical += a.open && a.severity == "critical";
    auto const got = c.ask("{ fleet { total online offline updating quarantined blocked never_seen updates_succeeded_24h updates_failed_24h active_campaigns open_alerts critical_alerts versions { model version count } } }").at("fleet");
    json::object want{{"total", c.s.devices.size()}, {"online", n["online"]}, {"offline", n["offline"]}, {"updating", n["updating"]}, {"quarantined", n["quarantined"]}, {"blocked", n["blocked"]}, {"never_seen", n["never_seen"]},
                      {"updates_succeeded_24h", good}, {"updates_failed_24h", bad}, {"active_campaigns", active}, {"open_alerts", open}, {"critical_alerts", critical}};
    for (auto const& m : want) CHECK_MESSAGE(got.at(m.key()) == m.value(), std::string(m.key()) << ": " << json::serialize(got.at(m.key())) << ", not " << json::serialize(m.value()));
    std::vector<std::pair<std::pair<string, string>, int64_t>> ranked(run.begin(), run.end());
    std::stable_sort(ranked.begin(), ranked.end(), [](auto const& a, auto const& b) { return a.second > b.second; });
    json::array versions;
    for (auto const& [what, count] : ranked)
        if (versions.size() < 100) versions.push_back(json::object{{"model", what.first}, {"version", what.second}, {"count", count}});
    SAME(versions, got.at("versions").as_array(), "versions");
}
