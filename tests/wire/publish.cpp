// Section 3.3: PUBLISH.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;
using namespace std::chrono_literals;

namespace {

/// b subscribes with those options; both are connected.
struct pair_on_t {
    explicit pair_on_t(wire& w, std::string_view options = "02", std::string_view how = "05 02 0000 []") : a{w.client("a")}, b{w.client("b", how)} {
        b.says("82[0001 [] <t> " + std::string{options} + "]").hears("90[0001 [] ??]");
    }
    wire_end &a, &b;
};

}

TEST_CASE("[MQTT-3.3.1-1] [MQTT-4.4.0-1] what was not acknowledged comes again with DUP and its identifier on resume, and at no other time") {
    wire w;
    pair_on_t p{w, "01", "05 02 0000 [11 000003E8]"};
    p.a.says("32[<t> 0001 [] 'x']").hears("40[0001]");
    auto const first = p.b.next();
    REQUIRE(packet_pattern::compare("32[<t> ???? [] 'x']", first) == "");
    p.b.hears_nothing().cut();
    p.b.again();
    p.b.says("10[<MQTT> 05 00 0000 [11 000003E8] <b>]").hears("20[01 00 [..]]");
    auto again = p.b.next();
    CHECK(again[0] == 0x3A);
    again[0] = 0x32;
    CHECK(again == first);
    p.b.hears_nothing();
}

TEST_CASE("[MQTT-3.3.1-3] DUP of what leaves says nothing about DUP of what came") {
    wire w;
    pair_on_t p{w};
    p.a.says("3A[<t> 0001 [] 'x']").hears("40[0001]");
    p.b.hears("32[<t> ???? [] 'x']");
}

TEST_CASE("[MQTT-3.3.1-4] QoS 3 is malformed") {
    wire w;
    w.client("a").says("36[<t> 0001 [] 'x']").is_sent_away("81");
}

TEST_CASE("[MQTT-3.3.1-5] [MQTT-3.3.1-9] RETAIN 1 replaces the retained message, which Retain Handling 0 sends at every SUBSCRIBE") {
    wire w;
    pair_on_t p{w};
    p.a.says("31[<t> [] 'one']").says("31[<t> [] 'two']");
    p.b.hears("30[<t> [] 'one']").hears("30[<t> [] 'two']");
    auto& late = w.client("late");
    late.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]").hears("31[<t> [] 'two']");
    late.says("82[0002 [] <t> 00]").hears("90[0002 [] 00]").hears("31[<t> [] 'two']").hears_nothing();
}

TEST_CASE("[MQTT-3.3.1-6] [MQTT-3.3.1-7] RETAIN 1 without payload is forwarded, deletes the retained message and is not kept") {
    wire w;
    pair_on_t p{w};
    p.a.says("31[<t> [] 'x']").says("31[<t> []]");
    p.b.hears("30[<t> [] 'x']").hears("30[<t> []]");
    w.client("late").says("82[0001 [] <t> 00]").hears("90[0001 [] 00]").hears_nothing();
}

TEST_CASE("[MQTT-3.3.1-8] RETAIN 0 neither keeps nor replaces nor removes") {
    wire w;
    auto& a = w.client("a");
    a.says("31[<t> [] 'kept']").says("30[<t> [] 'passing']").says("30[<t> []]").says("30[<u> [] 'passing']");
    auto& late = w.client("late");
    late.says("82[0001 [] <t> 00 <u> 00]").hears("90[0001 [] 00 00]").hears("31[<t> [] 'kept']").hears_nothing();
}

TEST_CASE("[MQTT-3.3.1-10] Retain Handling 1: retained messages only if the subscription is new") {
    wire w;
    auto& a = w.client("a");
    a.says("31[<t> [] 'x']").says("82[0001 [] <t> 10]").hears("90[0001 [] 00]").hears("31[<t> [] 'x']");
    a.says("82[0002 [] <t> 10]").hears("90[0002 [] 00]").hears_nothing();
}

TEST_CASE("[MQTT-3.3.1-11] Retain Handling 2: none") {
    wire w;
    auto& a = w.client("a");
    a.says("31[<t> [] 'x']").says("82[0001 [] <t> 20]").hears("90[0001 [] 00]").hears_nothing();
    a.says("82[0002 [] <t> 30]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.3.1-12] [MQTT-3.3.1-13] Retain As Published 0 forwards RETAIN 0, 1 forwards it as it came") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b"), &c = w.client("c");
    b.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    c.says("82[0001 [] <t> 08]").hears("90[0001 [] 00]");
    a.says("31[<t> [] 'x']").says("30[<t> [] 'y']");
    b.hears("30[<t> [] 'x']").hears("30[<t> [] 'y']");
    c.hears("31[<t> [] 'x']").hears("30[<t> [] 'y']");
}

TEST_CASE("[MQTT-3.3.2-1] the topic name comes first and is UTF-8") {
    wire w;
    w.client("a").says("30[0001 FF [] 'x']").is_sent_away("81");
    w.client("a").says("30[0009 'short']").is_sent_away("81");
}

TEST_CASE("[MQTT-3.3.2-2] [MQTT-4.7.0-1] no wildcard in a topic name") {
    wire w;
    for (auto const* topic : {"#", "+", "a/#", "a/+/b", "a#"}) w.client("a").says("30[<" + std::string{topic} + "> [] 'x']").is_sent_away("90");
}

TEST_CASE("[MQTT-3.3.2-3] the topic name that is delivered matches the filter, unchanged") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <x/+/z> 00]").hears("90[0001 [] 00]");
    a.says("30[<x/y/z> [] '1']").says("30[<x/y> [] '2']").says("30[<x//z> [] '3']").says("30[<x/y/z/> [] '4']");
    b.hears("30[<x/y/z> [] '1']").hears("30[<x//z> [] '3']").hears_nothing();
}

TEST_CASE("[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] format, response topic, correlation, content type and user properties travel unchanged and in order") {
    wire w;
    pair_on_t p{w};
    auto const all = std::string{"01 01 08 <re/ply> 09 0003 00FF01 03 <text/plain> 26 <b> <1> 26 <a> <2> 26 <b> <1>"};
    p.a.says("32[<t> 0001 [" + all + "] 'x']").hears("40[0001]");
    p.b.hears("32[<t> ???? [" + all + "] 'x']");
    p.a.says("30[<t> [26 <k> <v> 01 00] 'x']");
    p.b.hears("30[<t> [26 <k> <v> 01 00] 'x']");
}

TEST_CASE("[MQTT-3.3.2-5] a message that expired while it waited is not sent") {
    wire w;
    pair_on_t p{w, "01", "05 02 0000 [11 000003E8]"};
    p.b.says("E0 00").is_closed();
    p.a.says("32[<t> 0001 [02 00000001] 'short']").hears("40[0001]").says("32[<t> 0001 [] 'long']").hears("40[0001]");
    // A will with a delay of one second tells when the time has passed.
    p.a.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <c> [18 00000001] <w> <now>]").hears("20[00 00 [..]]").cut();
    p.a.hears("30[<w> [] 'now']");
    p.b.again();
    p.b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]").hears("32[<t> ???? [] 'long']").hears_nothing();
}

TEST_CASE("[MQTT-3.3.2-6] Message Expiry Interval is what is left of it") {
    wire w;
    pair_on_t p{w, "01", "05 02 0000 [11 000003E8]"};
    p.a.says("32[<t> 0001 [02 0000000A] 'x']").hears("40[0001]");
    p.b.hears("32[<t> ???? [02 0000000A] 'x']").says("E0 00").is_closed();
    p.a.says("32[<t> 0001 [02 0000000A] 'y']").hears("40[0001]");
    p.a.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <c> [18 00000002] <w> <now>]").hears("20[00 00 [..]]").cut();
    p.a.hears("30[<w> [] 'now']");
    p.b.again();
    p.b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]").hears("3A[<t> ???? [02 000000??] 'x']");
    auto const y = p.b.next();
    REQUIRE(packet_pattern::compare("32[<t> ???? [02 000000??] 'y']", y) == "");
    CHECK(y[12] <= 8);
    CHECK(y[12] >= 6);
}

TEST_CASE("[MQTT-3.3.2-7] a Topic Alias does not outlive its connection") {
    wire w;
    auto& a = w.client("a", "05 02 0000 [11 000003E8]");
    a.says("32[<t> 0001 [23 0001] 'x']").hears("40[0001 10]").says("32[<> 0001 [23 0001] 'x']").hears("40[0001 10]").says("E0 00").is_closed();
    a.again();
    a.says("10[<MQTT> 05 00 0000 [] <a>]").hears("20[01 00 [..]]").says("32[<> 0001 [23 0001] 'x']").is_sent_away("82");
}

TEST_CASE("[MQTT-3.3.2-8] Topic Alias 0 is answered with 0x94; neither topic nor alias is a protocol error") {
    wire w;
    w.client("a").says("30[<t> [23 0000] 'x']").is_sent_away("94");
    w.client("a").says("30[<> [] 'x']").is_sent_away("82");
    w.client("a").says("30[<> [23 0002] 'x']").is_sent_away("82");
}

TEST_CASE("[MQTT-3.3.2-12] every alias up to the announced maximum works, and can be given to another topic") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <#> 00]").hears("90[0001 [] 00]");
    a.says("30[<one> [23 0001] '1']").says("30[<ten> [23 000A] '2']").says("30[<> [23 0001] '3']").says("30[<> [23 000A] '4']");
    b.hears("30[<one> [] '1']").hears("30[<ten> [] '2']").hears("30[<one> [] '3']").hears("30[<ten> [] '4']");
    a.says("30[<other> [23 0001] '5']").says("30[<> [23 0001] '6']");
    b.hears("30[<other> [] '5']").hears("30[<other> [] '6']");
}

TEST_CASE("[MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11] the broker's aliases stay within the client's maximum, and there are none without one") {
    wire w;
    auto &a = w.client("a"), &none = w.client("none"), &zero = w.client("zero", "05 02 0000 [22 0000]"), &two = w.client("two", "05 02 0000 [22 0002]");
    for (auto* c : {&none, &zero, &two}) c->says("82[0001 [] <dev/#> 00]").hears("90[0001 [] 00]");
    unsigned shortened = 0;
    for (int round = 0; round < 3; ++round)
        for (auto const* topic : {"dev/1", "dev/2", "dev/3", "dev/4", "dev/5"}) {
            a.says("30[<" + std::string{topic} + "> [] 'x']");
            none.hears("30[<" + std::string{topic} + "> [] 'x']");
            zero.hears("30[<" + std::string{topic} + "> [] 'x']");
            auto const p = two.next();
            auto const matches = [&](std::string const& pattern) { return packet_pattern::compare(pattern, p).empty(); };
            bool const known = matches("30[<> [23 0001] 'x']") || matches("30[<> [23 0002] 'x']");
            shortened += known;
            INFO(packet_pattern::hex(p));
            CHECK((known || matches("30[<" + std::string{topic} + "> [23 0001] 'x']") || matches("30[<" + std::string{topic} + "> [23 0002] 'x']") ||
                   matches("30[<" + std::string{topic} + "> [] 'x']")));
        }
    CHECK(shortened >= 2);
}

TEST_CASE("an alias of the broker stands for the topic that it was given with") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [22 0001 11 000003E8]");
    b.says("82[0001 [] <#> 01]").hears("90[0001 [] 01]");
    a.says("30[<long/topic/one> [] '1']").says("30[<long/topic/one> [] '2']");
    b.hears("30[<long/topic/one> [23 0001] '1']").hears("30[<> [23 0001] '2']");
    a.says("30[<long/topic/two> [] '3']").says("30[<long/topic/one> [] '4']");
    b.hears("30[<long/topic/two> [] '3']").hears("30[<> [23 0001] '4']");
    // Another one that comes often enough takes the place.
    for (int i = 0; i < 12; ++i) a.says("30[<long/topic/two> [] '5']");
    for (int i = 0; i < 11; ++i) b.hears("30[<long/topic/two> [] '5']");
    b.hears("30[<long/topic/two> [23 0001] '5']");
    a.says("30[<long/topic/two> [] '6']");
    b.hears("30[<> [23 0001] '6']");
    a.says("30[<long/topic/one> [] '7']");
    b.hears("30[<long/topic/one> [] '7']");
    // A new connection knows nothing of it. [MQTT-3.3.2-7]
    b.cut();
    b.again();
    b.says("10[<MQTT> 05 00 0000 [22 0001] <b>]").hears("20[01 00 [..]]");
    a.says("30[<long/topic/two> [] '8']");
    b.hears("30[<long/topic/two> [23 0001] '8']");
}

TEST_CASE("an alias that would make a packet too large for the client is left out") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [22 0004 27 0000001E]");
    b.says("82[0001 [] <#> 00]").hears("90[0001 [] 00]");
    // 2 + 2 + 10 + 1 + 15 = 30 bytes; with an alias 33.
    a.says("30[<topic/name> [] '123456789012345']");
    b.hears("30[<topic/name> [] '123456789012345']");
}

TEST_CASE("[MQTT-3.3.2-13] [MQTT-3.3.2-14] Response Topic is UTF-8 and has no wildcard") {
    wire w;
    w.client("a").says("30[<t> [08 0001 FF] 'x']").is_sent_away("81");
    w.client("a").says("30[<t> [08 <re/#>] 'x']").is_sent_away("82");
    w.client("a").says("30[<t> [08 <re/+>] 'x']").is_sent_away("82");
}

TEST_CASE("[MQTT-3.3.2-19] Content Type is UTF-8") {
    wire w;
    w.client("a").says("30[<t> [03 0001 FF] 'x']").is_sent_away("81");
}

TEST_CASE("[MQTT-3.3.4-1] a PUBLISH is answered as its QoS demands") {
    wire w;
    pair_on_t p{w};
    p.a.says("30[<t> [] 'x']").hears_nothing();
    p.a.says("32[<t> 0001 [] 'x']").hears("40[0001]").hears_nothing();
    p.a.says("34[<t> 0002 [] 'x']").hears("50[0002]").hears_nothing();
}

TEST_CASE("[MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] overlapping subscriptions: one copy at the highest QoS with all identifiers") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [0B 05] <x/y> 00]").hears("90[0001 [] 00]");
    b.says("82[0002 [0B 06] <x/+> 02]").hears("90[0002 [] 02]");
    b.says("82[0003 [] <#> 01]").hears("90[0003 [] 01]");
    a.says("34[<x/y> 0001 [] 'x']").hears("50[0001]");
    auto const p = b.next();
    CHECK((packet_pattern::compare("34[<x/y> ???? [0B 05 0B 06] 'x']", p).empty() || packet_pattern::compare("34[<x/y> ???? [0B 06 0B 05] 'x']", p).empty()));
    b.hears_nothing();
}

TEST_CASE("[MQTT-3.3.4-5] as configured, several copies, each with its own subscription's identifier and QoS") {
    wire w{"airmail_overlapping each\n"};
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [0B 05] <x/y> 00]").hears("90[0001 [] 00]");
    b.says("82[0002 [0B 8001] <x/+> 01]").hears("90[0002 [] 01]");
    a.says("32[<x/y> 0001 [] 'x']").hears("40[0001]");
    b.hears("30[<x/y> [0B 05] 'x']").hears("32[<x/y> ???? [0B 8001] 'x']").hears_nothing();
}

TEST_CASE("[MQTT-3.3.4-6] a client's PUBLISH may not carry a Subscription Identifier") {
    wire w;
    w.client("a").says("30[<t> [0B 01] 'x']").is_sent_away("82");
}

TEST_CASE("[MQTT-3.3.4-7] [MQTT-4.9.0-1] a client that exceeds the server's Receive Maximum is sent away with 0x93") {
    wire w{"limit_receive_maximum_in 2\n"};
    auto& a = w.client();
    CHECK(holds(a.says("10[<MQTT> 05 02 0000 [] <a>]").next(), "21 0002"));
    a.says("34[<t> 0001 [] 'x']").hears("50[0001 10]").says("34[<t> 0002 [] 'x']").hears("50[0002 10]");
    a.says("34[<t> 0003 [] 'x']").is_sent_away("93");
}

TEST_CASE("[MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-2] [MQTT-4.9.0-3] no more than Receive Maximum unacknowledged at a time; everything else goes on") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [21 0002]");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    for (auto const* n : {"1", "2", "3"}) a.says("32[<t> 0001 [] '" + std::string{n} + "']").hears("40[0001]");
    auto const one = b.next();
    CHECK(one.back() == '1');
    b.hears("32[<t> ???? [] '2']").hears_nothing();  // PINGREQ is answered
    a.says("30[<t> [] 'zero']");
    b.hears("30[<t> [] 'zero']");
    b.says("82[0002 [] <u> 00]").hears("90[0002 [] 00]");
    b.says(bytes{0x40, 2, one[5], one[6]});
    b.hears("32[<t> ???? [] '3']").hears_nothing();
}

TEST_CASE("a payload that is said to be UTF-8 and is not is refused with 0x99, where the listener checks") {
    wire w{"airmail_payload_format_check true\n"};
    pair_on_t p{w};
    p.a.says("32[<t> 0001 [01 01] C0AF]").hears("40[0001 99 [1F ..]]");
    p.a.says("34[<t> 0002 [01 01] FF]").hears("50[0002 99 [1F ..]]");
    p.a.says("30[<t> [01 01] FF]").hears_nothing();
    p.b.hears_nothing();
    p.a.says("32[<t> 0001 [01 00] FF]").hears("40[0001]").says("32[<t> 0001 [01 01] 61 00 C3BC]").hears("40[0001]");
    p.b.hears("32[<t> ???? [01 00] FF]").hears("32[<t> ???? [01 01] 61 00 C3BC]");
    w.refuses("10[<MQTT> 05 06 0000 [] <x> [01 01] <w> 0001 FF]", "99");
    wire lenient;
    auto& c = lenient.client("c");
    c.says("32[<t> 0001 [01 01] FF]").hears("40[0001 10]");
}
