#include "broker/router/retained.hpp"

#include "broker/router/shared_group.hpp"
#include "broker/router/variants.hpp"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>

using namespace airmail;
using namespace airmail::router;

namespace {
storage::message_ptr make(std::string const& topic, std::string const& text, std::string const& who = "", std::int64_t expires = 0) {
    storage::message_fields f;
    f.topic = topic, f.identity = who, f.retain = true, f.expires_at_ms = expires;
    f.payload = as_bytes(text);
    return storage::message::make(f);
}
std::set<std::string> all(retained const& r, std::string_view filter) {
    std::set<std::string> got;
    r.match(filter, 0, 1'000'000, [&](storage::message_ptr const& m) { CHECK(got.insert(std::string{m->topic()}).second); });
    return got;
}
}

TEST_CASE("retained messages agree with a map over random changes and filters [MQTT-3.3.1-5] [MQTT-3.3.1-6]") {
    std::mt19937 random{7};
    retained r;
    std::map<std::string, std::string> model;
    char const* const words[] = {"a", "b", "", "$s", "long-word"};
    auto const name = [&](bool filter) {
        std::string t;
        auto const n = 1 + random() % 4;
        for (unsigned i = 0; i < n; ++i) {
            if (i) t += '/';
            auto const pick = random() % 8;
            if (filter && pick == 0 && i + 1 == n) t += '#';
            else if (filter && pick < 3) t += '+';
            else t += words[random() % std::size(words)];
        }
        return t.empty() ? std::string{"a"} : t;
    };
    for (int i = 0; i < 30'000; ++i) {
        auto const t = name(false);
        if (random() % 2) {
            CHECK(r.set(make(t, std::to_string(i))));
            model[t] = std::to_string(i);
        } else {
            CHECK(r.set(make(t, "")));
            model.erase(t);
        }
        auto const found = r.find(t);
        CHECK((found != nullptr) == (model.count(t) == 1));
        if (i % 10) continue;
        auto const f = name(true);
        std::set<std::string> expected;
        for (auto const& [topic, text] : model)
            if (codec::topic_matches(f, topic)) expected.insert(topic);
        REQUIRE(all(r, f) == expected);
    }
    CHECK(r.size() == model.size());
}

TEST_CASE("bounds: topics, bytes, topics of one identity; replacing and clearing stay possible") {
    retained r{{2, 1 << 20}};
    CHECK(r.set(make("1", "x")));
    CHECK(r.set(make("2", "x")));
    CHECK_FALSE(r.set(make("3", "x")));
    CHECK(r.set(make("2", "y")));
    CHECK(r.set(make("1", "")));
    CHECK(r.set(make("3", "x", "dev"), 1));
    CHECK(r.set(make("2", "")));
    CHECK_FALSE(r.set(make("2", "x", "dev"), 1));
    CHECK(r.set(make("3", "", "dev"), 1));
    CHECK(r.set(make("2", "x", "dev"), 1));
    retained small{{100, 500}};
    CHECK(small.set(make("1", std::string(100, 'x'))));
    CHECK_FALSE(small.set(make("2", std::string(400, 'x'))));
}

TEST_CASE("expired ones are not shown, and a look can be cut short") {
    retained r;
    r.set(make("a", "x", "", 100));
    r.set(make("b", "x"));
    int n = 0;
    CHECK(r.match("#", 100, 10, [&](auto const&) { ++n; }));
    CHECK(n == 1);
    CHECK_FALSE(r.match("#", 50, 1, [&](auto const&) { ++n; }));
}

TEST_CASE("a retained message costs at most 350 bytes beyond its own text") {
    retained r;
    constexpr std::size_t n = 50'000;
    for (std::size_t i = 0; i < n; ++i) r.set(make("devices/" + std::to_string(10'000'000 + i) + "/status", "x"));
    auto const bytes = r.footprint() / n + sizeof(storage::message) + 16;
    MESSAGE("bytes per retained message: ", bytes);
    CHECK(bytes <= 350);
}

TEST_CASE("a group takes turns, prefers connected members, then kept ones") {
    shared_group g{"g", "t"};
    for (std::uint32_t i = 1; i <= 3; ++i) {
        member m;
        m.session = i, m.online = true, m.kept = i == 3;
        g.put(m);
    }
    auto const anyone = [](member&) { return true; };
    std::map<std::uint32_t, int> turns;
    for (int i = 0; i < 30; ++i) ++turns[g.pick(share_strategy::round_robin, 0, anyone)->session];
    CHECK(turns == std::map<std::uint32_t, int>{{1, 10}, {2, 10}, {3, 10}});
    CHECK(g.pick(share_strategy::round_robin, 0, [](member& m) { return m.session == 2; })->session == 2);
    g.online(1, false), g.online(3, false);
    CHECK(g.pick(share_strategy::round_robin, 0, anyone)->session == 2);
    g.online(2, false);
    CHECK(g.pick(share_strategy::round_robin, 0, anyone)->session == 3);
    g.remove(3);
    CHECK(g.pick(share_strategy::round_robin, 0, anyone) == nullptr);
}

TEST_CASE("a variant is encoded once per way, and again for another message or time") {
    variants v;
    auto const m = make("t", "payload", "", 5'000);
    auto const& a = v.get(*m, true, 1, false, {}, 0);
    auto const* data = a.head.data();
    CHECK(v.get(*m, true, 1, false, {}, 0).head.data() == data);
    CHECK(v.get(*m, true, 0, false, {}, 0).head.data() != data);
    v.forget();
    auto const later = codec::decode_publish(0, byte_view{v.get(*m, true, 0, false, {}, 3'500).head}.subspan(2), codec::version::v5, codec::sender::server);
    REQUIRE(later.has_value());
    CHECK(later->props.message_expiry == 2);  // rounded up: never "0 = expired" while it lives
}

TEST_CASE("retain_expiry_interval: what is older is not given any more, and is forgotten; $SYS has no age") {
    retained r{{.messages = 10, .bytes = 1 << 20, .age_ms = 60'000}};
    auto const at = [](std::string const& topic, std::int64_t when, std::int64_t expires = 0) {
        storage::message_fields f;
        f.topic = topic, f.retain = true, f.received_at_ms = when, f.expires_at_ms = expires;
        f.payload = as_bytes(std::string_view{"x"});
        return storage::message::make(f);
    };
    for (auto const& m : {at("old", 0), at("young", 30'000), at("its/own", 30'000, 40'000), at("$SYS/broker/version", 0)}) REQUIRE(r.set(m));
    auto const given = [&](std::int64_t now) {
        std::set<std::string> got;
        for (auto const* filter : {"#", "$SYS/#"}) r.match(filter, now, 100, [&](storage::message_ptr const& m) { got.insert(std::string{m->topic()}); });
        return got;
    };
    CHECK(given(39'999) == std::set<std::string>{"old", "young", "its/own", "$SYS/broker/version"});
    CHECK(given(60'000) == std::set<std::string>{"young", "$SYS/broker/version"});
    CHECK(r.size() == 4);
    CHECK(r.sweep(60'000, 100) == 2);
    CHECK(r.size() == 2);
    CHECK(r.find("old") == nullptr);
    CHECK(r.sweep(90'000, 1) + r.sweep(90'000, 1) + r.sweep(90'000, 1) + r.sweep(90'000, 1) + r.sweep(90'000, 1) + r.sweep(90'000, 1) == 1);   // a step at a time
    CHECK(given(90'000) == std::set<std::string>{"$SYS/broker/version"});
}
