// MQTT 3.1.1, and what 3.1 (MQIsdp) has of its own. Ids are those of MQTT 3.1.1.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>
#include <set>

using namespace airmail;
using namespace airmail::test;

namespace {

constexpr auto clean = "04 02 0000", kept = "04 00 0000";

bytes ack(std::uint8_t first, bytes const& publish) {
    auto const at = 4 + std::size_t{publish[3]};
    return {first, 2, publish[at], publish[at + 1]};
}

/// Closed without a word: a 3.1.1 server has no DISCONNECT.
void cut_off(wire& w, std::string const& packet) {
    INFO(packet);
    w.client("c", clean).says(packet).is_closed();
}

}

TEST_CASE("[3.1.1 MQTT-1.5.3-1] [3.1.1 MQTT-1.5.3-2] bad UTF-8 and U+0000 close the connection") {
    wire w;
    cut_off(w, "30[0002 C0AF 'x']");
    cut_off(w, "30[0003 EDA080 'x']");
    cut_off(w, "30[0003 610062 'x']");
}

TEST_CASE("[3.1.1 MQTT-1.5.3-3] EF BB BF is kept") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("82[0001 0004 EFBBBF'a' 00]").hears("90[0001 00]").says("30[<a> '1']").hears_nothing();
    a.says("30[0004 EFBBBF'a' '2']").hears("30[0004 EFBBBF'a' '2']");
}

TEST_CASE("[3.1.1 MQTT-2.2.2-1] [3.1.1 MQTT-2.2.2-2] reserved header flags with another value close the connection") {
    wire w;
    for (auto const* packet : {"C1 00", "41[0001]", "80[0001 <t> 00]", "E1 00", "F0 00"}) cut_off(w, packet);
}

TEST_CASE("[3.1.1 MQTT-2.3.1-1] [3.1.1 MQTT-2.3.1-5] packet identifiers are not 0, and QoS 0 has none") {
    wire w;
    for (auto const* packet : {"32[<t> 0000 'x']", "82[0000 <t> 00]", "A2[0000 <t>]"}) cut_off(w, packet);
    auto& a = w.client("a", clean);
    a.says("82[0001 <t> 02]").hears("90[0001 02]").says("30[<t> 'x']").hears("30[<t> 'x']");
}

TEST_CASE("[3.1.1 MQTT-2.3.1-2] [3.1.1 MQTT-2.3.1-3] [3.1.1 MQTT-2.3.1-4] the server's identifiers are unused and not 0, and the same when it sends again") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", kept);
    b.says("82[0001 <t> 01]").hears("90[0001 01]");
    std::set<bytes> ids;
    bytes first;
    for (int i = 0; i < 5; ++i) {
        a.says("32[<t> 0001 'x']").hears("40[0001]");
        auto const p = b.next();
        if (i == 0) first = p;
        ids.insert(ack(0x40, p));
    }
    CHECK(ids.size() == 5);
    CHECK(ids.count({0x40, 2, 0, 0}) == 0);
    b.cut();
    b.again();
    b.says("10[<MQTT> 04 00 0000 <b>]").hears("20[01 00]");
    CHECK(ack(0x40, b.next()) == ack(0x40, first));
}

TEST_CASE("[3.1.1 MQTT-2.3.1-6] [3.1.1 MQTT-2.3.1-7] acknowledgements repeat the identifier") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("32[<t> ABCD 'x']").hears("40[ABCD]").says("34[<t> 1234 'x']").hears("50[1234]").says("62[1234]").hears("70[1234]");
    a.says("82[0102 <t> 00]").hears("90[0102 00]").says("A2[0103 <t>]").hears("B0[0103]");
}

TEST_CASE("[3.1.1 MQTT-3.1.0-1] [3.1.1 MQTT-3.1.0-2] the first packet is CONNECT, and there is only one") {
    wire w;
    w.client().says("82[0001 <t> 00]").is_closed();
    cut_off(w, "10[<MQTT> 04 02 0000 <c>]");
}

TEST_CASE("[3.1.1 MQTT-3.1.2-1] [3.1.1 MQTT-3.1.2-2] a wrong name closes; an unsupported level gets CONNACK 0x01") {
    wire w;
    auto& a = w.client().says("10[<MQTX> 04 02 0000 <a>]");
    auto const answer = a.next();  // one may say so, in whatever version one likes
    CHECK(answer[0] == 0x20);
    a.is_closed();
    w.client().says("10[<MQIsdp> 02 02 0000 <a>]").hears("20[00 01]").is_closed();
}

TEST_CASE("[3.1.1 MQTT-3.1.2-3] the reserved CONNECT flag closes the connection without CONNACK") {
    wire w;
    w.client().says("10[<MQTT> 04 03 0000 <a>]").is_closed();
}

TEST_CASE("[3.1.1 MQTT-3.1.2-4] [3.1.1 MQTT-3.1.2-5] [3.1.1 MQTT-3.1.4-3] [3.1.1 MQTT-3.2.2-2] Clean Session 0 resumes, with the QoS 1 and 2 messages that came meanwhile") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", kept);
    b.says("82[0001 <t> 02]").hears("90[0001 02]").says("E0 00").is_closed();
    a.says("32[<t> 0001 '1']").hears("40[0001]").says("34[<t> 0002 '2']").hears("50[0002]");
    b.again();
    b.says("10[<MQTT> 04 00 0000 <b>]").hears("20[01 00]").hears("32[<t> ???? '1']").hears("34[<t> ???? '2']");
}

TEST_CASE("[3.1.1 MQTT-3.1.2-6] [3.1.1 MQTT-3.2.2-1] [3.1.1 MQTT-3.2.2-3] Clean Session 1 drops what was there and leaves nothing behind") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", kept);  // 20[00 00]: none was there
    b.says("82[0001 <t> 01]").hears("90[0001 01]").says("E0 00").is_closed();
    b.again();
    b.says("10[<MQTT> 04 02 0000 <b>]").hears("20[00 00]");
    a.says("32[<t> 0001 'x']").hears("40[0001]");
    b.hears_nothing().says("82[0001 <t> 01]").hears("90[0001 01]").says("E0 00").is_closed();
    b.again();
    b.says("10[<MQTT> 04 00 0000 <b>]").hears("20[00 00]");
    a.says("32[<t> 0001 'x']").hears("40[0001]");
    b.hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.1.2-7] retained messages are no session state and stay") {
    wire w;
    w.client("a", clean).says("33[<t> 0001 'x']").hears("40[0001]").says("E0 00").is_closed();
    w.client("b", clean).says("82[0001 <t> 00]").hears("90[0001 00]").hears("31[<t> 'x']");
}

TEST_CASE("[3.1.1 MQTT-3.1.2-8] [3.1.1 MQTT-3.1.2-10] [3.1.1 MQTT-3.1.2-12] [3.1.1 MQTT-3.14.4-3] the will goes out when the connection is lost, once; not after DISCONNECT, and not when there is none") {
    wire w;
    auto& b = w.client("b", clean);
    b.says("82[0001 <w> 00]").hears("90[0001 00]");
    w.client().says("10[<MQTT> 04 06 0000 <a> <w> <1>]").hears("20[00 00]").says("E0 00").is_closed();
    b.hears_nothing();
    w.client("c", clean).cut();
    w.client().says("10[<MQTT> 04 06 0000 <a> <w> <2>]").hears("20[00 00]").cut();
    b.hears("30[<w> '2']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.1.2-9] [3.1.1 MQTT-3.1.2-11] [3.1.1 MQTT-3.1.2-13] [3.1.1 MQTT-3.1.2-14] [3.1.1 MQTT-3.1.2-15] will fields follow the will flags; will QoS 3 and flags without a will close") {
    wire w;
    w.client().says("10[<MQTT> 04 06 0000 <a>]").is_closed();
    w.client().says("10[<MQTT> 04 02 0000 <a> <w> <p>]").is_closed();
    w.client().says("10[<MQTT> 04 0A 0000 <a>]").is_closed();
    w.client().says("10[<MQTT> 04 1E 0000 <a> <w> <p>]").is_closed();
    w.client().says("10[<MQTT> 04 22 0000 <a>]").is_closed();
}

TEST_CASE("[3.1.1 MQTT-3.1.2-16] [3.1.1 MQTT-3.1.2-17] Will Retain says whether the will is retained") {
    wire w;
    auto& b = w.client("b", clean);
    b.says("82[0001 <#> 00]").hears("90[0001 00]");
    w.client().says("10[<MQTT> 04 06 0000 <a> <w/0> <p>]").hears("20[00 00]").cut();
    b.hears("30[<w/0> 'p']");
    w.client().says("10[<MQTT> 04 26 0000 <a> <w/1> <p>]").hears("20[00 00]").cut();
    b.hears("30[<w/1> 'p']");
    w.client("late", clean).says("82[0001 <w/+> 00]").hears("90[0001 00]").hears("31[<w/1> 'p']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.1.2-18] [3.1.1 MQTT-3.1.2-19] [3.1.1 MQTT-3.1.2-20] [3.1.1 MQTT-3.1.2-21] [3.1.1 MQTT-3.1.2-22] user name and password follow their flags, and no password without a user name") {
    wire w;
    for (auto const* connect : {"10[<MQTT> 04 02 0000 <a> <user>]", "10[<MQTT> 04 82 0000 <a>]", "10[<MQTT> 04 82 0000 <a> <user> <secret>]", "10[<MQTT> 04 C2 0000 <a> <user>]", "10[<MQTT> 04 42 0000 <a> <secret>]"}) {
        INFO(connect);
        w.client().says(connect).is_closed();
    }
    w.client().says("10[<MQTT> 04 C2 0000 <a> <user> <secret>]").hears("20[00 00]");
}

TEST_CASE("[3.1.1 MQTT-3.1.2-24] silence of one and a half times the keep alive closes the connection") {
    wire w;
    auto& b = w.client("b", clean);
    b.says("82[0001 <w> 00]").hears("90[0001 00]");
    auto const begin = std::chrono::steady_clock::now();
    w.client().says("10[<MQTT> 04 06 0001 <a> <w> <p>]").hears("20[00 00]").is_closed();
    CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(1400));
    b.hears("30[<w> 'p']");
}

TEST_CASE("[3.1.1 MQTT-3.1.3-1] [3.1.1 MQTT-3.1.3-2] [3.1.1 MQTT-3.1.3-3] [3.1.1 MQTT-3.1.3-4] [3.1.1 MQTT-3.1.3-10] [3.1.1 MQTT-3.1.3-11] the payload's fields, in their order and in UTF-8") {
    wire w;
    for (auto const* connect : {"10[<MQTT> 04 02 0000 0001 FF]", "10[<MQTT> 04 02 0000]", "10[<MQTT> 04 06 0000 <a> 0001 FF <p>]", "10[<MQTT> 04 82 0000 <a> 0001 FF]"}) {
        INFO(connect);
        w.client().says(connect).is_closed();
    }
    auto& b = w.client("b", clean);
    b.says("82[0001 <w> 00]").hears("90[0001 00]");
    w.client().says("10[<MQTT> 04 C6 0000 <a> <w> <p> <user> <secret>]").hears("20[00 00]").cut();
    b.hears("30[<w> 'p']");
}

TEST_CASE("[3.1.1 MQTT-3.1.3-5] [3.1.1 MQTT-3.1.3-6] [3.1.1 MQTT-3.1.3-7] [3.1.1 MQTT-3.1.3-8] [3.1.1 MQTT-3.1.3-9] ids of 1 to 23 characters; an empty one only with Clean Session 1, else CONNACK 0x02") {
    wire w;
    w.client("0", clean);
    w.client("abcdefghijklmnopqrstuvw", clean);
    w.client("", clean).hears_nothing();
    w.client().says("10[<MQTT> 04 00 0000 <>]").hears("20[00 02]").is_closed();
    w.client().says("10[<MQTT> 04 02 0000 0003 610162]").hears("20[00 02]").is_closed();
}

TEST_CASE("[3.1.1 MQTT-3.1.4-1] [3.1.1 MQTT-3.2.2-6] a malformed CONNECT is closed without CONNACK") {
    wire w;
    w.client().says("10[<MQTT> 04 02 0000 <a> 00]").is_closed();
    w.client().says("10[<MQTT> 04 02]").is_closed();
}

TEST_CASE("[3.1.1 MQTT-3.1.4-2] the same client again closes the old connection, silently") {
    wire w;
    auto &old = w.client("a", clean), &fresh = w.client("a", clean);
    old.is_closed();
    fresh.hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.1.4-4] [3.1.1 MQTT-3.2.0-1] CONNACK 0x00 comes first") {
    wire w;
    w.client().says("10[<MQTT> 04 02 0000 <a>] C0 00").hears("20[00 00]").hears("D0 00");
}

TEST_CASE("[3.1.1 MQTT-3.1.4-5] [3.1.1 MQTT-3.2.2-4] [3.1.1 MQTT-3.2.2-5] a refusal has Session Present 0 and a code of 1 to 5, closes, and nothing behind it is processed") {
    wire w;
    auto &b = w.client("b", clean), &kept_one = w.client("k", kept);
    kept_one.says("E0 00").is_closed();
    b.says("82[0001 <#> 00]").hears("90[0001 00]");
    w.client().says("10[<MQTT> 04 00 0000 <>] 30[<t> 'x']").hears("20[00 02]").is_closed();
    b.hears_nothing();
    wire guarded{"allow_anonymous false\npassword_file {dir}/users\n", {{"users", "ann:$6$AAAAAAAAAAAAAAAA$" + std::string(86, 'A') + "==\n"}}};
    guarded.client().says("10[<MQTT> 04 02 0000 <a>]").hears("20[00 05]").is_closed();
    guarded.client().says("10[<MQTT> 04 C2 0000 <a> <ann> <wrong>]").hears("20[00 04]").is_closed();
}

TEST_CASE("[3.1.1 MQTT-3.3.1-1] [3.1.1 MQTT-4.4.0-1] DUP 1 on what is sent again, which happens on resume only") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", kept);
    b.says("82[0001 <t> 01]").hears("90[0001 01]");
    a.says("32[<t> 0001 'x']").hears("40[0001]");
    b.hears("32[<t> ???? 'x']").hears_nothing().cut();
    b.again();
    b.says("10[<MQTT> 04 00 0000 <b>]").hears("20[01 00]").hears("3A[<t> ???? 'x']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.3.1-2] [3.1.1 MQTT-3.3.1-3] [3.1.1 MQTT-3.3.1-4] DUP 0 with QoS 0; DUP is not copied; QoS 3 closes") {
    wire w;
    cut_off(w, "36[<t> 0001 'x']");
    cut_off(w, "38[<t> 'x']");
    auto& a = w.client("a", clean);
    a.says("82[0001 <t> 01]").hears("90[0001 01]").says("3A[<t> 0001 'x']").hears("32[<t> ???? 'x']").hears("40[0001]");
    a.says("30[<t> 'x']").hears("30[<t> 'x']");
}

TEST_CASE("[3.1.1 MQTT-3.3.1-5] [3.1.1 MQTT-3.3.1-6] [3.1.1 MQTT-3.3.1-7] [3.1.1 MQTT-3.3.1-8] the last retained message of a topic, of any QoS, is sent to each new subscription with RETAIN 1") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("33[<t> 0001 'one']").hears("40[0001]").says("31[<t> 'two']");
    w.client("b", clean).says("82[0001 <t> 01]").hears("90[0001 01]").hears("31[<t> 'two']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.3.1-9] [3.1.1 MQTT-3.3.1-10] [3.1.1 MQTT-3.3.1-11] [3.1.1 MQTT-3.3.1-12] live forwarding has RETAIN 0; without payload it removes; RETAIN 0 changes nothing") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", clean);
    b.says("82[0001 <t> 00]").hears("90[0001 00]");
    a.says("31[<t> 'x']").says("30[<t> 'y']").says("30[<t>]");
    b.hears("30[<t> 'x']").hears("30[<t> 'y']").hears("30[<t>]");
    w.client("late", clean).says("82[0001 <t> 00]").hears("90[0001 00]").hears("31[<t> 'x']").hears_nothing();
    a.says("31[<t>]");
    b.hears("30[<t>]");
    w.client("later", clean).says("82[0001 <t> 00]").hears("90[0001 00]").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.3.2-1] [3.1.1 MQTT-3.3.2-2] [3.1.1 MQTT-3.3.2-3] the topic name is there, has no wildcard, and matches the filter of those who get it") {
    wire w;
    for (auto const* packet : {"30[0001 FF 'x']", "30[<a/+> 'x']", "30[<#> 'x']", "30[<> 'x']", "30[0009 'x']"}) cut_off(w, packet);
    auto& a = w.client("a", clean);
    a.says("82[0001 <x/+> 00]").hears("90[0001 00]").says("30[<x/y> '1']").says("30[<y/x> '2']").hears("30[<x/y> '1']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.3.4-1] [3.1.1 MQTT-3.3.5-1] a PUBLISH is answered as its QoS demands; overlapping subscriptions give the highest QoS") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("82[0001 <x/y> 00 <x/+> 01]").hears("90[0001 00 01]");
    a.says("34[<x/y> 0001 'x']").hears("32[<x/y> ???? 'x']").hears("50[0001]").hears_nothing();
    a.says("30[<x/y> 'x']").hears("30[<x/y> 'x']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.3.5-2] a PUBLISH that is not allowed is acknowledged as usual and goes nowhere") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic read #\n"}}};
    auto &a = w.client("a", clean), &b = w.client("b", clean);
    b.says("82[0001 <#> 00]").hears("90[0001 00]");
    a.says("32[<t> 0001 'x']").hears("40[0001]").says("34[<t> 0002 'x']").hears("50[0002]").says("62[0002]").hears("70[0002]");
    b.hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.6.1-1] [3.1.1 MQTT-3.8.1-1] [3.1.1 MQTT-3.10.1-1] PUBREL, SUBSCRIBE and UNSUBSCRIBE have flags 0010") {
    wire w;
    for (auto const* packet : {"60[0001]", "6A[0001]", "80[0001 <t> 00]", "A0[0001 <t>]", "AA[0001 <t>]"}) cut_off(w, packet);
}

TEST_CASE("[3.1.1 MQTT-3.8.3-1] [3.1.1 MQTT-3.8.3-3] [3.1.1 MQTT-3.8.3-4] filters are UTF-8 and at least one; requested QoS 0 to 2 with the upper bits 0") {
    wire w;
    for (auto const* packet : {"82[0001 0001 FF 00]", "82[0001]", "82[0001 <t> 03]", "82[0001 <t> 04]", "82[0001 <t> 80]"}) cut_off(w, packet);
}

TEST_CASE("[3.1.1 MQTT-3.8.4-1] [3.1.1 MQTT-3.8.4-2] [3.1.1 MQTT-3.8.4-4] [3.1.1 MQTT-3.8.4-5] [3.1.1 MQTT-3.9.3-1] [3.1.1 MQTT-3.9.3-2] SUBACK: the identifier, a code for each filter in order, 0, 1, 2 or 0x80") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite ok/#\n"}}};
    auto& a = w.client("a", clean);
    a.says("82[ABCD <ok/2> 02 <ok/0> 00 <ok/1> 01]").hears("90[ABCD 02 00 01]").says("30[<ok/1> 'x']").hears("30[<ok/1> 'x']");
}

TEST_CASE("[3.1.1 MQTT-3.8.4-3] an identical filter replaces, and retained messages are sent again") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("31[<t> 'x']").says("82[0001 <t> 01]").hears("90[0001 01]").hears("31[<t> 'x']").says("82[0002 <t> 00]").hears("90[0002 00]").hears("31[<t> 'x']");
    a.says("32[<t> 0001 'y']").hears("30[<t> 'y']").hears("40[0001]").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.8.4-6] delivery is at the lower of published and granted QoS") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("82[0001 <0> 00 <1> 01]").hears("90[0001 00 01]").says("34[<0> 0001 'x']").hears("30[<0> 'x']").hears("50[0001]");
    a.says("34[<1> 0002 'x']").hears("32[<1> ???? 'x']").hears("50[0002]").says("30[<1> 'x']").hears("30[<1> 'x']");
}

TEST_CASE("[3.1.1 MQTT-3.10.3-1] [3.1.1 MQTT-3.10.3-2] UNSUBSCRIBE has at least one filter, in UTF-8") {
    wire w;
    cut_off(w, "A2[0001 0001 FF]");
    cut_off(w, "A2[0001]");
}

TEST_CASE("[3.1.1 MQTT-3.10.4-1] [3.1.1 MQTT-3.10.4-2] [3.1.1 MQTT-3.10.4-4] [3.1.1 MQTT-3.10.4-5] [3.1.1 MQTT-3.10.4-6] UNSUBSCRIBE: only the exact filter, UNSUBACK always, several like one after another") {
    wire w;
    auto& a = w.client("a", clean);
    a.says("82[0001 <t/+> 00 <u> 00]").hears("90[0001 00 00]").says("A2[0002 <t/#>]").hears("B0[0002]").says("30[<t/1> 'x']").hears("30[<t/1> 'x']");
    a.says("A2[0003 <t/+> <never> <u>]").hears("B0[0003]").says("30[<t/1> 'x']").says("30[<u> 'x']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-3.10.4-3] deliveries that have begun are finished after UNSUBSCRIBE") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", clean);
    b.says("82[0001 <t> 02]").hears("90[0001 02]");
    a.says("34[<t> 0001 'x']").hears("50[0001]");
    auto const p = b.next();
    b.says("A2[0002 <t>]").hears("B0[0002]").says(ack(0x50, p));
    CHECK(b.next() == ack(0x62, p));
}

TEST_CASE("[3.1.1 MQTT-3.12.4-1] PINGRESP") {
    wire w;
    w.client("a", clean).says("C0 00").hears("D0 00");
}

TEST_CASE("[3.1.1 MQTT-3.14.1-1] [3.1.1 MQTT-3.14.4-1] [3.1.1 MQTT-3.14.4-2] reserved bits of DISCONNECT close; nothing is heard behind DISCONNECT, and the connection is closed") {
    wire w;
    auto& b = w.client("b", clean);
    b.says("82[0001 <#> 00]").hears("90[0001 00]");
    w.client().says("10[<MQTT> 04 06 0000 <a> <w> <p>]").hears("20[00 00]").says("E2 00").is_closed();
    b.hears("30[<w> 'p']");  // it was no DISCONNECT
    w.client("a", clean).says("E0 00 30[<t> 'x']").is_closed();
    b.hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-4.1.0-1] [3.1.1 MQTT-4.1.0-2] session state is kept while the connection is open, and with Clean Session 0 after it") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", kept);
    b.says("82[0001 <t> 01]").hears("90[0001 01]").says("E0 00").is_closed();
    a.says("32[<t> 0001 'x']").hears("40[0001]");
    b.again();
    b.says("10[<MQTT> 04 00 0000 <b>]").hears("20[01 00]").hears("32[<t> ???? 'x']");
}

TEST_CASE("[3.1.1 MQTT-4.2.0-1] an ordered, lossless stream, however it is cut") {
    wire w;
    auto& a = w.client("a", clean);
    auto const all = packet("82[0001 <t> 00] 30[<t> '1'] 30[<t> '2'] C0 00");
    for (auto b : all) a.says(bytes{b});
    a.hears("90[0001 00]").hears("30[<t> '1']").hears("30[<t> '2']").hears("D0 00");
}

TEST_CASE("[3.1.1 MQTT-4.3.1-1] [3.1.1 MQTT-4.3.2-1] [3.1.1 MQTT-4.3.2-2] QoS 0 and QoS 1, both ways") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", clean);
    b.says("82[0001 <t> 01]").hears("90[0001 01]");
    a.says("30[<t> 'x']").says("32[<t> 0001 'y']").hears("40[0001]").says("3A[<t> 0001 'z']").hears("40[0001]");
    b.hears("30[<t> 'x']");
    auto const y = b.next(), z = b.next();
    CHECK(y[0] == 0x32);
    CHECK(z[0] == 0x32);
    CHECK(ack(0x40, y) != ack(0x40, z));
    b.says(ack(0x40, y)).says(ack(0x40, z)).hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-4.3.3-1] [3.1.1 MQTT-4.3.3-2] QoS 2, both ways, exactly once") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", clean);
    b.says("82[0001 <t> 02]").hears("90[0001 02]");
    a.says("34[<t> 0001 'x']").hears("50[0001]").says("3C[<t> 0001 'x']").hears("50[0001]").says("62[0001]").hears("70[0001]");
    auto const p = b.next();
    b.says(ack(0x50, p));
    CHECK(b.next() == ack(0x62, p));
    b.says(ack(0x70, p)).hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-4.5.0-1] a message goes to every session that matches") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", clean), &c = w.client("c", kept);
    b.says("82[0001 <t> 00]").hears("90[0001 00]");
    c.says("82[0001 <#> 01]").hears("90[0001 01]").says("E0 00").is_closed();
    a.says("32[<t> 0001 'x']").hears("40[0001]");
    b.hears("30[<t> 'x']");
    c.again();
    c.says("10[<MQTT> 04 00 0000 <c>]").hears("20[01 00]").hears("32[<t> ???? 'x']");
}

TEST_CASE("[3.1.1 MQTT-4.6.0-1] [3.1.1 MQTT-4.6.0-2] [3.1.1 MQTT-4.6.0-3] [3.1.1 MQTT-4.6.0-4] [3.1.1 MQTT-4.6.0-5] [3.1.1 MQTT-4.6.0-6] order: of what is sent again, of acknowledgements, of messages") {
    wire w;
    auto &a = w.client("a", clean), &b = w.client("b", kept);
    b.says("82[0001 <t> 02]").hears("90[0001 02]");
    a.says("34[<t> 0002 '1'] 34[<t> 0001 '2'] 34[<t> 0003 '3']").hears("50[0002]").hears("50[0001]").hears("50[0003]");
    a.says("62[0002] 62[0001] 62[0003]").hears("70[0002]").hears("70[0001]").hears("70[0003]");
    b.hears("34[<t> ???? '1']").hears("34[<t> ???? '2']").hears("34[<t> ???? '3']").cut();
    b.again();
    b.says("10[<MQTT> 04 00 0000 <b>]").hears("20[01 00]").hears("3C[<t> ???? '1']").hears("3C[<t> ???? '2']").hears("3C[<t> ???? '3']");
}

TEST_CASE("[3.1.1 MQTT-4.7.1-1] [3.1.1 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-3] wildcards only in filters, # last and alone on its level, + alone on its level") {
    wire w;
    for (auto const* packet : {"82[0001 <a#> 00]", "82[0001 <#/a> 00]", "82[0001 <a+> 00]", "30[<a/+> 'x']"}) cut_off(w, packet);
    auto& a = w.client("a", clean);
    a.says("82[0001 <x/#> 00 <+/y> 00]").hears("90[0001 00 00]").says("30[<x> '1']").hears("30[<x> '1']").says("30[<z/y> '2']").hears("30[<z/y> '2']").says("30[<z> '3']").hears_nothing();
}

TEST_CASE("[3.1.1 MQTT-4.7.2-1] [3.1.1 MQTT-4.7.3-1] [3.1.1 MQTT-4.7.3-2] [3.1.1 MQTT-4.7.3-3] [3.1.1 MQTT-4.7.3-4] $, at least one character, no U+0000, up to 65,535 bytes, no normalising") {
    wire w;
    for (auto const* packet : {"82[0001 <> 00]", "82[0001 0003 610062 00]", "30[<> 'x']"}) cut_off(w, packet);
    auto& a = w.client("a", clean);
    auto const longest = std::string(65535, 'x');
    a.says("82[0001 <#> 00]").hears("90[0001 00]").says("30[<$x> '1']").hears_nothing();
    a.says("82[0002 <Ab> 00 <" + longest + "> 00]").hears("90[0002 00 00]").says("A2[0003 <#>]").hears("B0[0003]");
    a.says("30[<ab> '2']").hears_nothing().says("30[<" + longest + "> '3']");
    CHECK(a.next().size() == 1 + 3 + 2 + 65535 + 1);
}

TEST_CASE("[3.1.1 MQTT-4.8.0-1] [3.1.1 MQTT-4.8.0-2] a protocol violation closes the connection") {
    wire w;
    for (auto const* packet : {"00 00", "20[00 00]", "90[0001 00]", "D0 00", "B0[0001]", "82[0001 <t>]", "40[00]"}) cut_off(w, packet);
}

TEST_CASE("[3.1 MQIsdp-connect] MQTT 3.1: MQIsdp with level 3, no Session Present, long ids are accepted") {
    wire w;
    auto& a = w.client("a", "03 00 0000");
    a.says("82[0001 <t> 01]").hears("90[0001 01]").says("E0 00").is_closed();
    w.client("b", clean).says("32[<t> 0001 'x']").hears("40[0001]");
    a.again();
    a.says("10[<MQIsdp> 03 00 0000 <a>]").hears("20[00 00]").hears("32[<t> ???? 'x']");
    w.client(std::string(60, 'x'), "03 02 0000");
}

TEST_CASE("[3.1 MQIsdp-suback] MQTT 3.1 has no failure code in SUBACK, and DUP may stand on SUBSCRIBE, UNSUBSCRIBE and PUBREL") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite ok/#\n"}}};
    auto& a = w.client("a", "03 02 0000");
    a.says("8A[0001 <ok/1> 01]").hears("90[0001 01]").says("AA[0002 <ok/1>]").hears("B0[0002]").says("34[<ok/1> 0003 'x']").hears("50[0003]").says("6A[0003]").hears("70[0003]");
    a.says("82[0004 <ok/1> 02]").hears("90[0004 02]").says("30[<ok/1> 'x']").hears("30[<ok/1> 'x']");
}
