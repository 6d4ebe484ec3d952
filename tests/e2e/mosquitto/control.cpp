// $CONTROL/broker/v1: what Mosquitto 2.1 answers there. Debian's is 2.0 and does not know it, so its clients ask airmaild.

#include "tests/e2e/mosquitto/pair.hpp"

#include <boost/json.hpp>

using namespace airmail::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr char const* topic = "$CONTROL/broker/v1";

struct house {
    explicit house(std::string const& control) : d{daemon_process::kind::airmail, dir.path()}, control_{control} {
        write_file(dir / "acl", "topic readwrite open/#\nuser admin\ntopic write $CONTROL/broker/v1\ntopic read $CONTROL/broker/v1/response\nuser watcher\ntopic read $CONTROL/#\n");
        for (int tries = 0; tries < 5; ++tries) {
            one = port_free_now(), two = port_free_now();
            if (d.start(text(control_), one)) return;
            REQUIRE_MESSAGE(d.said().find("in use") != std::string::npos, d.said());
        }
        FAIL("no ports");
    }
    std::string text(std::string const& control) const {
        return "user root\nallow_anonymous true\nacl_file " + (dir / "acl") + "\nlistener " + std::to_string(one) + " 127.0.0.1\nlistener " + std::to_string(two) +
               " 127.0.0.1\nprotocol websockets\nlistener 0 " + (dir / "socket") + "\n" + control;
    }
    temp_dir dir;
    daemon_process d;
    std::uint16_t one = 0, two = 0;

private:
    std::string control_;
};

/// Asks as `admin` and waits for the response.
struct admin {
    explicit admin(house const& h) {
        REQUIRE(client.connect(to_port(h.one, "admin", "admin")).has_value());
        REQUIRE(client.subscribe(std::string{topic} + "/response", 1).value().at(0) == reason::granted_qos_1);
    }
    json::array asks(std::string const& payload, reason expected = reason::no_matching_subscribers) {
        CHECK(client.publish({.topic = topic, .payload = payload, .qos = 1}).value() == expected);
        auto const m = client.receive();
        REQUIRE(m.has_value());
        CHECK(m->topic == std::string{topic} + "/response");
        return json::parse(m->payload).at("responses").as_array();
    }
    blocking_client client{20s};
};

}

TEST_CASE("enable_control_api: listeners and plugins are listed as Mosquitto 2.1 lists them, in batches, with correlation data") {
    house h{"enable_control_api true\nairmail_plugin ota\n"};
    admin a{h};
    auto const r = a.asks(R"({"commands":[{"command":"listListeners","correlationData":"7"},{"command":"listPlugins"}]})");
    REQUIRE(r.size() == 2);
    CHECK(r[0].at("command") == "listListeners");
    CHECK(r[0].at("correlationData") == "7");
    auto const expected = json::parse(R"([{"port":)" + std::to_string(h.one) + R"(,"protocol":"mqtt","bind-address":"127.0.0.1","tls":false},{"port":)" + std::to_string(h.two) +
                                      R"(,"protocol":"mqtt+websockets","bind-address":"127.0.0.1","tls":false},{"port":0,"protocol":"mqtt","socket-path":")" + (h.dir / "socket") + R"(","tls":false}])");
    CHECK_MESSAGE(r[0].at("data").at("listeners") == expected, json::serialize(r[0]));
    bool heartbeat = false;
    for (auto const& p : r[1].at("data").at("plugins").as_array()) {
        CHECK(p.at("control-endpoints").as_array().empty());
        heartbeat |= p.at("name") == "ota.heartbeat";
    }
    CHECK(heartbeat);
    CHECK_FALSE(r[1].as_object().contains("correlationData"));
}

TEST_CASE("enable_control_api: what is wrong with a request is said in the response") {
    house h{"enable_control_api true\n"};
    admin a{h};
    auto const said = [&](std::string const& request) { return json::serialize(a.asks(request)); };
    CHECK(said("listPlugins") == R"([{"command":"Unknown command","error":"Payload not valid JSON"}])");
    CHECK(said("{}") == R"([{"command":"Unknown command","error":"Invalid/missing commands"}])");
    CHECK(said(R"({"commands":[{"command":"restart","correlationData":"x"},{},3]})") ==
          R"([{"command":"restart","error":"Unknown command","correlationData":"x"},{"command":"Unknown command","error":"Missing command"},{"command":"Unknown command","error":"Command not an object"}])");
    CHECK(said(std::string(17 << 10, ' ')) == R"([{"command":"Unknown command","error":"Payload too large: at most 16 KiB"}])");
}

TEST_CASE("enable_control_api: who has no rule is refused, a request goes to nobody else, and other $CONTROL topics stay refused") {
    house h{"enable_control_api true\n"};
    admin a{h};
    blocking_client stranger{20s}, watcher{20s};
    REQUIRE(stranger.connect(to_port(h.one, "s")).has_value());
    REQUIRE(watcher.connect(to_port(h.one, "w", "watcher")).has_value());
    REQUIRE(watcher.subscribe("$CONTROL/#", 1).value().at(0) == reason::granted_qos_1);
    CHECK(stranger.publish({.topic = topic, .payload = R"({"commands":[{"command":"listPlugins"}]})", .qos = 1}).value() == reason::not_authorized);
    CHECK(a.asks(R"({"commands":[{"command":"listPlugins"}]})").size() == 1);
    auto const seen = watcher.receive();
    REQUIRE(seen.has_value());
    CHECK(seen->topic == std::string{topic} + "/response");   // the first there is: the request did not come
    CHECK(watcher.waiting() == 0);
    CHECK(a.client.publish({.topic = "$CONTROL/dynamic-security/v1", .payload = "{}", .qos = 1}).value() == reason::not_authorized);
    // QoS 2 and 3.1.1 have their acknowledgement, too.
    CHECK(!airmail::codec::failed(a.client.publish({.topic = topic, .payload = "{}", .qos = 2}).value()));
    REQUIRE(a.client.receive().has_value());
    blocking_client old{20s};
    REQUIRE(old.connect(to_port(h.one, "old", "admin", {}, airmail::codec::version::v311)).has_value());
    CHECK(old.publish({.topic = topic, .payload = "{}", .qos = 1}).has_value());
}

TEST_CASE("without enable_control_api a request is refused in plain words; a reload turns it on and off; mosquitto_rr asks") {
    house h{""};
    {
        admin a{h};
        auto const r = a.asks(R"({"commands":[{"command":"listPlugins"}]})", reason::not_authorized);
        CHECK(json::serialize(r).find("only with enable_control_api true") != std::string::npos);
        CHECK(h.d.says("a $CONTROL request was refused"));
    }
    h.d.configure(h.text("enable_control_api true\n"));
    h.d.signal(SIGHUP);
    auto const rr = [&] {
        return run({"mosquitto_rr", "-h", "127.0.0.1", "-p", std::to_string(h.one), "-u", "admin", "-i", "rr", "-W", "3", "-t", topic, "-e", std::string{topic} + "/response", "-m",
                    R"({"commands":[{"command":"listListeners"}]})"});
    };
    if (::access("/usr/bin/mosquitto_rr", X_OK) != 0) {
        MESSAGE("mosquitto_rr is not installed");
        return;
    }
    CHECK(eventually([&] { return rr().text.find(R"("socket-path")") != std::string::npos; }));
    h.d.configure(h.text(""));
    h.d.signal(SIGHUP);
    CHECK(eventually([&] { return rr().text.find(R"("socket-path")") == std::string::npos; }));
}
