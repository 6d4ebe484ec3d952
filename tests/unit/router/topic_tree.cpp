#include "broker/router/topic_tree.hpp"

#include "broker/router/interest.hpp"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>

using namespace airmail;
using namespace airmail::router;

namespace {

struct people {
    airmail::session::session& operator[](std::uint32_t n) {
        auto& s = all[n];
        if (!s) {
            acl::identity who;
            who.client_id = std::to_string(n);
            s = std::make_unique<airmail::session::session>(n, who);
        }
        return *s;
    }
    std::map<std::uint32_t, std::unique_ptr<airmail::session::session>> all;
};

std::string some(std::mt19937& r, bool filter) {
    static char const* const words[] = {"a", "b", "devices", "", "$x", "status", "a1"};
    std::string t;
    auto const levels = 1 + r() % 4;
    for (unsigned i = 0; i < levels; ++i) {
        if (i) t += '/';
        auto const pick = r() % 10;
        if (filter && pick == 0 && i + 1 == levels) t += '#';
        else if (filter && pick < 3) t += '+';
        else t += words[r() % std::size(words)];
    }
    if (t.empty()) t = "a";
    return t;
}

std::multiset<std::uint32_t> matched(topic_tree const& tree, std::string const& topic) {
    std::multiset<std::uint32_t> got;
    CHECK(tree.match(topic, keyed_hash(topic), [&](subscriber const& s) { got.insert(s.who->number); }));
    return got;
}

}

TEST_CASE("the tree agrees with a list of filters over 100,000 random changes and questions") {
    std::mt19937 random{20261123};
    people who;
    topic_tree tree;
    interest global;
    std::map<std::pair<std::uint32_t, std::string>, bool> model;
    std::map<std::string, std::set<std::uint32_t>> holders;
    for (int i = 0; i < 100'000; ++i) {
        auto const n = static_cast<std::uint32_t>(random() % 12);
        auto const f = some(random, true);
        if (random() % 2) {
            auto const a = tree.subscribe(f, who[n], i, {});
            CHECK(a.is_new == !model.count({n, f}));
            CHECK(a.first == holders[f].empty());
            if (a.first) global.add(f, 3);
            model[{n, f}] = true;
            holders[f].insert(n);
        } else {
            auto const r = tree.unsubscribe(f, who[n]);
            CHECK(r.found == (model.erase({n, f}) == 1));
            holders[f].erase(n);
            if (r.found) CHECK(r.last == holders[f].empty());
            if (r.last) global.remove(f, 3);
        }
        if (i % 200 == 0 && !who[n].filters.empty()) {
            tree.remove_all(who[n], [&](auto const& r) {
                holders[std::string{r.filter}].erase(n);
                if (r.last) global.remove(r.filter, 3);
            });
            std::erase_if(model, [n](auto const& m) { return m.first.first == n; });
        }
        if (i % 10) continue;
        auto const topic = some(random, false);
        std::multiset<std::uint32_t> expected;
        for (auto const& [key, on] : model)
            if (codec::topic_matches(key.second, topic)) expected.insert(key.first);
        REQUIRE(matched(tree, topic) == expected);
        REQUIRE((global.lookup(topic, keyed_hash(topic), 0) == (expected.empty() ? 0 : 8)));
    }
    CHECK(tree.subscriptions() == model.size());
}

TEST_CASE("a subscription costs at most 150 bytes, the session's own list and the interest table included") {
    topic_tree tree;
    people who;
    constexpr std::uint32_t n = 100'000;
    for (std::uint32_t i = 0; i < n; ++i) {
        char name[32];
        std::snprintf(name, sizeof name, "devices/%08u/command", i);
        tree.subscribe(name, who[i % 1000], 0, {});
    }
    auto const bytes = tree.footprint() / n + sizeof(airmail::session::filter_ref) + 16 * 10 / 4;
    MESSAGE("bytes per subscription: ", bytes);
    CHECK(bytes <= 150);
}

TEST_CASE("subscriptions of many sessions to one filter: leaving in any order keeps the others") {
    topic_tree tree;
    people who;
    for (std::uint32_t i = 0; i < 1000; ++i) tree.subscribe("news", who[i], 0, {});
    for (std::uint32_t i = 0; i < 1000; i += 2) CHECK(tree.unsubscribe("news", who[i]).found);
    CHECK(matched(tree, "news").size() == 500);
    for (std::uint32_t i = 1; i < 1000; i += 2) CHECK(tree.unsubscribe("news", who[i]).last == (i == 999));
    CHECK(tree.filters() == 0);
}

TEST_CASE("groups and records live beside clients") {
    topic_tree tree;
    people who;
    CHECK(tree.add_group("t/+", 4));
    CHECK_FALSE(tree.subscribe("t/+", who[1], 0, {}).first);
    tree.subscribe("$share/g/t/+", who[1], 9, {2}, true);
    unsigned groups = 0, clients = 0;
    tree.match("t/1", keyed_hash("t/1"), [&](subscriber const& s) { (s.is == subscriber::group ? groups : clients)++; });
    CHECK(groups == 1);
    CHECK(clients == 1);
    tree.match("$share/g/t/+", keyed_hash("$share/g/t/+"), [&](subscriber const&) { FAIL("a record is no subscriber"); });
    REQUIRE(tree.find("$share/g/t/+", who[1]));
    CHECK(tree.find("$share/g/t/+", who[1])->id == 9);
    CHECK_FALSE(tree.remove_group("t/+", 4));
    CHECK(tree.unsubscribe("t/+", who[1]).last);
}

TEST_CASE("a match is bounded however filters are laid out") {
    topic_tree tree;
    people who;
    // Every path of 'a' and '+' over 12 levels: 4,096 filters, all of which match.
    for (unsigned mask = 0; mask < 4096; ++mask) {
        std::string f;
        for (unsigned i = 0; i < 12; ++i) f += (i ? "/" : "") + std::string{mask >> i & 1 ? "+" : "a"};
        tree.subscribe(f, who[1], mask, {});
    }
    CHECK(matched(tree, "a/a/a/a/a/a/a/a/a/a/a/a").size() == 4096);
}

TEST_CASE("B16: `+` chains made to blow a match up are cut short at the bound on visits, and the tree is whole afterwards") {
    filter_trie tree;
    // Every path of 'a' and '+' over 16 levels: 65,536 filters over twice as many nodes, all on the way of one topic.
    for (unsigned mask = 0; mask < 65536; ++mask) {
        std::string f;
        for (unsigned i = 0; i < 16; ++i) f += (i ? "/" : "") + std::string{mask >> i & 1 ? "+" : "a"};
        tree.insert(f, mask);
    }
    std::string topic = "a";
    for (unsigned i = 1; i < 16; ++i) topic += "/a";
    levels const t{topic};
    REQUIRE(t.ok());
    std::uint32_t hits = 0;
    CHECK_FALSE(tree.match(t, [&](std::uint32_t) { ++hits; }));
    CHECK(hits > 0);
    CHECK(hits <= filter_trie::visits_max);
    std::string other = "b" + topic.substr(1);   // half of the tree: just within
    hits = 0;
    (void)tree.match(levels{other}, [&](std::uint32_t) { ++hits; });
    CHECK(hits <= filter_trie::visits_max);
}

TEST_CASE("texts are given back: a million changes keep the tree small") {
    topic_tree tree;
    people who;
    for (std::uint32_t i = 0; i < 300'000; ++i) {
        auto const f = "devices/" + std::to_string(i) + (i % 2 ? "/+/x" : "/command");
        tree.subscribe(f, who[1], 0, {});
        tree.unsubscribe(f, who[1]);
    }
    CHECK(tree.footprint() < 4'000'000);
}
