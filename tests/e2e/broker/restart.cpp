// What time and restarts leave behind: retained messages, sessions, expiry.

#include "tests/e2e/broker/house.hpp"

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

std::string const plain = "listener {plain} 127.0.0.1\nallow_anonymous true\n";

/// Ends the broker the way the subcase says and starts it again.
void restart(broker_process& d, bool power_cut) {
    if (power_cut) d.kill();
    else REQUIRE(d.stop() == 0);
    up(d);
}

bool has_session(broker_process const& d, std::string const& id) { return d.control("GET", "/api/v1/sessions?limit=1000").text.find("\"client_id\":\"" + id + "\"") != std::string::npos; }

}

TEST_CASE("retained messages outlive a restart, and a cleared one stays cleared") {
    bool power_cut = false;
    SUBCASE("in order") {}
    SUBCASE("a power cut") { power_cut = true; }
    broker_process d{plain};
    up(d);
    {
        blocking_client c;
        connects(c, plain_options(d, "a"));
        c.publish({.topic = "r/old", .payload = "1", .qos = 1, .retain = true});
        c.publish({.topic = "r/old", .payload = "2", .qos = 1, .retain = true, .content_type = "text/plain"});
        c.publish({.topic = "r/gone", .payload = "1", .qos = 1, .retain = true});
        c.publish({.topic = "r/gone", .payload = "", .qos = 1, .retain = true});
    }
    restart(d, power_cut);
    blocking_client c;
    connects(c, plain_options(d, "b"));
    c.subscribe("r/#", 1);
    auto const m = c.receive();
    REQUIRE(m.has_value());
    CHECK(m->topic == "r/old");
    CHECK(m->payload == "2");
    CHECK(m->retain);
    CHECK(m->content_type == "text/plain");
    c.publish({.topic = "r/end", .payload = "end", .qos = 1});
    receives_only(c, "r/end", "end");
}

TEST_CASE("a session that may live does, one whose time is over is gone after a restart [MQTT-3.1.2-23]") {
    broker_process d{plain};
    up(d);
    for (auto const& [id, expiry] : {std::pair{"long", 3600u}, std::pair{"short", 1u}, std::pair{"none", 0u}}) {
        blocking_client c;
        auto o = plain_options(d, id, false);
        o.session_expiry = expiry;
        connects(c, o);
        REQUIRE(c.subscribe(std::string("s/") + id, 1).has_value());
        REQUIRE_FALSE(c.disconnect());
    }
    restart(d, true);
    CHECK(eventually([&] { return !has_session(d, "short"); }, 20s));
    CHECK(has_session(d, "long"));
    CHECK_FALSE(has_session(d, "none"));
    blocking_client c;
    connects(c, plain_options(d, "long", false));
    CHECK(c.connack()->session_present);
    REQUIRE_FALSE(c.disconnect());
    connects(c, plain_options(d, "short", false));
    CHECK_FALSE(c.connack()->session_present);
}

TEST_CASE("a queued message ages over a restart, and is dropped when its time is over [MQTT-3.3.2-5] [MQTT-3.3.2-6]") {
    broker_process d{plain};
    up(d);
    auto const begun = std::chrono::steady_clock::now();
    {
        blocking_client reader, writer;
        connects(reader, plain_options(d, "reader", false));
        reader.subscribe("e/#", 1);
        REQUIRE_FALSE(reader.disconnect());
        connects(writer, plain_options(d, "writer"));
        writer.publish({.topic = "e/short", .payload = "short", .qos = 1, .message_expiry = 1});
        writer.publish({.topic = "e/long", .payload = "long", .qos = 1, .message_expiry = 1000});
        writer.publish({.topic = "k/short", .payload = "short", .qos = 1, .retain = true, .message_expiry = 1});
        writer.publish({.topic = "k/long", .payload = "long", .qos = 1, .retain = true, .message_expiry = 1000});
    }
    restart(d, true);
    REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - begun > 3s; }));  // the time itself is what is tested
    blocking_client reader;
    connects(reader, plain_options(d, "reader", false));
    auto m = reader.receive();
    REQUIRE(m.has_value());
    CHECK(m->topic == "e/long");
    REQUIRE(m->message_expiry.has_value());
    CHECK(*m->message_expiry < 1000);
    CHECK(*m->message_expiry > 900);
    reader.subscribe("k/#", 1);
    m = reader.receive();
    REQUIRE(m.has_value());
    CHECK(m->topic == "k/long");
    CHECK(m->message_expiry.value_or(0) < 1000);
    CHECK(reader.waiting() == 0);
}

TEST_CASE("a 3.1.1 session with its subscriptions outlives a power cut") {
    broker_process d{plain};
    up(d);
    {
        blocking_client reader;
        connects(reader, plain_options(d, "old", false, airmail::codec::version::v311));
        reader.subscribe("old/#", 2);
        reader.disconnect();
    }
    restart(d, true);
    blocking_client reader, writer;
    connects(writer, plain_options(d, "writer"));
    writer.publish({.topic = "old/x", .payload = "hello", .qos = 2});
    connects(reader, plain_options(d, "old", false, airmail::codec::version::v311));
    CHECK(reader.connack()->session_present);
    receives_only(reader, "old/x", "hello");
}
