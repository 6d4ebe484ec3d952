#include "tests/support/mosquitto.hpp"

#include "tools/client/blocking_client.hpp"
#include "tools/client/tls.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::client;
using namespace std::chrono_literals;
using airmail::test::mosquitto;
using codec::reason;

namespace {

testing::certs& ca() {
    static testing::certs one;
    return one;
}

/// One broker for all cases of this file.
mosquitto& broker() {
    static mosquitto one{ca(), "max_inflight_messages 7"};
    return one;
}

connect_options to_broker(std::string id, codec::version v = codec::version::v5) {
    connect_options o;
    o.port = broker().port();
    o.protocol = v;
    o.client_id = std::move(id);
    return o;
}

std::shared_ptr<tls_context const> context(tls_options const& o) {
    auto const c = tls_context::make(o);
    REQUIRE_MESSAGE(c.has_value(), (c ? "" : c.error().message()));
    return *c;
}

connect_options over_tls(std::string id, tls_options const& o) {
    auto options = to_broker(std::move(id));
    options.port = broker().tls_port();
    options.tls = context(o);
    return options;
}

/// A message reaches a subscriber unchanged.
void walks(connect_options const& from, connect_options const& to, std::uint8_t qos, std::string const& payload) {
    blocking_client sender, receiver;
    REQUIRE(sender.connect(from).has_value());
    REQUIRE(receiver.connect(to).has_value());
    auto const topic = "walk/" + to.client_id;
    auto const granted = receiver.subscribe(topic, qos);
    REQUIRE(granted.has_value());
    CHECK(granted->at(0) == static_cast<reason>(qos));
    REQUIRE(sender.publish({.topic = topic, .payload = payload, .qos = qos}).has_value());
    auto const m = receiver.receive();
    REQUIRE(m.has_value());
    CHECK(m->topic == topic);
    CHECK(m->payload == payload);
    CHECK(m->qos == qos);
    auto const left = receiver.unsubscribe(topic);
    REQUIRE(left.has_value());
    CHECK(left->size() == (to.protocol == codec::version::v5 ? 1 : 0));
    CHECK(!sender.disconnect());
    CHECK(!receiver.disconnect());
}

}

TEST_CASE("messages of every QoS walk through mosquitto, between and across versions" * doctest::skip(!mosquitto::installed())) {
    for (auto from : {codec::version::v5, codec::version::v311, codec::version::v31})
        for (auto to : {codec::version::v5, codec::version::v311, codec::version::v31})
            for (std::uint8_t qos : {0, 1, 2}) walks(to_broker("a", from), to_broker("b", to), qos, "hello");
}

TEST_CASE("a megabyte walks, plain and under TLS with a client certificate" * doctest::skip(!mosquitto::installed())) {
    std::string big(1 << 20, 'x');
    for (std::size_t i = 0; i < big.size(); i += 997) big[i] = static_cast<char>('a' + i % 26);
    auto const device = ca().device("dev-1");
    tls_options const tls{.ca = ca().ca_file(), .certificate = device.certificate, .key = device.key};
    walks(to_broker("a"), to_broker("b"), 1, big);
    walks(over_tls("a", tls), over_tls("b", tls), 0, big);
    walks(over_tls("a", tls), over_tls("b", tls), 2, big);
}

TEST_CASE("MQTT 5 properties arrive as they were sent" * doctest::skip(!mosquitto::installed())) {
    blocking_client a, b;
    REQUIRE(a.connect(to_broker("a")).has_value());
    REQUIRE(b.connect(to_broker("b")).has_value());
    subscription const wanted[] = {{.filter = "props/#", .qos = 1, .retain_as_published = true}};
    REQUIRE(b.subscribe(wanted, 77).has_value());
    user_property const user[] = {{"k", "1"}, {"a", "\xC3\xA9"}, {"k", "2"}};
    auto const code = a.publish({.topic = "props/x", .payload = "{}", .qos = 1, .message_expiry = 60, .content_type = "json", .response_topic = "re/ply",
                                 .correlation_data = std::string_view("\0\1", 2), .payload_is_utf8 = true, .user_properties = user});
    REQUIRE(code.has_value());
    auto const m = b.receive();
    REQUIRE(m.has_value());
    CHECK(m->content_type == "json");
    CHECK(m->response_topic == "re/ply");
    CHECK(m->correlation_data == std::string_view("\0\1", 2));
    CHECK(m->user_properties == std::vector<user_property>(std::begin(user), std::end(user)));
    CHECK(m->message_expiry.value_or(0) > 50);
    CHECK(m->subscription_ids == std::vector<std::uint32_t>{77});
}

TEST_CASE("a will is published when the client is cut off, and when it asks for it" * doctest::skip(!mosquitto::installed())) {
    blocking_client watcher;
    REQUIRE(watcher.connect(to_broker("watcher")).has_value());
    REQUIRE(watcher.subscribe("will/#", 1).has_value());
    auto options = to_broker("mortal");
    options.will = publication{.topic = "will/mortal", .payload = "gone", .qos = 1};
    for (int how = 0; how < 3; ++how) {
        blocking_client mortal;
        REQUIRE(mortal.connect(options).has_value());
        if (how == 0) mortal.drop();
        if (how == 1) mortal.drop(true);
        if (how == 2) CHECK(!mortal.disconnect(reason::disconnect_with_will));
        auto const m = watcher.receive();
        REQUIRE(m.has_value());
        CHECK(m->payload == "gone");
    }
    blocking_client polite;
    REQUIRE(polite.connect(options).has_value());
    CHECK(!polite.disconnect());
    REQUIRE(watcher.publish({.topic = "will/end", .payload = "end", .qos = 1}).has_value());
    CHECK(watcher.receive()->payload == "end");
}

TEST_CASE("a session is resumed with what came meanwhile" * doctest::skip(!mosquitto::installed())) {
    auto const v = {codec::version::v5, codec::version::v311};
    for (auto version : v) {
        auto options = to_broker("sleeper" + std::to_string(int(version)), version);
        options.clean_start = false;
        options.session_expiry = 300;
        blocking_client sleeper, other;
        auto const first = sleeper.connect(options);
        REQUIRE(first.has_value());
        CHECK_FALSE(first->session_present);
        REQUIRE(sleeper.subscribe("sleep/" + options.client_id, 2).has_value());
        sleeper.drop();
        REQUIRE(other.connect(to_broker("other")).has_value());
        for (std::uint8_t qos : {1, 2}) REQUIRE(other.publish({.topic = "sleep/" + options.client_id, .payload = std::to_string(qos), .qos = qos}).has_value());
        auto const second = sleeper.connect(options);
        REQUIRE(second.has_value());
        CHECK(second->session_present);
        CHECK(sleeper.receive()->payload == "1");
        CHECK(sleeper.receive()->payload == "2");
    }
}

TEST_CASE("TLS refuses what it should, and says why" * doctest::skip(!mosquitto::installed())) {
    auto const device = ca().device("dev-1");
    blocking_client c;
    SUBCASE("a server of another CA") {
        testing::certs other;
        REQUIRE(!c.connect(over_tls("x", {.ca = other.ca_file(), .certificate = device.certificate, .key = device.key})));
        CHECK(c.closed()->detail.find("certificate") != std::string::npos);
    }
    SUBCASE("a server of another name") {
        auto o = over_tls("x", {.ca = ca().ca_file(), .certificate = device.certificate, .key = device.key});
        o.server_name = "broker.example";
        REQUIRE(!c.connect(o));
        CHECK(c.closed()->detail.find("mismatch") != std::string::npos);
    }
    SUBCASE("a client without a certificate") { CHECK(!c.connect(over_tls("x", {.ca = ca().ca_file()}))); }
    SUBCASE("a key that does not fit is told at once") {
        CHECK(!tls_context::make({.ca = ca().ca_file(), .certificate = device.certificate, .key = ca().device("dev-2").key}));
        CHECK(!tls_context::make({.ca = "/nonexistent/ca.pem"}));
    }
}

TEST_CASE("a burst is written in few writes, held to the server's Receive Maximum, and all of it is acknowledged" *
          doctest::skip(!mosquitto::installed())) {
    blocking_client c;
    auto const connack = c.connect(to_broker("burst"));
    REQUIRE(connack.has_value());
    CHECK(connack->receive_maximum == 7);
    REQUIRE(c.subscribe("burst/#", 2).has_value());
    auto const writes = c.async().counted().writes;
    for (int i = 0; i < 200; ++i) REQUIRE(c.async().publish({.topic = "burst/0", .payload = "x"}).has_value());
    for (int i = 0; i < 200; ++i) CHECK(c.receive().has_value());
    CHECK(c.async().counted().writes - writes < 10);
    for (int i = 0; i < 300; ++i) REQUIRE(c.async().publish({.topic = "burst/12", .payload = std::to_string(i), .qos = std::uint8_t(1 + i % 2)}).has_value());
    for (int i = 0; i < 300; ++i) REQUIRE(c.receive().has_value());
    CHECK(c.publish({.topic = "burst/end", .qos = 2}).has_value());
    CHECK(c.async().unanswered() == 0);
}

TEST_CASE("a ping is sent when the keep alive asks for it, and answered" * doctest::skip(!mosquitto::installed())) {
    blocking_client c;
    auto o = to_broker("pinger");
    o.own_timer = false;
    REQUIRE(c.connect(o).has_value());
    auto const before = c.async().counted();
    c.async().tick(client::client::clock::now() + 30s);
    c.run_for(0ms);
    CHECK(c.async().counted().packets_out == before.packets_out);
    c.async().tick(client::client::clock::now() + 100s);
    CHECK(c.receive(500ms).error() == make_error_code(errc::call_timeout));
    CHECK(c.async().counted().packets_out == before.packets_out + 1);
    CHECK(c.async().counted().packets_in == before.packets_in + 1);
}
