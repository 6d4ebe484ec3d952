// Bounds and rights at the places where several of them meet: at the bound, one beyond, and changed while something is under way.

#include "broker/handlers/metrics.hpp"
#include "tests/support/wire_script.hpp"

using namespace airmail;
using namespace airmail::test;

namespace {

std::vector<std::pair<std::string, std::string>> properties(std::size_t count, std::size_t value_bytes = 1) {
    return std::vector(count, std::pair<std::string, std::string>{"k", std::string(value_bytes, 'v')});
}

}

TEST_CASE("B17: user properties are bounded in number and in bytes: at the bound, and one beyond") {
    wire_script w;
    w.defaults->user_properties_max = 32, w.defaults->user_property_bytes_max = 2048;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 1});
    SUBCASE("as many as may be") {
        a.sends({.topic = "t", .payload = "x", .qos = 1, .id = 1, .user = properties(32)});
        a.expects_ack(packet_type::puback, 1);
        CHECK(b.expects_publish("t", "x").user.size() == 32);
    }
    SUBCASE("one more") {
        a.sends({.topic = "t", .payload = "x", .qos = 1, .id = 1, .user = properties(33)});
        a.expects_ack(packet_type::puback, 1, reason::quota_exceeded);
        b.quiet();
    }
    SUBCASE("few and large") {
        a.sends({.topic = "t", .payload = "x", .qos = 1, .id = 1, .user = properties(2, 1024)});   // 2 x (5 + 1 + 1,024) bytes
        a.expects_ack(packet_type::puback, 1, reason::quota_exceeded);
        b.quiet();
    }
    SUBCASE("two hundred thousand (CVE-2021-41039)") {
        w.defaults->packet_bytes_max = 4 << 20;
        auto& c = w.client("c");
        c.connects();
        c.sends({.topic = "t", .payload = "x", .qos = 1, .id = 1, .user = properties(200'000)});
        c.expects_ack(packet_type::puback, 1, reason::quota_exceeded);
        c.sends({"t", "after it", 1, 2});
        c.expects_ack(packet_type::puback, 2);
        b.expects_publish("t", "after it");
    }
}

TEST_CASE("C12: rights that go while a QoS 2 message is under way: what was taken is finished, nothing more comes or goes") {
    wire_script w{2};
    auto &a = w.client("a", "writer"), &b = w.client("b", "reader");
    a.connects({.expiry = 1000}), b.connects({.expiry = 1000});
    b.subscribes({"t", 2});
    a.sends({"t", "one", 2, 1});
    a.expects_ack(packet_type::pubrec, 1);
    auto const first = b.expects_publish("t", "one");
    w.rules([](acl::identity const&, acl::action, std::string_view) { return false; });
    SUBCASE("the writer's flow is answered to its end, and its next message is refused") {
        a.acks(packet_type::pubrel, 1);
        a.expects_ack(packet_type::pubcomp, 1);
        a.sends({"t", "two", 2, 2});
        a.expects_ack(packet_type::pubrec, 2, reason::not_authorized);
        b.quiet();
    }
    SUBCASE("sent again with DUP it is still the one message, not a new one under the new rules") {
        a.sends({.topic = "t", .payload = "one", .qos = 2, .id = 1, .dup = true});
        a.expects_ack(packet_type::pubrec, 1);
        b.quiet();
    }
    SUBCASE("the reader had it already: its flow is finished") {
        b.acks(packet_type::pubrec, first.id);
        b.expects_ack(packet_type::pubrel, first.id);
        b.acks(packet_type::pubcomp, first.id);
        b.quiet();
    }
    SUBCASE("the reader lost it on the way and comes back: it is not sent again to who may not read it now") {
        b.drops();
        b.connects({.clean = false, .expiry = 1000});
        b.quiet();
    }
    SUBCASE("PUBREC was read before: only PUBREL comes after the return, and no payload") {
        b.acks(packet_type::pubrec, first.id);
        b.expects_ack(packet_type::pubrel, first.id);
        b.drops();
        b.connects({.clean = false, .expiry = 1000});
        b.expects_ack(packet_type::pubrel, first.id);
        b.acks(packet_type::pubcomp, first.id);
        b.quiet();
    }
}

namespace {

/// Acknowledges and reads until nothing comes for so long.
std::vector<received> all_of(wire_script& w, wire_client& c, std::int64_t patience_ms = 200) {
    std::vector<received> got;
    for (std::int64_t waited = 0; waited < patience_ms;) {
        auto const p = c.next();
        if (!p) w.advance(50), waited += 50;
        else got.push_back(*p), c.acks(packet_type::puback, p->id), waited = 0;
    }
    return got;
}

/// So many clients are lost, each with a will on wills/#.
void lose(wire_script& w, int clients, greeting g) {
    std::vector<wire_client*> all;
    for (int i = 0; i < clients; ++i) {
        g.will = message{"wills/" + std::to_string(i), "last words", 1};
        all.push_back(&w.client_on(static_cast<unsigned>(i) % w.shards_, "gone-" + std::to_string(i)));
        all.back()->connects(g);
    }
    for (auto* c : all) c->drops();
}

}

TEST_CASE("B23: wills that come together wait for a receiver that reads, and none is dropped") {
    wire_script w{2};
    w.defaults->queue_messages_max = 600;
    auto& watch = w.client_on(0, "watch");
    watch.connects({.receive_maximum = 2});
    watch.subscribes({"wills/#", 1});
    auto const dropped = router::metric::dropped_queue_full.value();
    SUBCASE("of sessions that end") { lose(w, 900, {}); }
    SUBCASE("of sessions that stay") { lose(w, 900, {.expiry = 1000}); }
    SUBCASE("all due at one moment") { lose(w, 900, {.expiry = 1000, .will_delay = 1}), w.advance(1000); }
    std::set<std::string> topics;
    for (auto const& m : all_of(w, watch)) topics.insert(m.topic);
    CHECK(topics.size() == 900);
    CHECK(router::metric::dropped_queue_full.value() == dropped);
}

TEST_CASE("B23: a receiver that takes nothing keeps wills from the others for five seconds and no longer") {
    wire_script w;
    w.defaults->queue_messages_max = 600;
    auto &stuck = w.client("stuck"), &watch = w.client("watch");
    stuck.connects({.receive_maximum = 1}), watch.connects();
    stuck.subscribes({"wills/#", 1}), watch.subscribes({"wills/#", 1});
    auto const held = handlers::metric::wills_held.value();
    lose(w, 1500, {});
    CHECK(handlers::metric::wills_held.value() > held);
    auto const begin = w.clock.ms;
    CHECK(all_of(w, watch, 1000).size() == 1500);
    CHECK(w.clock.ms - begin < 8'000);
}

TEST_CASE("B23: no more wills are under way than may be, however long the store takes") {
    wire_script w;
    auto& watch = w.client("watch");
    watch.connects({.expiry = 1000});
    watch.subscribes({"wills/#", 1}), watch.subscribes({"mine", 0});
    auto& late = w.client("late");
    late.connects({.expiry = 1000, .will = message{"mine", "late", 0}});
    auto const held = handlers::metric::wills_held.value();
    w.store.automatic = false;
    lose(w, 300, {});
    CHECK(handlers::metric::wills_held.value() == held + 300 - session::will_pace::wills_max);
    SUBCASE("all come when it has them") {}
    SUBCASE("whoever comes back before its will had its turn says it then") {
        late.drops();
        late.says_hello({.clean = false, .expiry = 1000});
        bool said = false;
        for (auto p = watch.next(); p; p = watch.next()) {
            said |= p->topic == "mine";
            if (p->qos > 0) watch.acks(packet_type::puback, p->id);
        }
        CHECK(said);
    }
    w.store.automatic = true;
    w.settle();
    std::set<std::string> rest;
    for (auto const& m : all_of(w, watch)) rest.insert(m.topic);
    CHECK(rest.contains("wills/299"));
}

TEST_CASE("B28: memory runs out: the longest queues that no disk has lose their newest, until half of all is gone; short ones keep all") {
    wire_script w;
    w.defaults->durable = false;
    auto &from = w.client("from"), &longest = w.client("longest"), &middle = w.client("middle"), &modest = w.client("modest");
    from.connects();
    auto const dropped = router::metric::dropped_memory.value();
    std::pair<wire_client*, int> const all[] = {{&longest, 120}, {&middle, 60}, {&modest, 10}};
    for (auto const& [c, messages] : all) {
        c->connects({.expiry = 1000}), c->subscribes({c->client_id, 1}), c->drops();
        for (int i = 0; i < messages; ++i) from.sends({c->client_id, std::to_string(i) + std::string(900, 'x'), 1, 1}), from.expects_ack(packet_type::puback, 1);
    }
    w.protocols[0]->shed();
    auto const gone = router::metric::dropped_memory.value() - dropped;
    CHECK(gone >= 94);    // of 190
    CHECK(gone <= 98);
    w.protocols[0]->shed();   // what was freed does not show yet
    CHECK(router::metric::dropped_memory.value() - dropped == gone);
    from.sends({"longest", "after", 1, 1}), from.expects_ack(packet_type::puback, 1);
    std::size_t kept[3], at = 0;
    for (auto const& [c, messages] : all) {
        c->connects({.clean = false, .expiry = 1000});
        auto const got = all_of(w, *c);
        kept[at++] = got.size();
        for (std::size_t i = 0; i < got.size(); ++i)   // the oldest, in order, and what came afterwards
            if (got[i].payload != "after") CHECK(got[i].payload.starts_with(std::to_string(i) + "x"));
    }
    CHECK(kept[0] >= kept[1] - 1);   // cut to one length
    CHECK(kept[0] <= kept[1] + 2);
    CHECK(kept[2] == 10);
    CHECK(kept[0] + kept[1] + kept[2] + gone == 191);
}

TEST_CASE("B28: memory runs out: what the disk has too is let go of and fetched again, and nobody loses a message") {
    wire_script w;
    auto &from = w.client("from"), &slow = w.client("slow");
    from.connects(), slow.connects({.expiry = 1000, .receive_maximum = 1});
    slow.subscribes({"t", 1});
    for (int i = 0; i < 100; ++i) from.sends({"t", std::to_string(i), 1, 1}), from.expects_ack(packet_type::puback, 1);
    auto const dropped = router::metric::dropped_memory.value(), spared = handlers::metric::spared_bytes.value();
    w.protocols[0]->shed();
    CHECK(handlers::metric::spared_bytes.value() > spared);
    std::vector<std::string> got;
    for (auto const& m : all_of(w, slow)) got.push_back(m.payload);
    REQUIRE(got.size() == 100);
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == std::to_string(i));
    CHECK(router::metric::dropped_memory.value() == dropped);
}
