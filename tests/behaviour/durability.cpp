#include "tests/support/wire_script.hpp"

using namespace airmail;
using namespace airmail::test;

namespace {
/// A durable subscriber that is away, its publisher on another shard, and a store that waits for the test.
struct pair_of_shards {
    explicit pair_of_shards() {
        pub.connects(), sub.connects({.expiry = 1000});
        sub.subscribes({"t/#", 2});
        w.store.automatic = false;
    }
    wire_script w{2};
    wire_client &pub = w.client_on(0, "pub"), &sub = w.client_on(1, "sub");
};
}

TEST_CASE_FIXTURE(pair_of_shards, "PUBACK follows the sync [MQTT-4.3.2-4] [reliability 3.1]") {
    pub.sends({"t/1", "x", 1, 1});
    pub.quiet();
    CHECK(sub.expects_publish("t/1", "x").qos == 1);  // delivered in parallel
    w.commit();
    pub.expects_ack(packet_type::puback, 1);
}

TEST_CASE_FIXTURE(pair_of_shards, "a 3.1.1 publisher paused at its window is read again with the acknowledgement, not with an alarm") {
    w.defaults->receive_maximum_in = 2;
    pub.connects({.protocol = codec::version::v311});
    pub.sends({"t/1", "x", 1, 1});
    CHECK(pub.reading);
    pub.sends({"t/1", "y", 1, 2});
    CHECK_FALSE(pub.reading);
    w.commit();
    CHECK(pub.reading);
    pub.expects_ack(packet_type::puback, 1);
    pub.expects_ack(packet_type::puback, 2);
}

TEST_CASE_FIXTURE(pair_of_shards, "PUBREC follows the sync, and a resend after a crash is not routed again [MQTT-4.3.3-10] [reliability 3.2]") {
    pub.connects({.expiry = 0});
    w.store.automatic = true;
    pub.connects({.expiry = 1000});
    w.store.automatic = false;
    pub.sends({"t/1", "x", 2, 5});
    pub.sends({.topic = "t/1", .payload = "x", .qos = 2, .id = 5, .dup = true});
    pub.quiet();
    w.commit();
    pub.expects_ack(packet_type::pubrec, 5);
    pub.quiet();
    CHECK(w.store.messages_put == 1);
    w.store.automatic = true;
    w.restart();
    pub.connects({.clean = false, .expiry = 1000});
    pub.sends({.topic = "t/1", .payload = "x", .qos = 2, .id = 5, .dup = true});
    pub.expects_ack(packet_type::pubrec, 5);
    CHECK(w.store.messages_put == 1);
    pub.acks(packet_type::pubrel, 5);
    pub.expects_ack(packet_type::pubcomp, 5);
    CHECK(w.store.qos2_in.empty());
    sub.connects({.clean = false, .expiry = 1000});
    sub.expects_publish("t/1", "x");
    sub.quiet();
}

TEST_CASE_FIXTURE(pair_of_shards, "a store that fails: 0x97 for v5, no ack and a close for 3.1.1 [reliability 3.10]") {
    SUBCASE("v5") {
        pub.sends({"t/1", "x", 1, 1});
        w.store.fail_next = storage::errc::failed;
        w.commit();
        pub.expects_ack(packet_type::puback, 1, reason::quota_exceeded);
        CHECK_FALSE(pub.closed);
    }
    SUBCASE("3.1.1") {
        pub.connects({.protocol = codec::version::v311});
        pub.sends({"t/1", "x", 1, 1});
        w.store.fail_next = storage::errc::failed;
        w.commit();
        pub.quiet();
        CHECK(pub.closed);
    }
    SUBCASE("a full ring") {
        w.store.refuse = true;
        pub.sends({"t/1", "x", 1, 1});
        pub.expects_ack(packet_type::puback, 1, reason::quota_exceeded);
        w.store.refuse = false;
    }
    auto const p = sub.expects_publish("t/1", "x");  // what was delivered is not undone
    sub.acks(packet_type::puback, p.id);
    w.store.automatic = true;
    w.settle();
    CHECK(w.store.living() == 0);
}

TEST_CASE_FIXTURE(pair_of_shards, "one record for receivers on two shards, each settled on its own") {
    w.store.automatic = true;
    auto& near = w.client_on(0, "near");
    near.connects({.expiry = 1000});
    near.subscribes({"t/1", 1});
    pub.sends({"t/1", "x", 1, 1});
    CHECK(w.store.messages_put == 1);
    REQUIRE(w.store.living() == 1);
    auto const a = sub.expects_publish("t/1", "x"), b = near.expects_publish("t/1", "x");
    sub.acks(packet_type::puback, a.id);
    CHECK(w.store.living() == 1);
    near.acks(packet_type::puback, b.id);
    CHECK(w.store.living() == 0);
}

TEST_CASE_FIXTURE(pair_of_shards, "a PUBACK from the subscriber before the sync settles the message when its LSN is known") {
    pub.sends({"t/1", "x", 1, 1});
    sub.acks(packet_type::puback, sub.expects_publish("t/1", "x").id);
    CHECK(w.store.living() == 0);
    w.commit();
    w.commit();
    CHECK(w.store.messages_put == 1);
    CHECK(w.store.living() == 0);
}

TEST_CASE_FIXTURE(pair_of_shards, "a step of QoS 2 that the disk refused is stored later, and nothing leaves before, on a new connection neither [reliability 3.3]") {
    pub.sends({"t/1", "x", 2, 1});
    w.commit();  // the message
    w.store.fail_next = storage::errc::failed;
    w.commit();  // its packet id
    sub.quiet();
    w.advance(1100);
    w.commit();
    auto const p = sub.expects_publish("t/1", "x");
    sub.acks(packet_type::pubrec, p.id);
    w.store.fail_next = storage::errc::failed;
    w.commit();
    sub.quiet();
    w.store.automatic = true;
    sub.connects({.clean = false, .expiry = 1000});
    sub.quiet();
    w.advance(1100);
    sub.expects_ack(packet_type::pubrel, p.id);
    sub.acks(packet_type::pubcomp, p.id);
    sub.quiet();
    CHECK(w.store.living() == 0);
}

TEST_CASE_FIXTURE(pair_of_shards, "QoS 2 leaves after its id is stored, and PUBREL after PUBREC is stored [reliability 3.3]") {
    pub.sends({"t/1", "x", 2, 1});
    sub.quiet();
    w.commit();  // the message
    sub.quiet();
    w.commit();  // its packet id
    auto const p = sub.expects_publish("t/1", "x");
    sub.acks(packet_type::pubrec, p.id);
    sub.quiet();
    w.commit();
    sub.expects_ack(packet_type::pubrel, p.id);
    w.store.automatic = true;
    w.restart();
    sub.connects({.clean = false, .expiry = 1000});
    sub.expects_ack(packet_type::pubrel, p.id);  // and not PUBLISH again
    sub.acks(packet_type::pubcomp, p.id);
    CHECK(w.store.living() == 0);
}

TEST_CASE_FIXTURE(pair_of_shards, "SUBACK, UNSUBACK and CONNACK of a durable session follow the sync [reliability 3.4]") {
    sub.asks_to_subscribe({"more", 1}, 50);
    sub.quiet();
    w.commit();
    CHECK(sub.expects(packet_type::suback).id == 50);
    auto& late = w.client("late");
    late.says_hello({.expiry = 10});
    late.quiet();
    w.commit();
    late.expects(packet_type::connack);
    auto& brief = w.client("brief");
    brief.connects();  // expiry 0: never stored, at once
    brief.subscribes({"x", 1});
}

TEST_CASE_FIXTURE(pair_of_shards, "what was acknowledged is there after a crash, in order; what was not may be missing") {
    w.store.automatic = true;
    sub.drops();
    for (std::uint16_t i = 1; i <= 200; ++i) {
        pub.sends({"t/" + std::to_string(i % 3), std::to_string(i), static_cast<std::uint8_t>(1 + i % 2), i});
        if (i % 2) pub.acks(packet_type::pubrel, i);
    }
    w.store.automatic = false;
    pub.sends({"t/1", "not acknowledged", 1, 999});
    w.restart();
    w.store.automatic = true;
    sub.connects({.clean = false, .expiry = 1000});
    int last[2][3] = {}, got = 0;  // order is per topic and QoS
    while (auto const p = sub.next()) {
        if (p->type == packet_type::pubrel) {
            sub.acks(packet_type::pubcomp, p->id);
            continue;
        }
        ++got;
        auto const number = std::stoi(p->payload);
        CHECK(p->topic == "t/" + std::to_string(number % 3));
        CHECK(number > last[p->qos - 1][number % 3]);
        last[p->qos - 1][number % 3] = number;
        sub.acks(p->qos == 1 ? packet_type::puback : packet_type::pubrec, p->id);
    }
    CHECK(got == 200);
    CHECK(w.store.living() == 0);
}

TEST_CASE("order per publisher and topic holds over shards, whatever the mail's timing [MQTT-4.5.0-1] [MQTT-4.6.0-5] [MQTT-4.6.0-6]") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        wire_script w{4, seed};
        std::vector<wire_client *> pubs, subs;
        for (unsigned i = 0; i < 4; ++i) {
            subs.push_back(&w.client_on(i, "s"));
            subs.back()->connects({.expiry = i % 2 ? 1000U : 0U, .receive_maximum = 60});
            subs.back()->subscribes({i % 2 ? "o/+" : "o/x", static_cast<std::uint8_t>(i % 3)});
            pubs.push_back(&w.client_on(i, "p"));
            pubs.back()->connects();
        }
        // Written without letting mail move in between.
        for (std::uint16_t n = 0; n < 10; ++n)
            for (auto* p : pubs) {
                codec::publish_view v;
                auto const text = p->client_id + ":" + std::to_string(n);
                v.topic = "o/x", v.qos = 1, v.packet_id = static_cast<std::uint16_t>(n + 1), v.payload = as_bytes(text);
                bytes b;
                codec::encode(b, v, codec::version::v5);
                w.of(*p).packet(*p, *codec::next_frame(b));
            }
        w.settle();
        for (auto* p : pubs)
            for (std::uint16_t n = 1; n <= 10; ++n) p->expects_ack(packet_type::puback, n);  // in order, too
        for (auto* s : subs) {
            std::map<std::string, int> seen;
            int got = 0;
            for (; auto const m = s->next(); ++got) {
                auto const colon = m->payload.find(':');
                auto const who = m->payload.substr(0, colon);
                CHECK(std::stoi(m->payload.substr(colon + 1)) == seen[who]);
                ++seen[who];
            }
            CHECK(got == 40);
        }
        CHECK(w.store.messages_put == 40);
    }
}

TEST_CASE("level memory: nothing is stored and everything is acknowledged at once") {
    wire_script w{2};
    w.defaults->durable = false;
    w.store.automatic = false;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects({.expiry = 100}), b.connects({.expiry = 100});
    b.subscribes({"t", 2});
    b.drops();
    a.sends({"t", "x", 2, 1});
    a.expects_ack(packet_type::pubrec, 1);
    b.connects({.clean = false, .expiry = 100});
    b.expects_publish("t", "x");
    CHECK(w.store.idle());
    CHECK(w.store.sessions.empty());
}

TEST_CASE("a session that ends while its message is being written leaves no reference behind") {
    wire_script w{2};
    auto &pub = w.client_on(0, "p"), &sub = w.client_on(1, "s");
    pub.connects(), sub.connects({.expiry = 1000});
    sub.subscribes({"t", 1});
    w.store.automatic = false;
    pub.sends({"t", "x", 1, 1});
    sub.disconnects(reason::success, 0);
    w.store.automatic = true;
    w.settle();
    CHECK(w.store.living() == 0);
}
