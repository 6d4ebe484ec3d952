#include "tests/support/wire_script.hpp"

using namespace airmail;
using namespace airmail::test;

TEST_CASE("QoS 0 goes to who subscribed, DUP 0 and no id [MQTT-4.3.1-1] [MQTT-3.3.1-2] [MQTT-2.2.1-2]") {
    wire_script w{3};
    auto &a = w.client("a"), &b = w.client("b"), &c = w.client("c");
    a.connects(), b.connects(), c.connects();
    b.subscribes({"s/+", 0});
    c.subscribes({"other", 0});
    a.sends({"s/1", "x"});
    auto const p = b.expects_publish("s/1", "x");
    CHECK(p.qos == 0);
    CHECK_FALSE(p.dup);
    b.quiet(), c.quiet(), a.quiet();
    CHECK(w.store.messages_put == 0);  // [reliability.md 3, rule 7]
}

TEST_CASE("delivery QoS is the lower of published and granted [MQTT-3.8.4-8]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 1});
    a.sends({"t", "0", 0});
    CHECK(b.expects_publish("t", "0").qos == 0);
    a.sends({"t", "2", 2, 7});
    a.expects_ack(packet_type::pubrec, 7);
    CHECK(b.expects_publish("t", "2").qos == 1);
}

TEST_CASE("QoS 1: an id, an acknowledgement, nothing sent again without a new connection [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-4] [MQTT-2.2.1-5]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 1});
    a.sends({"t", "x", 1, 10});
    a.expects_ack(packet_type::puback, 10);
    auto const p = b.expects_publish("t", "x");
    CHECK(p.qos == 1);
    CHECK(p.id != 0);
    CHECK_FALSE(p.dup);
    w.advance(600'000);
    b.quiet();
    b.acks(packet_type::puback, p.id);
    b.quiet();
}

TEST_CASE("nobody subscribed: 0x10 for v5 [MQTT-3.4.2-1]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.sends({"t", "x", 1, 1});
    a.expects_ack(packet_type::puback, 1, reason::no_matching_subscribers);
}

TEST_CASE("the same id after PUBACK is a new message, whatever DUP says [MQTT-4.3.2-5] [MQTT-3.3.1-3]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 1});
    a.sends({"t", "1", 1, 1});
    a.sends({.topic = "t", .payload = "2", .qos = 1, .id = 1, .dup = true});
    CHECK_FALSE(b.expects_publish("t", "1").dup);
    CHECK_FALSE(b.expects_publish("t", "2").dup);
}

TEST_CASE("QoS 2, both sides [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 2});
    a.sends({"t", "x", 2, 3});
    a.expects_ack(packet_type::pubrec, 3);
    a.sends({.topic = "t", .payload = "x", .qos = 2, .id = 3, .dup = true});
    a.expects_ack(packet_type::pubrec, 3);
    auto const p = b.expects_publish("t", "x");
    CHECK(p.qos == 2);
    b.quiet();  // once
    a.acks(packet_type::pubrel, 3);
    a.expects_ack(packet_type::pubcomp, 3);
    a.acks(packet_type::pubrel, 3);
    a.expects_ack(packet_type::pubcomp, 3, reason::packet_identifier_not_found);
    b.acks(packet_type::pubrec, p.id);
    b.expects_ack(packet_type::pubrel, p.id);
    b.acks(packet_type::pubcomp, p.id);
    b.quiet();
    a.sends({"t", "y", 2, 3});
    a.expects_ack(packet_type::pubrec, 3);
    b.expects_publish("t", "y");
}

TEST_CASE("a PUBREC for an id we do not know is answered with 0x92 [MQTT-3.6.2-1]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.acks(packet_type::pubrec, 77);
    a.expects_ack(packet_type::pubrel, 77, reason::packet_identifier_not_found);
}

TEST_CASE("PUBACK or PUBREC of 0x80 and more ends the message [MQTT-4.4.0-2]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.expiry = 100});
    b.subscribes({"t", 2});
    a.sends({"t", "1", 1, 1});
    a.sends({"t", "2", 2, 2});
    b.acks(packet_type::puback, b.expects_publish("t", "1").id, reason::unspecified_error);
    b.acks(packet_type::pubrec, b.expects_publish("t", "2").id, reason::quota_exceeded);
    b.drops();
    b.connects({.clean = false, .expiry = 100});
    b.quiet();
    CHECK(w.store.living() == 0);
}

TEST_CASE("resume: unacknowledged ones come again with their ids and DUP, in order, then the rest [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.expiry = 1000, .receive_maximum = 3});
    b.subscribes({"t", 2});
    for (std::uint16_t i = 1; i <= 6; ++i) a.sends({"t", std::to_string(i), static_cast<std::uint8_t>(i == 2 ? 2 : 1), i});
    auto const one = b.expects_publish("t", "1");
    auto second = b.expects(packet_type::publish), third = b.expects(packet_type::publish);
    if (second.payload != "2") std::swap(second, third);  // the QoS 2 one waited for its id to be stored
    CHECK(second.payload == "2");
    CHECK(third.payload == "3");
    b.quiet();  // Receive Maximum [MQTT-3.3.4-9]
    b.acks(packet_type::pubrec, second.id);
    b.expects_ack(packet_type::pubrel, second.id);
    b.drops();
    b.connects({.clean = false, .expiry = 1000, .receive_maximum = 3});
    auto const again = b.expects_publish("t", "1");
    CHECK(again.dup);
    CHECK(again.id == one.id);
    b.expects_ack(packet_type::pubrel, second.id);  // not its PUBLISH [MQTT-4.3.3-6]
    auto const also = b.expects_publish("t", "3");
    CHECK(also.dup);
    CHECK(also.id == third.id);
    b.quiet();
    b.acks(packet_type::puback, one.id);
    auto const four = b.expects_publish("t", "4");
    CHECK_FALSE(four.dup);
    b.acks(packet_type::pubcomp, second.id);
    b.acks(packet_type::puback, third.id);
    auto const five = b.expects_publish("t", "5"), six = b.expects_publish("t", "6");
    CHECK(std::set<int>{four.id, five.id, six.id}.size() == 3);
    for (auto const& p : {four, five, six}) b.acks(packet_type::puback, p.id);
    CHECK(w.store.living() == 0);
}

TEST_CASE("Receive Maximum holds back QoS 1 and 2 only [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.receive_maximum = 1});
    b.subscribes({"t", 1});
    a.sends({"t", "1", 1, 1});
    a.sends({"t", "2", 1, 2});
    a.sends({"t", "0", 0});
    auto const p = b.expects_publish("t", "1");
    b.expects_publish("t", "0");
    b.quiet();
    b.acks(packet_type::puback, p.id);
    b.expects_publish("t", "2");
}

TEST_CASE("a client that exceeds our Receive Maximum is sent away with 0x93 [MQTT-3.3.4-7] [MQTT-4.9.0-3]") {
    wire_script w;
    w.defaults->receive_maximum_in = 2;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    for (std::uint16_t id = 1; id <= 2; ++id) {
        a.sends({"t", "x", 2, id});
        a.expects_ack(packet_type::pubrec, id, reason::no_matching_subscribers);
    }
    SUBCASE("too many") {
        a.sends({"t", "x", 2, 3});
        CHECK(a.expects(packet_type::disconnect).code == reason::receive_maximum_exceeded);
    }
    SUBCASE("one released in between") {
        a.acks(packet_type::pubrel, 1);
        a.expects_ack(packet_type::pubcomp, 1);
        a.sends({"t", "x", 2, 3});
        a.expects_ack(packet_type::pubrec, 3, reason::no_matching_subscribers);
    }
}

TEST_CASE("a 3.1.1 publisher whose QoS 2 messages wait for PUBREL is still read, or PUBREL could not come") {
    wire_script w;
    w.defaults->receive_maximum_in = 2;
    auto& a = w.client("a");
    a.connects({.protocol = codec::version::v311});
    for (std::uint16_t id = 1; id <= 3; ++id) {
        a.sends({"t", "x", 2, id});
        a.expects_ack(packet_type::pubrec, id);
        CHECK(a.reading);
    }
    a.acks(packet_type::pubrel, 1);
    a.expects_ack(packet_type::pubcomp, 1);
}

TEST_CASE("properties travel unchanged and in order [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.1.3-10]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b"), &old = w.client("old");
    a.connects(), b.connects(), old.connects({.protocol = codec::version::v311});
    b.subscribes({"t", 0});
    old.subscribes({"t", 0});
    std::vector<std::pair<std::string, std::string>> const user{{"k", "1"}, {"a", "2"}, {"k", "1"}};
    a.sends({.topic = "t", .payload = "x", .user = user});
    CHECK(b.expects_publish("t", "x").user == user);
    old.expects_publish("t", "x");
}

TEST_CASE("a topic alias stands for its topic, is replaced, and dies with the connection [MQTT-3.3.2-7] [MQTT-3.3.2-12]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"#", 0});
    a.sends({.topic = "one", .payload = "1", .alias = 16});
    a.sends({.topic = "", .payload = "2", .alias = 16});
    a.sends({.topic = "two", .payload = "3", .alias = 16});
    a.sends({.topic = "", .payload = "4", .alias = 16});
    b.expects_publish("one", "1"), b.expects_publish("one", "2"), b.expects_publish("two", "3"), b.expects_publish("two", "4");
    a.connects();
    a.sends({.topic = "", .payload = "5", .alias = 16});
    CHECK(a.expects(packet_type::disconnect).code == reason::protocol_error);
    a.connects();
    a.sends({.topic = "x", .payload = "6", .alias = 17});
    CHECK(a.expects(packet_type::disconnect).code == reason::topic_alias_invalid);  // [MQTT-3.2.2-17]
}

TEST_CASE("a message larger than the client's Maximum Packet Size is dropped for it and counts as delivered [MQTT-3.1.2-24] [MQTT-3.1.2-25]") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.expiry = 100, .maximum_packet_size = 60});
    b.subscribes({"t", 1});
    a.sends({"t", std::string(100, 'x'), 1, 1});
    a.sends({"t", std::string(100, 'x'), 0});
    a.sends({"t", "small", 1, 2});
    b.expects_publish("t", "small");
    b.quiet();
}

TEST_CASE("large payloads leave from the shared body, whole") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 1});
    std::string const big(100'000, 'z');
    a.sends({"t", big, 1, 1});
    b.expects_publish("t", big);
}

TEST_CASE("message expiry counts down, and what has expired is not sent [MQTT-3.3.2-5] [MQTT-3.3.2-6] [MQTT-4.3.3-7]") {
    wire_script w{2};
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.expiry = 1000});
    b.subscribes({"t", 1});
    b.drops();
    a.sends({.topic = "t", .payload = "short", .qos = 1, .id = 1, .expiry = 5});
    a.sends({.topic = "t", .payload = "long", .qos = 1, .id = 2, .expiry = 100});
    w.advance(10'000);
    b.connects({.clean = false, .expiry = 1000});
    auto const p = b.expects_publish("t", "long");
    REQUIRE(p.expiry);
    CHECK(*p.expiry == 90);
    b.acks(packet_type::puback, p.id);
    b.quiet();
    CHECK(w.store.living() == 0);
}

TEST_CASE("a full queue refuses the newest, and says success to the publisher") {
    wire_script w;
    w.defaults->queue_messages_max = 3;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects({.expiry = 1000});
    b.subscribes({"t", 1});
    b.drops();
    for (std::uint16_t i = 1; i <= 5; ++i) {
        a.sends({"t", std::to_string(i), 1, i});
        a.expects_ack(packet_type::puback, i);
    }
    b.connects({.clean = false, .expiry = 1000});
    b.expects_publish("t", "1"), b.expects_publish("t", "2"), b.expects_publish("t", "3");
    b.quiet();
}

TEST_CASE("a client that does not read loses QoS 0 and keeps QoS 1 in its queue") {
    wire_script w;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 1});
    b.blocked = true;
    a.sends({"t", "0", 0});
    a.sends({"t", "1", 1, 1});
    b.quiet();
    b.blocked = false;
    w.advance(1000);
    b.expects_publish("t", "1");
    b.quiet();
}

TEST_CASE("who publishes faster than allowed is not read for a while; nothing is lost") {
    wire_script w;
    w.defaults->publish_rate = 10, w.defaults->publish_burst = 2;
    auto &a = w.client("a"), &b = w.client("b");
    a.connects(), b.connects();
    b.subscribes({"t", 0});
    a.sends({"t", "1"});
    CHECK(a.reading);
    a.sends({"t", "2"});
    CHECK_FALSE(a.reading);
    a.sends({"t", "3"});
    b.expects_publish("t", "1"), b.expects_publish("t", "2"), b.expects_publish("t", "3");
    w.advance(100);
    CHECK_FALSE(a.reading);
    w.advance(200);
    CHECK(a.reading);
}

TEST_CASE("what a listener does not offer is an error [MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-11] [MQTT-3.2.2-12] [MQTT-3.2.2-13] [MQTT-3.2.2-14]") {
    wire_script w;
    w.defaults->maximum_qos = 1, w.defaults->retain_available = false;
    auto& a = w.client("a");
    auto const c = a.connects();
    CHECK(c.props.maximum_qos == 1);
    CHECK(c.props.retain_available == 0);
    CHECK(a.subscribes({"t", 2}) == reason::granted_qos_1);
    SUBCASE("QoS") {
        a.sends({"t", "x", 2, 1});
        CHECK(a.expects(packet_type::disconnect).code == reason::qos_not_supported);
    }
    SUBCASE("retain") {
        a.sends({.topic = "t", .payload = "x", .retain = true});
        CHECK(a.expects(packet_type::disconnect).code == reason::retain_not_supported);
    }
    SUBCASE("will QoS") {
        a.says_hello({.will = message{"w", "x", 2}});
        CHECK(a.expects(packet_type::connack).code == reason::qos_not_supported);
    }
    SUBCASE("will retain") {
        a.says_hello({.will = message{.topic = "w", .payload = "x", .retain = true}});
        CHECK(a.expects(packet_type::connack).code == reason::retain_not_supported);
    }
}

TEST_CASE("topics are bounded in bytes and levels before anything looks at them") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.sends({std::string(600, 't'), "x", 1, 1});
    a.expects_ack(packet_type::puback, 1, reason::topic_name_invalid);
    a.sends({std::string(40, '/'), "x", 1, 2});
    a.expects_ack(packet_type::puback, 2, reason::topic_name_invalid);
    CHECK(a.subscribes({std::string(40, '/'), 0}) == reason::topic_filter_invalid);
}
