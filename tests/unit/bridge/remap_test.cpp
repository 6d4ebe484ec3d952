#include "broker/bridge/remap.hpp"

#include "broker/config/parse.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using bridge::inward, bridge::outward;

namespace {

config::config read(std::string const& lines) { return config::parse_text("listener 1883 127.0.0.1\nconnection c\naddress h\n" + lines); }

std::vector<config::bridge_topic> topics(std::string const& lines) {
    auto const c = read(lines);
    for (auto const& f : c.findings()) REQUIRE_MESSAGE(f.weight != config::finding::grade::error, f.str());
    return c.bridges().at(0).topics;
}

std::string complaint(std::string const& lines) {
    auto const c = read(lines);
    for (auto const& f : c.findings())
        if (f.weight == config::finding::grade::error) return f.str();
    return {};
}

}

TEST_CASE("L/pattern here is R/pattern there; \"\" is an empty prefix") {
    auto const t = topics("topic a/# both 1 l/ r/\ntopic b/+ out 0 \"\" far/\ntopic c in 2 near/ \"\"\n");
    CHECK(outward(t, "l/a/x") == "r/a/x");
    CHECK(inward(t, "r/a/x") == "l/a/x");
    CHECK(outward(t, "b/1") == "far/b/1");
    CHECK(!inward(t, "far/b/1"));
    CHECK(inward(t, "c") == "near/c");
    CHECK(!outward(t, "near/c"));
    CHECK(!outward(t, "a/x"));
}

TEST_CASE("an empty pattern maps one topic to one topic") {
    auto const t = topics("topic \"\" both 0 here/t there/t\n");
    CHECK(outward(t, "here/t") == "there/t");
    CHECK(inward(t, "there/t") == "here/t");
    CHECK(!outward(t, "here/t/x"));
}

TEST_CASE("the first line that matches decides, and out at QoS 0 is what a bare pattern means") {
    auto const t = topics("topic a/b out 0 \"\" one/\ntopic a/# out 0 \"\" two/\n");
    CHECK(outward(t, "a/b") == "one/a/b");
    CHECK(outward(t, "a/c") == "two/a/c");
    auto const bare = topics("topic x/#\n");
    CHECK(bare.at(0).out);
    CHECK(!bare.at(0).in);
    CHECK(bare.at(0).qos == 0);
}

TEST_CASE("wildcards do not reach topics that begin with $ [MQTT-4.7.2-1]") {
    auto const t = topics("topic # out 0\n");
    CHECK(outward(t, "a"));
    CHECK(!outward(t, "$SYS/x"));
    CHECK(bridge::matches("a/#", "a"));
    CHECK(!bridge::matches("a/+", "a"));
    CHECK(bridge::matches("+/+", "/"));
}

TEST_CASE("a wrong line of a bridge names file, line and what was expected") {
    CHECK(complaint("topic a sideways\n") == "airmail.conf:4: error: topic: expected out, in or both after the pattern, got \"a sideways\"");
    CHECK(complaint("topic a out 3\n").find("a QoS of 0, 1 or 2") != std::string::npos);
    CHECK(complaint("topic \"\" out 0 x/\n").find("two prefixes") != std::string::npos);
    CHECK(complaint("topic a/#/b\n").find("a pattern that is a topic filter") != std::string::npos);
    CHECK(complaint("topic a\naddress h:99999\n").find("airmail.conf:5: error: address: expected HOST[:PORT]") != std::string::npos);
    CHECK(complaint("topic a\nrestart_timeout 10 5\n").find("CAP") != std::string::npos);
    CHECK(complaint("topic a\nbridge_psk xyz\n") == "airmail.conf:5: error: bridge_psk: expected a key in hexadecimal (not shown here)");
    CHECK(complaint("topic a\nbridge_require_ocsp true\n").find("less safe") != std::string::npos);
    CHECK(complaint("") == "airmail.conf:2: error: connection c has no topic: it would carry nothing");
    CHECK(complaint("topic a\nbridge_identity i\n").find("bridge_identity and bridge_psk together") != std::string::npos);
}

TEST_CASE("addresses: several, IPv6 in brackets, a comment ends the list") {
    auto const b = read("topic a\naddress one two:1884 [::1]:1885 # three\n").bridges().at(0);
    REQUIRE(b.addresses.size() == 3);
    CHECK(b.addresses[0].port == 1883);
    CHECK(b.addresses[1].host == "two");
    CHECK(b.addresses[1].port == 1884);
    CHECK(b.addresses[2].host == "::1");
    CHECK(b.addresses[2].port == 1885);
}

TEST_CASE("Mosquitto's defaults and aliases") {
    auto const b = read("topic a\nclientid me\nusername u\npassword p\nrestart_timeout 7\nstart_type lazy\nbridge_protocol_version mqttv50\n").bridges().at(0);
    CHECK(b.remote_client_id == "me");
    CHECK(b.remote_user == "u");
    CHECK(b.remote_password == "p");
    CHECK(b.restart_base == b.restart_cap);
    CHECK(b.protocol == 5);
    CHECK(b.starts == config::bridge::start::lazy);
    CHECK(b.try_private);
    CHECK(b.notifications);
    CHECK(!b.local_clean());
}
