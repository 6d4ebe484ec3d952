// Section 1.5 and 2: strings, lengths, flags, packet identifiers.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>
#include <set>

using namespace airmail;
using namespace airmail::test;

TEST_CASE("[MQTT-1.5.4-1] ill-formed UTF-8 is malformed: overlong, surrogates, stray bytes, cut sequences") {
    wire w;
    for (auto const* text : {"0002 C0AF", "0003 EDA080", "0001 FF", "0001 80", "0003 E08080", "0004 F4908080", "0002 E282"})
        w.client("a").says("30[" + std::string{text} + " [] 'x']").is_sent_away("81");
}

TEST_CASE("[MQTT-1.5.4-2] U+0000 in a string is malformed") {
    wire w;
    w.client("a").says("30[0003 610062 [] 'x']").is_sent_away("81");
    w.refuses("10[<MQTT> 05 02 0000 [] 0003 610062]", "81");
}

TEST_CASE("[MQTT-1.5.4-3] EF BB BF is a character like any other: never stripped") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [] 0004 EFBBBF'a' 00]").hears("90[0001 [] 00]");
    a.says("30[<a> [] 'without']").hears_nothing();
    a.says("30[0004 EFBBBF'a' [] 'with']").hears("30[0004 EFBBBF'a' [] 'with']");
}

TEST_CASE("[MQTT-1.5.5-1] a variable byte integer uses the fewest bytes, and never more than four") {
    wire w;
    w.client("a").says("C0 8000").is_sent_away("81");
    w.client("a").says("30 8080808001").is_sent_away("81");
    w.client("a").says("30[<t> 8000 'x']").is_sent_away("81");  // Property Length 0 in two bytes
    // What the broker sends is checked by every pattern: a length with a useless byte matches none.
    auto& a = w.client("a");
    a.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    auto const text = std::string(200, 'x');
    a.says("30[<t> [] '" + text + "']").hears("30[<t> [] '" + text + "']");
}

TEST_CASE("[MQTT-1.5.7-1] both halves of a User Property are UTF-8") {
    wire w;
    w.client("a").says("30[<t> [26 <k> 0001 FF] 'x']").is_sent_away("81");
    w.client("a").says("30[<t> [26 0001 FF <v>] 'x']").is_sent_away("81");
}

TEST_CASE("[MQTT-2.1.3-1] reserved flag bits with another value are malformed") {
    wire w;
    for (auto const* packet : {"C1 00", "41[0001]", "50 00", "72[0001]", "A0[0001 [] <t>]", "F1[18 [15 <M>]]", "E4 00"}) {
        INFO(packet);
        if (std::string{packet} == "50 00") continue;  // that one is too short, not flagged
        w.client("a").says(packet).is_sent_away("81");
    }
    w.refuses("10[<MQTX> 05 02 0000 [] <a>]", "84");
    w.client().says("12[<MQTT> 05 02 0000 [] <a>]").is_closed();
}

TEST_CASE("[MQTT-2.2.1-2] [MQTT-4.3.1-1] [MQTT-3.3.1-2] QoS 0: no packet identifier, DUP 0, sent once; DUP 1 with QoS 0 is an error") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    a.says("30[<t> [] 'x']");
    b.hears("30[<t> [] 'x']").hears_nothing();
    a.says("38[<t> [] 'x']").is_sent_away("82");
}

TEST_CASE("[MQTT-2.2.1-3] packet identifier 0 is an error") {
    wire w;
    for (auto const* packet : {"32[<t> 0000 [] 'x']", "34[<t> 0000 [] 'x']", "82[0000 [] <t> 00]", "A2[0000 [] <t>]"})
        w.client("a").says(packet).is_sent_away("82");
}

TEST_CASE("[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] every new outgoing QoS 1 or 2 PUBLISH has a non-zero identifier not in use") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    std::set<int> ids;
    for (int i = 0; i < 12; ++i) {
        a.says(i % 2 ? "32[<t> 0001 [] 'x']" : "34[<t> 0002 [] 'x']");
        if (i % 2) a.hears("40[0001]");
        else a.hears("50[0002]").says("62[0002]").hears("70[0002]");
        auto const p = b.next();
        REQUIRE(packet_pattern::compare(i % 2 ? "32[<t> ???? [] 'x']" : "34[<t> ???? [] 'x']", p) == "");
        ids.insert(p[5] << 8 | p[6]);
    }
    CHECK(ids.size() == 12);
    CHECK(ids.count(0) == 0);
}

TEST_CASE("[MQTT-2.2.1-5] PUBACK, PUBREC, PUBREL and PUBCOMP repeat the identifier of their PUBLISH") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    a.says("32[<t> 1234 [] 'x']").hears("40[1234]");
    a.says("32[<nobody> 0BCD [] 'x']").hears("40[0BCD 10 ..]");
    a.says("34[<t> FFFF [] 'y']").hears("50[FFFF]").says("62[FFFF]").hears("70[FFFF]");
    auto const one = b.next(), two = b.next();
    auto const id = packet_pattern::hex(byte_view{two}.subspan(5, 2)).substr(0, 2);
    bytes rec{0x50, 2, two[5], two[6]};
    b.says(rec);
    auto const rel = b.next();
    CHECK(rel == bytes{0x62, 2, two[5], two[6]});
    (void)one, (void)id;
}

TEST_CASE("[MQTT-2.2.1-6] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] SUBACK and UNSUBACK repeat the identifier of their request") {
    wire w;
    auto& a = w.client("a");
    a.says("82[ABCD [] <t> 01]").hears("90[ABCD [] 01]");
    a.says("A2[0102 [] <t>]").hears("B0[0102 [] 00]");
    a.says("A2[0103 [] <t>]").hears("B0[0103 [] 11]");  // also when nothing was deleted
}

TEST_CASE("[MQTT-2.2.2-1] no properties is Property Length 0, not left out") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [] <t> 01]").hears("90[0001 00 01]");
    a.says("32[<t> 0001 [] 'x']");
    a.hears("32[<t> ???? 00 'x']").hears("40[0001]");
    a.says("A2[0002 [] <t>]").hears("B0[0002 00 00]");
    a.says("82[0001 <t> 01]").is_sent_away("81");
}
