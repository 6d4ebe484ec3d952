// Sections 3.8 to 3.11: SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;

TEST_CASE("[MQTT-3.8.1-1] SUBSCRIBE has flags 0010; else malformed") {
    wire w;
    w.client("a").says("80[0001 [] <t> 00]").is_sent_away("81");
    w.client("a").says("8A[0001 [] <t> 00]").is_sent_away("81");
}

TEST_CASE("[MQTT-3.8.3-1] topic filters are UTF-8") {
    wire w;
    w.client("a").says("82[0001 [] 0001 FF 00]").is_sent_away("81");
}

TEST_CASE("[MQTT-3.8.3-2] SUBSCRIBE has at least one filter with options") {
    wire w;
    w.client("a").says("82[0001 []]").is_sent_away("82");
    w.client("a").says("82[0001 [] <t>]").is_sent_away("81");
}

TEST_CASE("[MQTT-3.8.3-3] No Local 1: never back to the client that published") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    a.says("82[0001 [] <t> 05]").hears("90[0001 [] 01]");
    b.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    a.says("30[<t> [] 'mine']").hears_nothing();
    b.hears("30[<t> [] 'mine']").says("30[<t> [] 'yours']").hears("30[<t> [] 'yours']");
    a.hears("30[<t> [] 'yours']");
}

TEST_CASE("[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error") {
    wire w;
    w.client("a").says("82[0001 [] <$share/g/t> 04]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.8.3-5] reserved option bits must be 0; QoS 3 is an error") {
    wire w;
    w.client("a").says("82[0001 [] <t> 40]").is_sent_away("81");
    w.client("a").says("82[0001 [] <t> 80]").is_sent_away("81");
    w.client("a").says("82[0001 [] <t> 03]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.8.4-3] an identical filter replaces the subscription with its options and identifier; never two") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [0B 01] <t> 01]").hears("90[0001 [] 01]").says("82[0002 [0B 02] <t> 00]").hears("90[0002 [] 00]");
    a.says("32[<t> 0001 [] 'x']").hears("30[<t> [0B 02] 'x']").hears("40[0001]").hears_nothing();
    a.says("82[0003 [] <t> 05]").hears("90[0003 [] 01]").says("30[<t> [] 'x']").hears_nothing();  // No Local now
}

TEST_CASE("[MQTT-3.8.4-4] Retain Handling 0 sends retained messages again on replacement, and replacing loses nothing") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    a.says("31[<t> [] 'kept']");
    b.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]").hears("31[<t> [] 'kept']");
    a.says("32[<t> 0001 [] '1']").hears("40[0001]");
    b.says("82[0002 [] <t> 01]");
    a.says("32[<t> 0001 [] '2']").hears("40[0001]");
    b.hears("32[<t> ???? [] '1']");
    bool kept = false, live = false, answered = false;
    for (int i = 0; i < 3; ++i) {  // two connections: their order is nobody's promise
        auto const p = b.next();
        answered |= packet_pattern::compare("90[0002 [] 01]", p).empty();
        kept |= packet_pattern::compare("31[<t> [] 'kept']", p).empty();
        live |= packet_pattern::compare("32[<t> ???? [] '2']", p).empty();
    }
    CHECK(answered);
    CHECK(kept);
    CHECK(live);
    b.hears_nothing();
}

TEST_CASE("[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] several filters: one SUBACK, a listed code for each in their order, granted QoS or a failure") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite ok/#\n"}}};
    auto& a = w.client("a");
    a.says("82[0001 [] <ok/2> 02 <forbidden> 01 <ok/0> 00 <ok/1> 01]").hears("90[0001 [1F ..] 02 87 00 01]");
    a.says("30[<ok/0> [] 'x']").hears("30[<ok/0> [] 'x']").says("30[<ok/2> [] 'x']").hears("30[<ok/2> [] 'x']");
}

TEST_CASE("[MQTT-3.8.4-8] delivery is at the lower of published and granted QoS") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [] <0> 00 <1> 01 <2> 02]").hears("90[0001 [] 00 01 02]");
    a.says("34[<0> 0001 [] 'x']").hears("30[<0> [] 'x']").hears("50[0001]");
    a.says("34[<1> 0002 [] 'x']").hears("32[<1> ???? [] 'x']").hears("50[0002]");
    a.says("34[<2> 0003 [] 'x']").hears("34[<2> ???? [] 'x']").hears("50[0003]");
    a.says("32[<2> 0004 [] 'x']").hears("32[<2> ???? [] 'x']").hears("40[0004]");
    a.says("30[<2> [] 'x']").hears("30[<2> [] 'x']");
}

TEST_CASE("[MQTT-3.9.2-1] [MQTT-3.9.2-2] SUBACK has neither Reason String nor User Property when it would exceed Maximum Packet Size") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite ok\n"}}};
    w.client("a", "05 02 0000 [27 0000001E]").says("82[0001 [] <forbidden> 00]").hears("90[0001 [] 87]");
    w.client("b").says("82[0001 [] <forbidden> 00]").hears("90[0001 [1F ..] 87]");
}

TEST_CASE("[MQTT-3.10.1-1] UNSUBSCRIBE has flags 0010; else malformed") {
    wire w;
    w.client("a").says("A0[0001 [] <t>]").is_sent_away("81");
}

TEST_CASE("[MQTT-3.10.3-1] [MQTT-3.10.3-2] UNSUBSCRIBE has at least one filter, in UTF-8") {
    wire w;
    w.client("a").says("A2[0001 [] 0001 FF]").is_sent_away("81");
    w.client("a").says("A2[0001 []]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.10.4-1] [MQTT-3.10.4-2] filters are compared character by character, and only the exact one goes") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [] <t/+> 00 <T/1> 00]").hears("90[0001 [] 00 00]");
    a.says("A2[0002 [] <t/#> <t/1> <t/+/>]").hears("B0[0002 [] 11 11 11]").says("30[<t/1> [] 'x']").hears("30[<t/1> [] 'x']");
    a.says("A2[0003 [] <t/+>]").hears("B0[0003 [] 00]").says("30[<t/1> [] 'x']").hears_nothing();
    a.says("30[<T/1> [] 'x']").hears("30[<T/1> [] 'x']");
}

TEST_CASE("[MQTT-3.10.4-3] deliveries that have begun are finished after UNSUBSCRIBE") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [11 000003E8 21 0001]");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    a.says("34[<t> 0001 [] 'x']").hears("50[0001]");
    auto const p = b.next();
    b.says("A2[0002 [] <t>]").hears("B0[0002 [] 00]");
    b.says(bytes{0x50, 2, p[5], p[6]});
    CHECK(b.next() == bytes{0x62, 2, p[5], p[6]});
    b.says(bytes{0x70, 2, p[5], p[6]}).hears_nothing();
}

TEST_CASE("[MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] several filters: one UNSUBACK, a listed code for each in their order") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [] <a> 00 <c> 00 <$share/g/t> 00]").hears("90[0001 [] 00 00 00]");
    a.says("A2[0002 [] <a> <b> <c> <$share/g/t> <$share/g/u>]").hears("B0[0002 [] 00 11 00 00 11]");
}

TEST_CASE("[MQTT-3.11.2-1] [MQTT-3.11.2-2] UNSUBACK has neither Reason String nor User Property where Maximum Packet Size is small") {
    wire w;
    w.client("a", "05 02 0000 [27 0000001E]").says("A2[0001 [] <never subscribed to this one>]").hears("B0[0001 [] 11]");
}

TEST_CASE("a Subscription Identifier is 1 or more, and one per SUBSCRIBE") {
    wire w;
    w.client("a").says("82[0001 [0B 00] <t> 00]").is_sent_away("82");
    w.client("a").says("82[0001 [0B 01 0B 02] <t> 00]").is_sent_away("82");
}

TEST_CASE("a refusal says in words which filter it is about") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite ok\n"}}};
    auto const suback = w.client("a").says("82[0001 [] <ok> 00 <some/other> 00]").next();
    CHECK(holds(suback, "'some/other: the access rules do not allow'"));
}
