// The lists of devices against a plain look at every row. What makes them fast (indexes that are chosen by hand, counts by other means,
// jumps by key) may change nothing that they say: rows, order, counts, and where the next page begins.

#include "console.hpp"
#include "known_filter.hpp"

using namespace known;

namespace {

json::value shown(device const& d) {
    json::array tags;
    for (auto const& t : d.tags) tags.emplace_back(t);
    return json::object{{"serial_no", d.serial}, {"device_id", d.id}, {"model", d.model}, {"current_firmware", d.version}, {"status", upper(d.status)}, {"registration", upper(d.registration)},
                        {"last_seen", moment(d.last_seen)}, {"ever_seen", d.ever_seen}, {"tags", tags}, {"boot_slot", d.slot}, {"keys_version", or_null(d.keys)}, {"security_counter", or_null(d.counter)}};
}
constexpr char const* device_fields = "{ serial_no device_id model current_firmware status registration last_seen ever_seen tags boot_slot keys_version security_counter }";

/// What a device list is asked for, and what that means.
struct question {
    json::object variables;
    std::vector<std::function<bool(device const&)>> all;
    template <class F> void only(char const* name, string const& v, F f) { variables[name] = v, all.push_back(f); }
    std::vector<device const*> answer(store const& s) const {
        std::vector<device const*> out;
        for (auto const& d : s.devices)
            if (std::all_of(all.begin(), all.end(), [&](auto const& f) { return f(d); })) out.push_back(&d);
        return out;
    }
};

question some_question(store& s) {
    question q;
    if (s.one_in(3)) {
        auto const v = s.of<string>({"TX-100", "TX-200", "tx-100", "M'quote", "*", "solo-4444", "solo-5299", "none", "Größe 7"});
        q.only("model", v, [v](device const& d) { return d.model == v; });
    }
    if (s.one_in(3)) {
        auto const v = s.of<string>({"online", "offline", "updating"});
        q.only("status", upper(v), [v](device const& d) { return d.status == v; });
    }
    if (s.one_in(4)) {
        auto const v = s.of<string>({"accepted", "quarantined", "blocked", "imported"});
        q.only("registration", upper(v), [v](device const& d) { return d.registration == v; });
    }
    if (s.one_in(3)) {
        auto const v = s.of<string>({"v1.0.2", "v0.9.9", "nightly", "1.1.0", "none"});
        q.only("version", v, [v](device const& d) { return d.version == v; });
    }
    if (s.one_in(3)) {
        auto const v = s.of<string>({"lab", "roof", "Berlin", "x y", "rare", "none"});
        q.only("tag", v, [v](device const& d) { return d.tags.contains(v); });
    }
    if (s.one_in(4)) {
        auto const v = s.of<string>({"SN-", "sn-0", "A.", "z_1", "SN-00007", "x", "SN-0300"});
        q.only("search", v, [v](device const& d) { return begins(d.serial, v); });
    }
    if (s.one_in(2)) {
        auto const f = some_filter(s);
        q.only("filter", f.text, f.holds);
    }
    return q;
}

constexpr char const* head = "query($first: Int, $after: String, $skip: Int, $filter: String, $search: String, $model: String, $status: DeviceStatus, $registration: Registration, $version: String, $tag: String) "
                             "{ devicesConnection(first: $first, after: $after, skip: $skip, filter: $filter, search: $search, model: $model, status: $status, registration: $registration, version: $version, tag: $tag) ";

}

TEST_CASE("400 device lists, filtered, jumped and cut at random: rows, order, count and page are those of a plain scan") {
    auto& c = console::get();
    for (int i = 0; i < 400; ++i) {
        auto q = some_question(c.s);
        auto const all = q.answer(c.s);
        std::size_t first = 50, from = 0;
        if (!c.s.one_in(3)) first = static_cast<std::size_t>(c.s.of<int64_t>({0, 1, 2, 7, 50, 200})), q.variables["first"] = first;
        // A cursor is the last row of another page, or a name that is none.
        if (c.s.one_in(3)) {
            auto const after = all.empty() || c.s.one_in(4) ? c.s.of<string>({"SN-00100x", "a", "zzz", "A"}) : c.s.of(all)->serial;
            q.variables["after"] = after;
            while (from < all.size() && all[from]->serial <= after) ++from;
        }
        if (c.s.one_in(3)) {
            auto const skip = c.s.of<int64_t>({0, 1, 50, 999, 1000, 1001, 1999, 2000, 2500, 5000, 7000});
            q.variables["skip"] = skip, from += static_cast<std::size_t>(skip);
        }
        bool const later = q.variables.contains("after") || (q.variables.contains("skip") && q.variables["skip"].as_int64() > 0);
        auto const got = c.ask(string(head) + "{ totalCount nodes " + device_fields + " pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }", q.variables).at("devicesConnection");
        auto const about = json::serialize(q.variables);
        json::array want;
        for (std::size_t at = from; at < std::min(all.size(), from + first); ++at) want.push_back(shown(*all[at]));
        SAME(want, got.at("nodes").as_array(), about);
        CHECK_MESSAGE(got.at("totalCount").to_number<std::size_t>() == all.size(), about << ": " << got.at("totalCount").to_number<std::size_t>() << " counted, there are " << all.size());
        auto const& page = got.at("pageInfo");
        CHECK_MESSAGE(page.at("hasNextPage").as_bool() == (from + first < all.size()), about);
        CHECK_MESSAGE(page.at("hasPreviousPage").as_bool() == later, about);
        CHECK_MESSAGE(page.at("endCursor") == (want.empty() ? json::value(nullptr) : want.back().at("serial_no")), about);
    }
}

TEST_CASE("lists walked page by page by their cursors show every row once, in order") {
    auto& c = console::get();
    for (int i = 0; i < 24; ++i) {
        auto q = some_question(c.s);
        json::array want, got;
        for (auto const* d : q.answer(c.s)) want.emplace_back(d->serial);
        q.variables["first"] = c.s.of<int64_t>({61, 150, 200});
        for (std::size_t pages = 0; pages < 200; ++pages) {
            auto const page = c.ask(string(head) + "{ edges { cursor node { serial_no } } pageInfo { hasNextPage endCursor } } }", q.variables).at("devicesConnection");
            for (auto const& e : page.at("edges").as_array()) {
                CHECK(e.at("cursor") == e.at("node").at("serial_no"));
                got.push_back(e.at("node").at("serial_no"));
            }
            if (!page.at("pageInfo").at("hasNextPage").as_bool()) break;
            q.variables["after"] = page.at("pageInfo").at("endCursor");
        }
        q.variables.erase("after");
        SAME(want, got, json::serialize(q.variables));
    }
}

TEST_CASE("a filter without a value of its own does not make a tag's count the count of the list") {
    auto& c = console::get();
    for (auto const* filter : {"keys_version=is=null", "tag=not=null", "model=is=null"}) {
        std::int64_t want = 0;
        auto const f = std::find_if(comparisons().begin(), comparisons().end(), [&](auto const& x) { return x.text == filter; });
        for (auto const& d : c.s.devices) want += d.tags.contains("lab") && f->holds(d);
        CHECK(c.ask(string(head) + "{ totalCount } }", {{"tag", "lab"}, {"filter", filter}}).at("devicesConnection").at("totalCount") == want);
    }
}

TEST_CASE("a name with a line break in it is not another list's count") {
    auto& c = console::get();
    auto count = [&](json::object const& v) { return c.ask(string(head) + "{ totalCount } }", v).at("devicesConnection").at("totalCount").to_number<std::int64_t>(); };
    auto const both = count({{"model", "TX-100"}, {"status", "ONLINE"}});
    CHECK(both > 0);
    CHECK(count({{"model", "TX-100\nstatus=online"}}) == 0);
    CHECK(count({{"model", "TX-100"}, {"version", "v1.0.2\nsearch=SN-"}}) == 0);
    CHECK(count({{"model", "TX-100"}, {"version", "v1.0.2"}, {"search", "SN-"}}) > 0);
}

TEST_CASE("devices, and the menus of models and tags") {
    auto& c = console::get();
    for (int i = 0; i < 60; ++i) {
        json::object v;
        string model, status;
        std::size_t limit = 50;
        if (c.s.one_in(2)) v["model"] = model = c.s.of<string>({"TX-100", "TX-200", "*", "solo-5000", "none"});
        if (c.s.one_in(2)) status = c.s.of<string>({"online", "offline", "updating"}), v["status"] = upper(status);
        if (c.s.one_in(2)) limit = static_cast<std::size_t>(c.s.below(201)), v["limit"] = limit;
        json::array want;
        for (auto const& d : c.s.devices)
            if (want.size() < limit && (model.empty() || d.model == model) && (status.empty() || d.status == status)) want.push_back(shown(d));
        auto const got = c.ask(string("query($model: String, $status: DeviceStatus, $limit: Int) { devices(model: $model, status: $status, limit: $limit) ") + device_fields + " }", v);
        SAME(want, got.at("devices").as_array(), json::serialize(v));
    }
    std::set<string> models, tags;
    for (auto const& d : c.s.devices) {
        tags.insert(d.tags.begin(), d.tags.end());
        if (!d.model.empty()) models.insert(d.model);
    }
    auto const menus = c.ask("{ models tags }");
    json::array want;
    for (auto const& m : models)
        if (want.size() < 1000) want.emplace_back(m);                 // a menu's bound
    SAME(want, menus.at("models").as_array(), "models");
    want.clear();
    for (auto const& t : tags) want.emplace_back(t);
    SAME(want, menus.at("tags").as_array(), "tags");
}
