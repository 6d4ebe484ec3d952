// The lists of campaigns, and of what is in them, against a plain look at every row.

#include "console.hpp"

using namespace known;

namespace {

/// A campaign's rows in the order of their serial numbers.
std::map<string, update const*> const& rows_of(store const& s, string const& campaign) {
    static std::map<string, std::map<string, update const*>> const all = [&] {
        std::map<string, std::map<string, update const*>> out;
        for (auto const& u : s.updates) out[u.campaign][u.serial] = &u;
        return out;
    }();
    static std::map<string, update const*> const none;
    auto const at = all.find(campaign);
    return at == all.end() ? none : at->second;
}

}

TEST_CASE("campaigns, newest first, by status, and page by page") {
    auto& c = console::get();
    for (auto const* status : {"", "pending", "active", "completed", "cancelled"}) {
        json::array all;
        for (auto at = c.s.campaigns.rbegin(); at != c.s.campaigns.rend(); ++at)
            if (!*status || at->status == status) all.emplace_back(at->id);
        json::object v;
        if (*status) v["status"] = upper(status);
        json::array want = all, got;
        if (want.size() > 200) want.resize(200);
        auto const listed = c.ask("query($status: CampaignStatus) { campaigns(status: $status) { campaign_id } }", v);
        for (auto const& x : listed.at("campaigns").as_array()) got.push_back(x.at("campaign_id"));
        SAME(want, got, "campaigns " << status);
        got.clear();
        v["first"] = 7;
        for (bool more = true; more && got.size() <= all.size();) {
            auto const page = c.ask("query($first: Int, $after: String, $status: CampaignStatus) { campaignsConnection(first: $first, after: $after, status: $status) { nodes { campaign_id } pageInfo { hasNextPage endCursor } } }", v)
                                  .at("campaignsConnection");
            for (auto const& x : page.at("nodes").as_array()) got.push_back(x.at("campaign_id"));
            more = page.at("pageInfo").at("hasNextPage").as_bool(), v["after"] = page.at("pageInfo").at("endCursor");
        }
        SAME(all, got, "campaignsConnection " << status);
    }
}

TEST_CASE("a campaign's devices by status, stage and reason, from any cursor") {
    auto& c = console::get();
    for (int i = 0; i < 200; ++i) {
        auto const& id = c.s.campaigns[static_cast<std::size_t>(c.s.below(6))].id;
        json::object v{{"id", id}};
        string status, stage, reason, after;
        std::size_t first = 50;
        if (c.s.one_in(2)) status = c.s.of<string>({"pending", "downloading", "installing", "completed", "failed", "rollback"}), v["status"] = upper(status);
        if (c.s.one_in(3)) v["stage"] = stage = c.s.of<string>({"waiting", "probation", "confirmed", "failed", "none"});
        if (c.s.one_in(3)) v["reason"] = reason = c.s.of<string>({"no_space", "cancelled", "boot_loop"});
        if (c.s.one_in(2)) v["after"] = after = c.s.of(c.s.devices).serial;
        if (c.s.one_in(2)) first = static_cast<std::size_t>(c.s.below(200)), v["first"] = first;
        json::array want;
        bool more = false;
        for (auto const& [serial, u] : rows_of(c.s, id)) {              // in the order of the list
            if (serial <= after || !(status.empty() || u->status == status) || !(stage.empty() || u->stage == stage) || !(reason.empty() || u->reason == reason)) continue;
            if (want.size() == first) more = true;
            else if (!more)
                want.push_back(json::object{{"serial_no", u->serial}, {"campaign_id", u->campaign}, {"status", upper(u->status)}, {"stage", u->stage}, {"reason", u->reason}, {"error_message", or_null(u->error)},
                                            {"from_version", u->from}, {"completed_at", u->completed ? json::value(moment(*u->completed)) : json::value(nullptr)}});
        }
        auto const got = c.ask("query($id: ID!, $first: Int, $after: String, $status: UpdateStatus, $stage: String, $reason: String) { campaign(id: $id) { devices(first: $first, after: $after, status: $status, stage: $stage, "
                               "reason: $reason) { nodes { serial_no campaign_id status stage reason error_message from_version completed_at } pageInfo { hasNextPage } } } }", v).at("campaign").at("devices");
        SAME(want, got.at("nodes").as_array(), json::serialize(v));
        CHECK_MESSAGE(got.at("pageInfo").at("hasNextPage").as_bool() == more, json::serialize(v));
    }
}

TEST_CASE("the counters of a campaign's phases, what failed in it, and how its cohorts fare") {
    auto& c = console::get();
    std::set<string> const nobodys{"cancelled", "superseded", "not_applicable", "device_removed"};
    for (int n = 0; n < 6; ++n) {
        auto const& id = c.s.campaigns[static_cast<std::size_t>(n)].id;
        auto const first = c.s.of<int64_t>({1, 3, 10, 50});
        auto const got = c.ask("query($id: ID!, $first: Int) { campaign(id: $id) { phases { counters { total pending downloading installing completed failed rollback finished in_flight not_counting } } "
                               "failures(first: $first) { reason count example_serial_no error_message } cohorts(first: $first) { from_version total completed failed rollback } } }", {{"id", id}, {"first", first}}).at("campaign");
        json::array phases;
        int64_t from = 0;
        for (int64_t upto : {100, 1000, 5050, 10'000}) {
            std::map<string, int64_t> sum;
            for (auto const& [serial, u] : rows_of(c.s, id))
                if (u->bucket >= from && u->bucket < upto) ++sum["total"], ++sum[u->status], sum["finished"] += !u->live, sum["in_flight"] += u->rank >= 2 && u->rank <= 50, sum["not_counting"] += u->status == "failed" && nobodys.contains(u->reason);
            json::object counters;
            for (auto const* name : {"total", "pending", "downloading", "installing", "completed", "failed", "rollback", "finished", "in_flight", "not_counting"}) counters[name] = sum[name];
            phases.push_back(json::object{{"counters", counters}});
            from = upto;
        }
        SAME(phases, got.at("phases").as_array(), id);

        struct group { string name; int64_t count = 0; string example; maybe_text error; };
        std::map<string, group> reasons;
        struct fare { int64_t total = 0, completed = 0, failed = 0, rollback = 0; };
        std::map<string, fare> fares;
        for (auto const& [serial, u] : rows_of(c.s, id)) {
            auto& f = fares[u->from];
            ++f.total, f.completed += u->status == "completed", f.failed += u->status == "failed" && !nobodys.contains(u->reason), f.rollback += u->status == "rollback";
            if (u->status != "failed" && u->status != "rollback") continue;
            auto const name = u->reason.empty() ? u->status : u->reason;
            auto& g = reasons[name];
            if (g.name.empty()) g.name = name, g.example = serial;     // the first in the order of serial numbers
            ++g.count;
            if (u->error && (!g.error || *u->error > *g.error)) g.error = u->error;
        }
        // Most first; those of one size by name.
        std::vector<group> ranked;
        for (auto const& [name, g] : reasons) ranked.push_back(g);
        std::stable_sort(ranked.begin(), ranked.end(), [](group const& a, group const& b) { return a.count > b.count; });
        json::array want;
        for (auto const& g : ranked)
            if (want.size() < static_cast<std::size_t>(first)) want.push_back(json::object{{"reason", g.name}, {"count", g.count}, {"example_serial_no", g.example}, {"error_message", or_null(g.error)}});
        SAME(want, got.at("failures").as_array(), id);
        std::vector<std::pair<string, fare>> cohorts(fares.begin(), fares.end());
        std::stable_sort(cohorts.begin(), cohorts.end(), [](auto const& a, auto const& b) { return a.second.total > b.second.total; });
        want.clear();
        for (auto const& [version, f] : cohorts)
            if (want.size() < static_cast<std::size_t>(first)) want.push_back(json::object{{"from_version", version}, {"total", f.total}, {"completed", f.completed}, {"failed", f.failed}, {"rollback", f.rollback}});
        SAME(want, got.at("cohorts").as_array(), id);
    }
}

TEST_CASE("a campaign's events in the order of seq, from any of them") {
    auto& c = console::get();
    for (int i = 0; i < 60; ++i) {
        auto const& id = c.s.campaigns[static_cast<std::size_t>(c.s.below(6))].id;
        auto const first = c.s.below(201), after = c.s.of<int64_t>({0, 1, 250, 499, 500, 900});
        json::array want;
        for (auto const& e : c.s.events)
            if (e.campaign == id && e.seq > after && want.size() < static_cast<std::size_t>(first))
                want.push_back(json::object{{"seq", e.seq}, {"at", moment(e.at)}, {"event", e.serial ? "device" : "campaign"}, {"serial_no", or_null(e.serial)}, {"stage", e.stage}, {"reason", e.reason}});
        auto const got = c.ask("query($id: ID!, $first: Int, $after: Long) { campaign(id: $id) { events(first: $first, after: $after) { seq at event serial_no stage reason } } }", {{"id", id}, {"first", first}, {"after", after}});
        SAME(want, got.at("campaign").at("events").as_array(), id << " " << first << " " << after);
    }
}

TEST_CASE("the comparison of a campaign's devices is typed, and null where there is none") {
    auto& c = console::get();
    auto const& id = c.s.campaigns[0].id;
    auto ask = [&](string const& of) {
        return c.ask("query($id: ID!) { campaign(id: $id) { comparison { window_s alpha gate alarm alarm_at measures { measure harm pairs worse better same evidence needed shown } } } }", {{"id", of}}).at("campaign").at("comparison");
    };
    CHECK(ask(c.s.campaigns[1].id) == json::value(nullptr));
    auto const got = ask(id);
    CHECK(got.at("window_s") == 600);
    CHECK(got.at("alpha").as_double() == 0.05);
    CHECK(got.at("gate") == true);
    CHECK(got.at("alarm") == "field:battery");
    CHECK(got.at("alarm_at") == json::value(moment(wall)));
    json::array names;
    for (auto const& m : got.at("measures").as_array()) {
        names.push_back(m.at("measure"));
        bool const battery = m.at("measure") == "field:battery";
        CHECK(m.at("harm") == (battery ? "LOWER" : "HIGHER"));
        CHECK(m.at("pairs") == (battery ? 42 : 0));
        CHECK(m.at("worse") == (battery ? 30 : 0));
        CHECK(m.at("shown") == battery);
        CHECK(m.at("needed").as_double() == doctest::Approx(60));
        CHECK((m.at("evidence").to_number<double>() > 60) == battery);
    }
    CHECK(names == json::array{"errors", "field:battery", "reconnects"});
}
