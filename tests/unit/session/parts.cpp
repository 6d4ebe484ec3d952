#include "broker/session/session.hpp"

#include "broker/session/expiry.hpp"
#include "broker/session/will_pace.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::session;

TEST_CASE("an idle session keeps to its budget") {
    CHECK(sizeof(airmail::session::session) <= 256);
    CHECK(sizeof(entry) <= 32);
}

TEST_CASE("a session remembers who it is, and a new role forgets old answers") {
    acl::identity who;
    who.name = "dev-1", who.client_id = "c", who.role = "device", who.how = acl::proof::certificate;
    airmail::session::session s{7, who};
    acl::identity back;
    CHECK(s.who(back).name == "dev-1");
    CHECK(back.client_id == "c");
    CHECK(back.role == "device");
    CHECK(back.how == acl::proof::certificate);
    s.decisions().store(1, 99, true);
    CHECK(s.decisions().find(1, 99) == true);
    CHECK_FALSE(s.decisions().find(2, 99));
    who.role = "operator";
    s.login(who);
    CHECK(s.who(back).role == "operator");
    CHECK_FALSE(s.decisions().find(1, 99));
}

TEST_CASE("aliases: learnt, replaced, unknown, above the maximum [MQTT-3.3.2-12]") {
    inbound_aliases a;
    CHECK(*a.resolve(0, "t", 0) == "t");
    CHECK(a.resolve(0, "", 4).error() == codec::reason::protocol_error);
    CHECK(a.resolve(3, "", 4).error() == codec::reason::protocol_error);
    CHECK(*a.resolve(3, "one", 4) == "one");
    CHECK(*a.resolve(3, "", 4) == "one");
    CHECK(*a.resolve(3, "two", 4) == "two");
    CHECK(*a.resolve(3, "", 4) == "two");
    CHECK(a.resolve(5, "x", 4).error() == codec::reason::topic_alias_invalid);
    a.clear();
    CHECK(a.resolve(3, "", 4).error() == codec::reason::protocol_error);
}

TEST_CASE("a token bucket: burst, then rate, debts are waited for") {
    token_bucket b;
    CHECK(b.charge(1, 0, 0, 0));
    CHECK(b.charge(1, 10, 3, 0));
    CHECK(b.charge(1, 10, 3, 0));
    CHECK_FALSE(b.charge(1, 10, 3, 0));
    CHECK_FALSE(b.charge(1, 10, 3, 50));
    CHECK(b.wait_ms(10) > 0);
    b.refill(10, 3, 350);
    CHECK_FALSE(b.empty());
    b.refill(10, 3, 1'000'000);
    CHECK(b.charge(1, 10, 3, 1'000'000));
    CHECK(b.charge(1, 10, 3, 1'000'000));
    CHECK_FALSE(b.charge(1, 10, 3, 1'000'000));
}

TEST_CASE("deadlines come in order of time") {
    deadlines d;
    for (std::uint32_t i = 0; i < 100; ++i) d.add(static_cast<std::int64_t>(i * 37 % 100), i, deadline::session_end);
    deadlines::entry e;
    CHECK_FALSE(d.due(-1, e));
    std::int64_t last = -1;
    int n = 0;
    for (; d.due(49, e); ++n) {
        CHECK(e.at >= last);
        last = e.at;
    }
    CHECK(n == 50);
    d.prune([](auto const& x) { return x.at % 2 == 0; });
    CHECK(d.size() == 25);
}

TEST_CASE("topics in turn keep their aliases, one that comes once takes none away, and none is above the maximum [MQTT-3.3.2-11]") {
    airmail::session::outbound_aliases names{2};
    auto const send = [&names](std::uint64_t topic) {
        auto const c = names.look(topic);
        names.sent(topic, c);
        CHECK(c.alias <= 2);
        return c;
    };
    CHECK(send(10).alias == 1);
    CHECK(send(11).alias == 2);
    CHECK(send(10).known);
    // 12, 14 and 16 want the place of 10.
    for (int round = 0; round < 20; ++round)
        for (std::uint64_t topic : {10, 12, 14, 16}) {
            auto const c = send(topic);
            CHECK(c.known == (topic == 10));
            CHECK(c.alias == (topic == 10 ? 1 : 0));
        }
    // When 10 comes no more, another one takes over at last.
    int sent = 0;
    while (!send(12).known) REQUIRE(++sent < 300);
    CHECK_FALSE(send(10).known);
    CHECK(send(12).known);
}

TEST_CASE("wills: so many under way over all shards, room again in the turn after their end; a crowded receiver holds them, for five seconds at most") {
    will_pace p{4};
    for (unsigned i = 0; i < will_pace::wills_max / 4; ++i) {
        CHECK(p.may(0));
        p.began(10);
    }
    CHECK_FALSE(p.may(0));
    p.ended(10);
    CHECK_FALSE(p.may(0));
    p.next_turn();
    CHECK(p.may(0));
    p.began(will_pace::bytes_max);   // one always may, and then no other
    CHECK_FALSE(p.may(0));
    p.ended(will_pace::bytes_max), p.next_turn();
    CHECK(p.may(0));
    p.crowded(1000);
    CHECK_FALSE(p.may(1000 + will_pace::hold_ms - 1));
    CHECK(p.may(1000 + will_pace::hold_ms));
    int asked = 0;
    for (std::int64_t at = 1000; at < 1000 + will_pace::patience_ms; at += 50)
        if (p.may(at)) ++asked, p.began(0), p.crowded(at), p.ended(0), p.next_turn();
    CHECK(asked >= 6);
    CHECK(asked <= 12);
    auto const later = 1000 + will_pace::patience_ms + will_pace::hold_most_ms;
    p.began(0), p.crowded(later), p.ended(0), p.next_turn();
    CHECK(p.may(later));   // heard no more
    p.began(0), p.ended(0), p.next_turn();   // one that was taken
    p.crowded(20'000);
    CHECK_FALSE(p.may(20'000 + will_pace::hold_ms - 1));
    CHECK(p.may(20'000 + will_pace::hold_ms));
}
