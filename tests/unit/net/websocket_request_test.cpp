#include "broker/net/websocket_request.hpp"

#include <doctest/doctest.h>

using namespace airmail::net;

namespace {
request_view good() { return {.target = "/mqtt", .subprotocols = "mqtt", .is_upgrade = true}; }
}

TEST_CASE("the subprotocol mqtt must be offered, and is what is answered [MQTT-6.0.0-3] [MQTT-6.0.0-4]") {
    websocket_rules const rules;
    auto r = good();
    CHECK(judge(r, rules).status == 0);
    CHECK(judge(r, rules).subprotocol == "mqtt");
    for (auto const* offered : {"chat, mqtt", "mqttv3.1,mqtt", " mqtt ", "mqtt,chat"}) {
        r.subprotocols = offered;
        CHECK_MESSAGE(judge(r, rules).subprotocol == "mqtt", offered);
    }
    r.subprotocols = "mqttv3.1";
    CHECK(judge(r, rules).subprotocol == "mqttv3.1");
    for (auto const* offered : {"", ",", "chat", "mqttx", "xmqtt", "MQTT"}) {
        r.subprotocols = offered;
        CHECK_MESSAGE(judge(r, rules).status == 400, offered);
    }
}

TEST_CASE("only the path that was asked for is served, whatever its query") {
    websocket_rules rules;
    auto r = good();
    r.target = "/anything";
    CHECK(judge(r, rules).status == 0);
    rules.path = "/mqtt";
    CHECK(judge(r, rules).status == 404);
    r.target = "/mqtt?token=x";
    CHECK(judge(r, rules).status == 0);
    r.target = "/mqtt/more";
    CHECK(judge(r, rules).status == 404);
}

TEST_CASE("a page may connect only from a listed origin; who sends none is no page") {
    websocket_rules rules;
    auto r = good();
    CHECK(judge(r, rules).status == 0);
    r.has_origin = true, r.origin = "https://evil.example";
    CHECK(judge(r, rules).status == 403);
    rules.origins = {"https://good.example"};
    CHECK(judge(r, rules).status == 403);
    r.origin = "https://good.example";
    CHECK(judge(r, rules).status == 0);
    r.origin = "https://good.example.evil.example";
    CHECK(judge(r, rules).status == 403);
    r.origin = "";
    CHECK(judge(r, rules).status == 403);
    rules.origins.clear(), rules.any_origin = true;
    CHECK(judge(r, rules).status == 0);
}

TEST_CASE("what is no upgrade is told what this is") {
    auto r = good();
    r.is_upgrade = false;
    CHECK(judge(r, {}).status == 426);
}
