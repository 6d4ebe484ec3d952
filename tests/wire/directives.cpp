// Mosquitto's directives that change what is on the wire.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>

using namespace airmail::test;

namespace {

/// A broker with the usual listener and one below mount_point.
struct mounted {
    explicit mounted(std::string mount = "site/", std::string global = {}, std::vector<std::pair<std::string, std::string>> const& files = {})
        : w{global + transport_listener(port) + "allow_anonymous true\nmount_point " + mount + "\n", files} {}
    /// A client below the mount point, welcomed.
    wire_end& below(std::string_view id, std::string_view how = "05 02 0000 []") {
        return w.client_at(port).says("10[<MQTT>" + std::string{how} + "<" + std::string{id} + ">]").hears("20[00 00 [..]]");
    }
    std::uint16_t port = some_port();
    wire w;
};

std::string hex_of(std::size_t n) { return std::string(n, 'x'); }

}

TEST_CASE("mount_point stands before every topic of a listener's clients, who do not see it") {
    mounted m;
    auto& outside = m.w.client("out");
    auto& inside = m.below("in");
    outside.says("82[0001 [] <#> 00]").hears("90[0001 [] 00]");
    inside.says("82[0001 [] <t/+> 01]").hears("90[0001 [] 01]");
    outside.says("32[<site/t/a> 0002 [] 'x']").hears("30[<site/t/a> [] 'x']").hears("40[0002 ..]");
    inside.hears("32[<t/a> ???? [] 'x']");
    inside.says("30[<u> [] 'y']");
    outside.hears("30[<site/u> [] 'y']");
    // Its own world only: t/a of the others is not its t/a.
    outside.says("30[<t/a> [] 'z']").hears("30[<t/a> [] 'z']");
    inside.hears_nothing();
    inside.says("A2[0003 [] <t/+>]").hears("B0[0003 [] 00]");
    outside.says("30[<site/t/a> [] 'x']").hears("30[<site/t/a> [] 'x']");
    inside.hears_nothing();
}

TEST_CASE("mount_point holds for retained messages, wills, shared subscriptions and topic aliases, and $SYS is outside of it") {
    mounted m;
    auto& outside = m.w.client("out");
    m.w.client("kept").says("31[<site/kept> [] 'k']").hears_nothing();
    // Another client: two topics may contend for one alias, and which do is drawn anew each time.
    m.below("reader", "05 02 0000 [22 000A]").says("82[0001 [] <kept> 00]").hears("90[0001 [] 00]").hears("31[<kept> [23 ????] 'k']");
    auto& inside = m.below("in", "05 02 0000 [22 000A]");
    inside.says("82[0002 [] <$share/g/s> 00]").hears("90[0002 [] 00]");
    outside.says("30[<site/s> [] '1']");
    inside.hears("30[<s> [23 ????] '1']");
    outside.says("30[<site/s> [] '2']");
    inside.hears("30[<> [23 ????] '2']");
    outside.says("82[0001 [] <site/w> 00]").hears("90[0001 [] 00]");
    inside.says("31[<held> [23 0001] 'h']").says("31[<> [23 0001] 'i']").hears_nothing();
    outside.says("82[0002 [] <site/held> 00]").hears("90[0002 [] 00]").hears("31[<site/held> [] 'i']");
    m.w.client_at(m.port).says("10[<MQTT> 05 06 0000 [] <dies> [] <w> <gone>]").hears("20[00 00 [..]]").cut();
    outside.hears("30[<site/w> [] 'gone']");
    inside.says("82[0003 [] <$SYS/#> 00]").hears("90[0003 [] 00]").hears_nothing();
    // A filter that is wrong by itself does not become right below a mount point.
    inside.says("82[0004 [] <a/#/b> 00]").is_sent_away("8F");
}

TEST_CASE("rules see the whole topic of a client below a mount point") {
    mounted m{"site/", "acl_file {dir}/acl\n", {{"acl", "topic readwrite site/open/#\ntopic readwrite shut/#\n"}}};
    auto& inside = m.below("in");
    inside.says("32[<open/a> 0001 [] 'x']").hears("40[0001 10 ..]");
    inside.says("32[<shut/a> 0002 [] 'x']").hears("40[0002 87 ..]");
}

TEST_CASE("max_inflight_bytes holds the next message back until the client has acknowledged") {
    wire w{"max_inflight_bytes 2500\n"};
    auto& a = w.client("a");
    auto& b = w.client("b");
    b.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    for (auto const* id : {"1", "2", "3", "4"}) a.says("32[<t> 000" + std::string{id} + " [] '" + id + hex_of(999) + "']").hears("40[000" + std::string{id} + " ..]");
    b.hears("32[<t> 0001 [] '1" + hex_of(999) + "']").hears("32[<t> 0002 [] '2" + hex_of(999) + "']").hears_nothing();
    b.says("40[0001]").hears("32[<t> 0003 [] '3" + hex_of(999) + "']").hears_nothing();
    b.says("40[0002]").hears("32[<t> 0004 [] '4" + hex_of(999) + "']");
}

TEST_CASE("upgrade_outgoing_qos delivers with the subscription's QoS") {
    wire w{"upgrade_outgoing_qos true\n"};
    auto& a = w.client("a");
    auto& b = w.client("b");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    a.says("30[<t> [] 'x']");
    b.hears("34[<t> 0001 [] 'x']").says("50[0001]").hears("62[0001]").says("70[0001]");
    a.says("32[<t> 0001 [] 'y']").hears("40[0001 ..]");
    b.hears("34[<t> ???? [] 'y']");
}

TEST_CASE("queue_qos0_messages keeps QoS 0 for a session whose client is away") {
    for (bool const keeps : {true, false}) {
        wire w{keeps ? "queue_qos0_messages true\nlimit_session_expiry 1h\n" : "limit_session_expiry 1h\n"};
        auto& a = w.client("a");
        auto& b = w.client("b", "05 02 0000 [11 00000E10]");
        b.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]").says("E0 00").is_closed();
        a.says("30[<t> [] '0']").says("32[<t> 0001 [] '1']").hears("40[0001 ..]").says("30[<t> [] '2']").hears_nothing();
        b.again();
        b.says("10[<MQTT> 05 00 0000 [11 00000E10] <b>]").hears("20[01 00 [..]]");
        if (keeps) b.hears("30[<t> [] '0']");
        b.hears("32[<t> ???? [] '1']");
        if (keeps) b.hears("30[<t> [] '2']");
        b.hears_nothing();
    }
}

TEST_CASE("global_max_clients counts sessions: one more is refused, one that comes back is not") {
    wire w{"global_max_clients 2\nlimit_session_expiry 1h\n"};
    auto& kept = w.client("kept", "05 02 0000 [11 00000E10]");
    auto& other = w.client("other");
    kept.says("E0 00").is_closed();
    w.refuses("10[<MQTT> 05 02 0000 [] <third>]", "97");
    kept.again();
    kept.says("10[<MQTT> 05 00 0000 [11 00000E10] <kept>]").hears("20[01 00 [..]]");
    other.says("E0 00").is_closed();
    w.client("third");
}

TEST_CASE("max_keepalive: a 3.1.1 client that asks for more, or for none, is refused, a 5 client is told") {
    wire w{"max_keepalive 60\n"};
    w.client().says("10[<MQTT> 04 02 003C <ok>]").hears("20[00 00]");
    w.client().says("10[<MQTT> 04 02 003D <long>]").hears("20[00 02]").is_closed();
    w.client().says("10[<MQTT> 04 02 0000 <none>]").hears("20[00 02]").is_closed();
    auto const told = w.client().says("10[<MQTT> 05 02 003D [] <five>]").next();
    CHECK(holds(told, "13 003C"));
}
