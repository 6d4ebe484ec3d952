// A device lives in its own topics: every way round that we know is tried with real sockets and real certificates.

#include "tests/e2e/broker/house.hpp"

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

/// Victim `good`, attacker `evil`, and an observer behind a plain loopback listener who hears everything.
struct scene {
    static broker_process& broker() {
        static broker_process one{fleet::get().device_listener() + "listener {plain} 127.0.0.1\nlistener_allow_anonymous true\n"};
        if (!one.alive()) up(one);
        return one;
    }
    scene() {
        connects(good, device_options(broker(), "good"));
        connects(evil, device_options(broker(), "evil"));
        connects(observer, plain_options(broker(), "observer"));
        CHECK(good.subscribe("devices/good/command", 1)->front() == reason::granted_qos_1);
        CHECK_FALSE(airmail::codec::failed(observer.subscribe("#", 1)->front()));
        // Whatever other cases left behind comes before this one's first message.
        observer.publish({.topic = "devices/good/command", .payload = "settled", .qos = 1});
        for (auto* c : {&good, &observer}) settle(*c);
    }
    ~scene() {
        auto o = device_options(broker(), "good");
        o.clean_start = true;
        o.session_expiry = 0;
        blocking_client last;
        if (last.connect(o)) last.disconnect();
        o = device_options(broker(), "evil");
        o.clean_start = true;
        o.session_expiry = 0;
        if (last.connect(o)) last.disconnect();
    }
    static void settle(blocking_client& c) {
        for (;;) {
            auto const m = c.receive();
            REQUIRE(m.has_value());
            if (m->payload == "settled") return;
        }
    }
    /// Neither the observer nor the victim was sent anything: what comes next is the marker.
    void nobody_heard() {
        observer.publish({.topic = "devices/good/command", .payload = "marker", .qos = 1});
        receives_only(good, "devices/good/command", "marker");
        receives_only(observer, "devices/good/command", "marker");
    }
    blocking_client good, evil, observer;
};

reason publishes(blocking_client& c, client::publication const& p) {
    auto const r = c.publish(p);
    REQUIRE(r.has_value());
    return *r;
}

}

TEST_CASE("a device may not publish under another's name, nor plant a command") {
    scene s;
    std::string topic;
    SUBCASE("another's heartbeat") { topic = "devices/good/heartbeat"; }
    SUBCASE("another's status") { topic = "devices/good/status"; }
    SUBCASE("another's command") { topic = "devices/good/command"; }
    SUBCASE("its own command") { topic = "devices/evil/command"; }
    SUBCASE("a name that begins like its own") { topic = "devices/evil2/status"; }
    SUBCASE("an empty level") { topic = "devices//evil/status"; }
    SUBCASE("the key list") { topic = "ota/keys"; }
    SUBCASE("an operators' topic") { topic = "$ota/campaign/1/events"; }
    SUBCASE("a shared subscription's name") { topic = "$share/g/devices/good/command"; }
    for (std::uint8_t qos : {1, 2}) CHECK(airmail::codec::failed(publishes(s.evil, {.topic = topic, .payload = "evil", .qos = qos})));
    publishes(s.evil, {.topic = topic, .payload = "evil"});
    CHECK(airmail::codec::failed(publishes(s.evil, {.topic = topic, .payload = "evil", .qos = 1, .retain = true})));
    s.nobody_heard();
    blocking_client later;
    connects(later, plain_options(s.broker(), "later"));
    later.subscribe("devices/#", 1);
    later.publish({.topic = "devices/x/y", .payload = "marker", .qos = 1});
    receives_only(later, "devices/x/y", "marker");  // nothing was retained
}

TEST_CASE("a topic alias does not hide the real name [MQTT-3.3.2-12]") {
    scene s;
    REQUIRE(s.evil.connack()->topic_alias_maximum > 0);
    CHECK(publishes(s.evil, {.topic = "devices/good/command", .payload = "evil", .qos = 1, .topic_alias = 1}) == reason::not_authorized);
    CHECK(publishes(s.evil, {.topic = "", .payload = "evil", .qos = 1, .topic_alias = 1}) == reason::not_authorized);
    CHECK_FALSE(airmail::codec::failed(publishes(s.evil, {.topic = "devices/evil/status", .payload = "{}", .qos = 1, .topic_alias = 1})));
    CHECK(publishes(s.evil, {.topic = "devices/evil/command", .payload = "evil", .qos = 1, .topic_alias = 1}) == reason::not_authorized);
    auto const seen = s.observer.receive();
    REQUIRE(seen.has_value());
    CHECK(seen->topic == "devices/evil/status");
    s.nobody_heard();
}

TEST_CASE("a device may not read what is another's") {
    scene s;
    std::string filter;
    SUBCASE("by name") { filter = "devices/good/command"; }
    SUBCASE("its heartbeat") { filter = "devices/good/heartbeat"; }
    SUBCASE("everything") { filter = "#"; }
    SUBCASE("by a wildcard") { filter = "devices/+/command"; }
    SUBCASE("by another wildcard") { filter = "devices/#"; }
    SUBCASE("by a wildcard at the end") { filter = "devices/good/+"; }
    SUBCASE("its own subtree, beyond its command") { filter = "devices/evil/#"; }
    SUBCASE("by a shared subscription") { filter = "$share/g/devices/good/command"; }
    SUBCASE("by a shared wildcard") { filter = "$share/g/#"; }
    SUBCASE("by a shared wildcard over commands") { filter = "$share/g/devices/+/command"; }
    SUBCASE("operators' events") { filter = "$ota/#"; }
    SUBCASE("the broker's state") { filter = "$SYS/#"; }
    auto const codes = s.evil.subscribe(filter, 1);
    REQUIRE(codes.has_value());
    CHECK(airmail::codec::failed(codes->front()));
    CHECK(s.evil.subscribe("devices/evil/command", 1)->front() == reason::granted_qos_1);
    s.observer.publish({.topic = "devices/good/command", .payload = "secret", .qos = 1, .retain = false});
    s.observer.publish({.topic = "devices/evil/command", .payload = "marker", .qos = 1});
    receives_only(s.evil, "devices/evil/command", "marker");
}

TEST_CASE("a device may not take its own command's queue under another's client id") {
    scene s;
    REQUIRE_FALSE(s.good.disconnect());
    s.observer.publish({.topic = "devices/good/command", .payload = "for good", .qos = 1});
    auto o = device_options(s.broker(), "evil");
    o.client_id = "good";  // the session of another identity
    blocking_client thief;
    auto const hello = thief.connect(o);
    if (hello) {
        CHECK_FALSE(hello->session_present);
        CHECK(thief.subscribe("devices/evil/command", 1)->front() == reason::granted_qos_1);
        s.observer.publish({.topic = "devices/evil/command", .payload = "marker", .qos = 1});
        receives_only(thief, "devices/evil/command", "marker");
    }
    blocking_client back;
    connects(back, device_options(s.broker(), "good"));
    CHECK(back.connack()->session_present);
    receives_only(back, "devices/good/command", "for good");
}

TEST_CASE("a user name in CONNECT does not change who a device is") {
    scene s;
    auto o = device_options(s.broker(), "evil");
    o.user_name = "good";
    o.password = "x";
    blocking_client c;
    if (c.connect(o)) CHECK(airmail::codec::failed(publishes(c, {.topic = "devices/good/status", .payload = "evil", .qos = 1})));
    s.nobody_heard();
}

TEST_CASE("a will obeys the same rules") {
    scene s;
    std::string topic;
    bool retain = false;
    SUBCASE("another's status") { topic = "devices/good/status"; }
    SUBCASE("another's command") { topic = "devices/good/command"; }
    SUBCASE("its own command") { topic = "devices/evil/command"; }
    SUBCASE("retained") { topic = "devices/evil/command", retain = true; }
    auto o = device_options(s.broker(), "evil");
    o.session_expiry = 0;
    o.will = client::publication{.topic = topic, .payload = "evil", .qos = 1, .retain = retain};
    blocking_client c;
    if (c.connect(o)) c.drop(true);
    // Its end has been seen, and its will dealt with, before this one is welcomed: one identity, one session key.
    blocking_client again;
    connects(again, device_options(s.broker(), "evil"));
    s.nobody_heard();
}
