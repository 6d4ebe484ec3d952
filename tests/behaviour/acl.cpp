// A device cannot read or write another's topics, by any of the ways there are; each attempt is a test.

#include "acl/compile.hpp"
#include "acl/device_rules.hpp"
#include "tests/support/wire_script.hpp"

using namespace airmail;
using namespace airmail::test;

namespace {

/// Two devices under the shipped rules, and an operator's client that sees everything.
struct fleet {
    fleet() {
        w.defaults->device = true;
        acl::ruleset rules;
        acl::add_device_rules(rules);
        auto const native = acl::compile(std::move(rules), acl::semantics::native);
        w.rules([native](acl::identity const& who, acl::action what, std::string_view topic) {
            return who.name == "operator" || native->check(who, what, topic).allowed;
        });
        one.connects({.expiry = 1000}), two.connects({.expiry = 1000}), all.connects();
        all.subscribes({"#", 2});
    }
    void nothing_reached() { all.quiet(), two.quiet(); }
    wire_script w{3};
    wire_client &one = w.client("c", "dev-1"), &two = w.client("c", "dev-2"), &all = w.client("op", "operator");
};

}

TEST_CASE_FIXTURE(fleet, "a device publishes its own topics") {
    one.sends({"devices/dev-1/status", "x", 1, 1});
    one.expects_ack(packet_type::puback, 1);
    all.expects_publish("devices/dev-1/status", "x");
}

TEST_CASE_FIXTURE(fleet, "a device may not publish under another device's name: by name") {
    one.sends({"devices/dev-2/status", "x", 1, 1});
    one.expects_ack(packet_type::puback, 1, reason::not_authorized);
    one.sends({"devices/dev-2/status", "x", 2, 2});
    one.expects_ack(packet_type::pubrec, 2, reason::not_authorized);
    one.sends({"devices/dev-2/status", "x", 0});
    nothing_reached();
}

TEST_CASE_FIXTURE(fleet, "a device may not publish under another device's name: by alias [MQTT-3.3.2-12]") {
    one.sends({.topic = "devices/dev-2/status", .payload = "x", .qos = 1, .id = 1, .alias = 3});
    one.expects_ack(packet_type::puback, 1, reason::not_authorized);
    one.sends({.topic = "", .payload = "x", .qos = 1, .id = 2, .alias = 3});
    one.expects_ack(packet_type::puback, 2, reason::not_authorized);
    nothing_reached();
}

TEST_CASE_FIXTURE(fleet, "a device may not publish under another device's name: by will") {
    one.says_hello({.will = message{"devices/dev-2/status", "x", 1}});
    CHECK(one.expects(packet_type::connack).code == reason::not_authorized);
    CHECK(one.closed);
    nothing_reached();
}

TEST_CASE_FIXTURE(fleet, "a will that the rules allowed at CONNECT and no longer allow is not published") {
    one.connects({.will = message{"devices/dev-1/status", "x", 1}});
    w.rules([](acl::identity const& who, acl::action what, std::string_view) { return who.name == "operator" && what != acl::action::publish; });
    one.drops();
    nothing_reached();
}

TEST_CASE_FIXTURE(fleet, "a device may not leave a retained message under another's name") {
    one.sends({.topic = "devices/dev-2/command", .payload = "x", .qos = 1, .id = 1, .retain = true});
    one.expects_ack(packet_type::puback, 1, reason::not_authorized);
    CHECK(w.store.retained.empty());
    nothing_reached();
}

TEST_CASE_FIXTURE(fleet, "a device may not plant its own command") {
    two.subscribes({"devices/dev-2/command", 1});
    SUBCASE("live") { two.sends({"devices/dev-2/command", "{}", 1, 1}); }
    SUBCASE("retained") { two.sends({.topic = "devices/dev-2/command", .payload = "{}", .qos = 1, .id = 1, .retain = true}); }
    SUBCASE("by alias") { two.sends({.topic = "devices/dev-2/command", .payload = "{}", .qos = 1, .id = 1, .alias = 1}); }
    two.expects_ack(packet_type::puback, 1, reason::not_authorized);
    nothing_reached();
    CHECK(w.store.retained.empty());
}

TEST_CASE_FIXTURE(fleet, "a device may not plant its own command: by will") {
    two.says_hello({.will = message{"devices/dev-2/command", "{}", 1}});
    CHECK(two.expects(packet_type::connack).code == reason::not_authorized);
}

TEST_CASE_FIXTURE(fleet, "a device may not subscribe to another's topics: by name, wildcard or $share") {
    CHECK(one.subscribes({"devices/dev-1/command", 1}) == reason::granted_qos_1);
    CHECK(one.subscribes({"devices/dev-2/command", 1}) == reason::not_authorized);
    CHECK(one.subscribes({"devices/+/command", 1}) == reason::not_authorized);
    CHECK(one.subscribes({"devices/#", 1}) == reason::not_authorized);
    CHECK(one.subscribes({"#", 1}) == reason::not_authorized);
    CHECK(one.subscribes({"$share/g/devices/dev-2/command", 1}) == reason::not_authorized);
    CHECK(one.subscribes({"$share/g/devices/+/command", 1}) == reason::not_authorized);
    CHECK(one.subscribes({"$share/g/#", 1}) == reason::not_authorized);
    all.sends({"devices/dev-2/command", "secret", 1, 1});
    one.quiet();
}

TEST_CASE_FIXTURE(fleet, "publishing to a $share topic reaches nobody") {
    all.sends({"$share/g/devices/dev-1/command", "x", 1, 1});
    all.expects_ack(packet_type::puback, 1, reason::topic_name_invalid);
}

TEST_CASE_FIXTURE(fleet, "the read check stands at every delivery: a rule that is gone stops live, queued, retained and shared messages") {
    CHECK(one.subscribes({"devices/dev-1/command", 1}) == reason::granted_qos_1);
    CHECK(one.subscribes({"$share/g/ota/keys", 1}) == reason::granted_qos_1);
    all.sends({.topic = "devices/dev-1/command", .payload = "kept", .qos = 1, .id = 9, .retain = true});
    one.acks(packet_type::puback, one.expects_publish("devices/dev-1/command", "kept").id);
    auto const only_operator = [](acl::identity const& who, acl::action what, std::string_view) {
        return who.name == "operator" || what == acl::action::subscribe;
    };
    SUBCASE("live") {
        w.rules(only_operator);
        all.sends({"devices/dev-1/command", "x", 1, 1});
        one.quiet();
    }
    SUBCASE("queued") {
        one.drops();
        all.sends({"devices/dev-1/command", "x", 1, 1});
        w.rules(only_operator);
        one.connects({.clean = false, .expiry = 1000});
        one.quiet();
    }
    SUBCASE("retained") {
        w.rules(only_operator);
        one.subscribes({"devices/dev-1/command", 1});
        one.quiet();
    }
    SUBCASE("shared") {
        w.rules(only_operator);
        all.sends({"ota/keys", "x", 1, 1});
        one.quiet();
    }
}

TEST_CASE_FIXTURE(fleet, "3.1.1 has no refusal: PUBACK as usual, and the message goes nowhere [3.1.1 MQTT-3.3.5-2]") {
    one.connects({.protocol = codec::version::v311});
    one.sends({"devices/dev-2/status", "x", 1, 1});
    one.expects_ack(packet_type::puback, 1);
    nothing_reached();
    one.asks_to_subscribe({"#", 1});
    CHECK(codec::failed(one.expects(packet_type::suback).codes[0]));
}
