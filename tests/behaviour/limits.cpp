// Bounds and rights at the places where several of them meet: at the bound, one beyond, and changed while something is under way.

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
