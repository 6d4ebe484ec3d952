// $SYS: Mosquitto's names, on change, for those whom the rules let read it.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>
#include <map>

using namespace airmail;
using namespace airmail::test;

namespace {

/// Reads publishes of MQTT 5 without properties until `topic` has come.
std::map<std::string, std::string> until(wire_end& c, std::string const& topic) {
    std::map<std::string, std::string> seen;
    while (!seen.count(topic)) {
        auto const p = c.next();
        if ((p[0] & 0xF0) != 0x30) continue;
        auto const at = packet_pattern::first_packet(p) == p.size() ? (p[1] & 0x80 ? 3U : 2U) : 2U;
        auto const size = std::size_t{p[at]} << 8 | p[at + 1];
        auto const name = std::string(p.begin() + static_cast<long>(at) + 2, p.begin() + static_cast<long>(at + 2 + size));
        seen[name] = std::string(p.begin() + static_cast<long>(at + 2 + size) + 1 + (p[0] & 6 ? 2 : 0), p.end());
    }
    return seen;
}

}

TEST_CASE("$SYS tells a new subscriber everything at once, retained, and then what changes at sys_interval") {
    wire w{"sys_interval 1\n"};
    auto& a = w.client("a");
    a.says("82[0001 [] <$SYS/#> 00]").hears("90[0001 [] 00]");
    auto const first = until(a, "$SYS/broker/version");
    CHECK(first.at("$SYS/broker/version").find("(mosquitto 2.1 compatible)") != std::string::npos);
    // Numbers are of the process, which has run other brokers before: what counts is the change.
    auto const subscriptions = std::stoi(until(a, "$SYS/broker/subscriptions/count").at("$SYS/broker/subscriptions/count"));
    a.says("82[0002 [] <x> 00 <y> 00]");
    int now = subscriptions;
    while (now < subscriptions + 2) now = std::stoi(until(a, "$SYS/broker/subscriptions/count").at("$SYS/broker/subscriptions/count"));
    CHECK(now <= subscriptions + 3);  // the first may have been told before this client's own one
    auto const load = until(a, "$SYS/broker/load/messages/received/1min");
    CHECK(load.at("$SYS/broker/load/messages/received/1min").find('.') != std::string::npos);
}

TEST_CASE("every name of Mosquitto's $SYS is there") {
    wire w{"sys_interval 1\n"};
    auto& a = w.client("a");
    // The last of the retained ones cannot be known: each is asked for by name, and comes at once.
    std::uint16_t id = 1;
    for (auto const* name : {"version", "uptime", "clients/total", "clients/maximum", "clients/disconnected", "clients/inactive", "clients/connected", "clients/active",
                             "clients/expired", "messages/stored", "store/messages/count", "store/messages/bytes", "subscriptions/count", "shared_subscriptions/count",
                             "retained messages/count", "heap/current", "heap/maximum", "messages/received", "messages/sent", "bytes/received", "bytes/sent",
                             "publish/bytes/received", "publish/bytes/sent", "publish/messages/dropped", "publish/messages/received", "publish/messages/sent",
                             "connections/socket/count"}) {
        auto const topic = "$SYS/broker/" + std::string{name};
        INFO(topic);
        auto b = packet("82[0000 [] <" + topic + "> 00]");
        b[2] = static_cast<std::uint8_t>(id >> 8), b[3] = static_cast<std::uint8_t>(id), ++id;
        a.says(b);
        // Live updates of others may come in between.
        bool found = false;
        for (int i = 0; i < 200 && !found; ++i) {
            auto const p = a.next();
            found = p[0] == 0x31 && holds(p, "<" + topic + ">");
        }
        CHECK(found);
    }
}

TEST_CASE("$SYS is read as the rules say, and nobody publishes there") {
    wire w{"sys_interval 1\nacl_file {dir}/acl\n", {{"acl", "topic readwrite t\ntopic readwrite $SYS/broker/uptime\n"}}};
    auto& a = w.client("a");
    a.says("82[0001 [] <$SYS/broker/version> 00]").hears("90[0001 [..] 87]");
    a.says("82[0002 [] <$SYS/broker/uptime> 00]").hears("90[0002 [] 00]");
    until(a, "$SYS/broker/uptime");
    a.says("A2[0003 [] <$SYS/broker/uptime>]");
    for (bytes p = a.next(); p[0] != 0xB0; p = a.next()) CHECK((p[0] & 0xF0) == 0x30);
    a.says("32[<$SYS/broker/uptime> 0001 [] 'mine']").hears("40[0001 87 [..]]");
    w.client().says("10[<MQTT> 05 06 0000 [] <b> [] <$SYS/broker/uptime> <mine>]").hears("20[00 87 [..]]").is_closed();
}

TEST_CASE("sys_interval 0 turns $SYS off") {
    wire w{"sys_interval 0\n"};
    w.client("a").says("82[0001 [] <$SYS/#> 00]").hears("90[0001 [] 00]").hears_nothing();
}
