#include "tests/support/wire_script.hpp"

using namespace airmail;
using namespace airmail::test;

TEST_CASE("the same filter again replaces options and identifier, never two [MQTT-3.8.4-3]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    CHECK(b.subscribes({"t", 1, 7}) == reason::granted_qos_1);
    CHECK(b.subscribes({"t", 0, 8}) == reason::success);
    a.sends({"t", "x", 1, 1});
    auto const p = b.expects_publish("t", "x");
    CHECK(p.qos == 0);
    CHECK(p.ids == std::vector<std::uint32_t>{8});
    b.quiet();
}

TEST_CASE("overlapping subscriptions: one copy, the highest QoS, every identifier [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"x/y", 0, 1});
    b.subscribes({"x/+", 2, 2});
    b.subscribes({"x/#", 1, 3});
    a.sends({"x/y", "q1", 1, 1});
    auto p = b.expects_publish("x/y", "q1");
    CHECK(p.qos == 1);
    std::ranges::sort(p.ids);
    CHECK(p.ids == std::vector<std::uint32_t>{1, 2, 3});
    a.sends({"x/y", "q0", 0});
    p = b.expects_publish("x/y", "q0");
    CHECK(p.ids.size() == 3);
    b.quiet();
}

TEST_CASE("No Local: never to the client that published [MQTT-3.8.3-3]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.subscribes({.text = "t", .qos = 1, .no_local = true});
    a.sends({"t", "x", 0});
    a.quiet();
    a.subscribes({.text = "t", .qos = 1});
    a.sends({"t", "y", 0});
    a.expects_publish("t", "y");
}

TEST_CASE("No Local on a shared subscription is a protocol error [MQTT-3.8.3-4]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.asks_to_subscribe({.text = "$share/g/t", .no_local = true});
    CHECK(a.expects(packet_type::disconnect).code == reason::protocol_error);
}

TEST_CASE("wildcards at the front do not see topics beginning with $ [MQTT-4.7.2-1]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"#", 0}), b.subscribes({"+/x", 0});
    a.sends({"$ota/x", "1"});
    b.quiet();
    b.subscribes({"$ota/#", 0});
    a.sends({"$ota/x", "2"});
    b.expects_publish("$ota/x", "2");
}

TEST_CASE("UNSUBSCRIBE takes exactly that filter; deliveries begun are finished [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-3] [MQTT-3.10.4-5]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.expiry = 100});
    b.subscribes({"t/#", 1}), b.subscribes({"t/1", 1});
    a.sends({"t/1", "x", 1, 1});
    auto const p = b.expects_publish("t/1", "x");
    CHECK(b.unsubscribes("t/+") == reason::no_subscription_existed);
    CHECK(b.unsubscribes("t/#") == reason::success);
    CHECK(b.unsubscribes("t/1") == reason::success);
    a.sends({"t/1", "y", 1, 2});
    b.drops();
    b.connects({.clean = false, .expiry = 100});
    CHECK(b.expects_publish("t/1", "x").id == p.id);
    b.quiet();
    CHECK(w.store.subscriptions.empty());
}

TEST_CASE("filters are bounded per client") {
    wire_script w;
    w.defaults->filters_max = 2;
    auto& a = w.client("a");
    a.connects();
    a.subscribes({"1"}), a.subscribes({"2"});
    CHECK(a.subscribes({"3"}) == reason::quota_exceeded);
    CHECK(a.subscribes({"2", 1}) == reason::granted_qos_1);
}

TEST_CASE("a bad shared filter ends the connection [MQTT-4.8.2-1] [MQTT-4.8.2-2]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.asks_to_subscribe({"$share//t"});
    CHECK(a.expects(packet_type::disconnect).code == reason::topic_filter_invalid);
    CHECK(a.closed);
}

TEST_CASE("retained: replaced, cleared, sent at SUBSCRIBE with RETAIN 1 [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-8] [MQTT-3.3.1-9]") {
    wire_script w{3};
    auto &a = w.client("a"), &b = w.client("b"), &c = w.client("c");
    a.connects(), b.connects(), c.connects();
    b.subscribes({"r/1", 1});
    a.sends({.topic = "r/1", .payload = "old", .retain = true});
    a.sends({.topic = "r/1", .payload = "new", .qos = 1, .id = 1, .retain = true});
    a.expects_ack(packet_type::puback, 1);
    a.sends({.topic = "r/1", .payload = "live", .retain = false});
    CHECK_FALSE(b.expects_publish("r/1", "old").retain);  // [MQTT-3.3.1-12]
    CHECK_FALSE(b.expects_publish("r/1", "new").retain);
    b.expects_publish("r/1", "live");
    c.subscribes({"r/+", 1});
    auto const p = c.expects_publish("r/1", "new");
    CHECK(p.retain);
    CHECK(p.qos == 1);
    c.quiet();
    a.sends({.topic = "r/1", .payload = "", .retain = true});
    b.expects_publish("r/1", "");
    CHECK(w.store.retained.empty());
    c.expects_publish("r/1", "");
    c.subscribes({"r/#", 1});
    c.quiet();
}

TEST_CASE("Retain As Published, Retain Handling [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.3.1-13] [MQTT-3.8.4-4]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    a.sends({.topic = "r", .payload = "x", .retain = true});
    b.subscribes({.text = "r", .retain_handling = 2});
    b.quiet();
    b.subscribes({.text = "r", .retain_handling = 1});
    b.quiet();  // not new
    b.subscribes({.text = "r", .retain_as_published = true, .retain_handling = 0});
    b.expects_publish("r", "x");
    a.sends({.topic = "r", .payload = "y", .retain = true});
    CHECK(b.expects_publish("r", "y").retain);
    b.unsubscribes("r");
    b.subscribes({.text = "r", .retain_handling = 1});
    CHECK(b.expects_publish("r", "y").retain);
}

TEST_CASE("a retained message expires") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    a.sends({.topic = "r", .payload = "x", .retain = true, .expiry = 5});
    w.advance(6'000);
    b.subscribes({"r"});
    b.quiet();
}

TEST_CASE("many retained messages come in pages, at the client's pace, none lost") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    w.defaults->retained_per_identity_max = 0;
    w.defaults->queue_messages_max = 100;   // less than there is: it has to wait outside
    a.connects(), b.connects();
    for (int i = 0; i < 300; ++i) a.sends({.topic = "r/" + std::to_string(i), .payload = "x", .qos = 1, .id = static_cast<std::uint16_t>(i + 1), .retain = true});
    b.subscribes({"r/#", 1});
    std::set<std::string> topics;
    for (int turn = 0; turn < 400; ++turn) {
        auto const p = b.next();
        if (!p) break;
        topics.insert(p->topic);
        b.acks(packet_type::puback, p->id);
    }
    CHECK(topics.size() == 300);
}

TEST_CASE("retained messages survive a restart, cleared ones do not return [reliability 3.5]") {
    wire_script w{2};
    auto& a = w.client("a");
    a.connects();
    a.sends({.topic = "keep", .payload = "1", .qos = 1, .id = 1, .retain = true});
    a.sends({.topic = "clear", .payload = "1", .qos = 1, .id = 2, .retain = true});
    a.sends({.topic = "clear", .payload = "", .qos = 1, .id = 3, .retain = true});
    w.restart();
    auto& b = w.client("b");
    b.connects();
    b.subscribes({"#", 0});
    b.expects_publish("keep", "1");
    b.quiet();
}

TEST_CASE("retained messages are bounded per identity, and the publisher is told 0x97") {
    wire_script w;
    w.defaults->retained_per_identity_max = 2, w.defaults->username_is_identity = true;
    auto& a = w.client("a", "dev-1");
    a.connects();
    for (std::uint16_t i = 1; i <= 3; ++i) a.sends({.topic = "r/" + std::to_string(i), .payload = "x", .qos = 1, .id = i, .retain = true});
    a.expects_ack(packet_type::puback, 1), a.expects_ack(packet_type::puback, 2);
    a.expects_ack(packet_type::puback, 3, reason::quota_exceeded);
}

TEST_CASE("shared subscriptions take turns, wherever members live, at each one's QoS [MQTT-4.8.2-3]") {
    wire_script w{3};
    std::vector<wire_client*> members;
    for (unsigned i = 0; i < 3; ++i) {
        auto& c = w.client_on(i, "m");
        c.connects();
        CHECK(c.subscribes({"$share/g/t/+", static_cast<std::uint8_t>(i)}) == static_cast<reason>(i));
        members.push_back(&c);
    }
    auto& a = w.client("a");
    a.connects();
    for (int i = 0; i < 9; ++i) a.sends({"t/1", std::to_string(i), 2, static_cast<std::uint16_t>(i + 1)});
    for (unsigned i = 0; i < 3; ++i) {
        int got = 0;
        for (; auto const p = members[i]->next(); ++got) CHECK(p->qos == i);
        CHECK(got == 3);
    }
}

TEST_CASE("a shared group prefers connected members, and a kept one queues when all are away [MQTT-4.8.2-4]") {
    wire_script w{2};
    auto &m = w.client_on(0, "m"), &n = w.client_on(1, "n"), &a = w.client("a");
    m.connects({.expiry = 100}), n.connects(), a.connects();
    m.subscribes({"$share/g/t", 1}), n.subscribes({"$share/g/t", 1});
    m.drops();
    a.sends({"t", "1", 1, 1}), a.sends({"t", "2", 1, 2});
    for (auto const* each : {"1", "2"}) n.acks(packet_type::puback, n.expects_publish("t", each).id);
    n.disconnects();
    a.sends({"t", "3", 1, 3});
    m.connects({.clean = false, .expiry = 100});
    m.expects_publish("t", "3");
    m.unsubscribes("$share/g/t");
    a.sends({"t", "4", 1, 4});
    m.quiet();
}

TEST_CASE("a shared and an ordinary subscription are two deliveries") {
    wire_script w{2};
    auto &m = w.client("m"), &a = w.client("a");
    m.connects(), a.connects();
    m.subscribes({"$share/g/t", 0}), m.subscribes({"t", 0});
    a.sends({"t", "x"});
    m.expects_publish("t", "x"), m.expects_publish("t", "x");
    m.quiet();
}

TEST_CASE("a will goes out when the connection is lost, not after DISCONNECT 0 [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    b.connects();
    b.subscribes({"will/#", 1});
    greeting const g{.will = message{.topic = "will/a", .payload = "gone", .qos = 1, .user = {{"z", "1"}, {"a", "2"}}}};
    a.connects(g);
    a.disconnects();
    b.quiet();
    a.connects(g);
    a.disconnects(reason::disconnect_with_will);
    b.expects_publish("will/a", "gone");
    a.connects(g);
    a.drops();
    auto const p = b.expects_publish("will/a", "gone");
    CHECK(p.user == std::vector<std::pair<std::string, std::string>>{{"z", "1"}, {"a", "2"}});  // [MQTT-3.1.3-10]
    b.quiet();
}

TEST_CASE("a retained will is retained [MQTT-3.1.2-15]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects({.will = message{.topic = "w", .payload = "x", .retain = true}});
    a.drops();
    b.connects();
    b.subscribes({"w"});
    CHECK(b.expects_publish("w", "x").retain);
}

TEST_CASE("a will waits for its delay, is cancelled by a return, and ends with the session [MQTT-3.1.3-9]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    b.connects();
    b.subscribes({"w"});
    greeting g{.clean = false, .expiry = 100, .will = message{"w", "x"}, .will_delay = 10};
    a.connects(g);
    a.drops();
    w.advance(9'000);
    b.quiet();
    SUBCASE("it returns in time") {
        a.connects(g);
        w.advance(60'000);
        b.quiet();
    }
    SUBCASE("it does not") {
        w.advance(1'000);
        b.expects_publish("w", "x");
        w.advance(200'000);
        b.quiet();
    }
    SUBCASE("its session ends first by clean start") {
        a.connects({.clean = true});
        b.expects_publish("w", "x");
    }
    SUBCASE("the broker restarts: once, at restart and its delay") {
        w.restart();
        b.connects();
        b.subscribes({"w"});
        w.advance(10'000);
        b.expects_publish("w", "x");
        w.restart();
        b.connects();
        b.subscribes({"w"});
        w.advance(50'000);
        b.quiet();
    }
}

TEST_CASE("a delay beyond the session's expiry ends with the session") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    b.connects();
    b.subscribes({"w"});
    a.connects({.expiry = 5, .will = message{"w", "x"}, .will_delay = 60});
    a.drops();
    w.advance(5'000);
    b.expects_publish("w", "x");
}
