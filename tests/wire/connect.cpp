// Section 3.1 and 3.2: CONNECT and CONNACK.

#include "tests/support/wire.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;
using namespace std::chrono_literals;

TEST_CASE("[MQTT-3.1.0-1] the first packet must be CONNECT") {
    wire w;
    for (auto const* packet : {"C0 00", "30[<t> [] 'x']", "82[0001 [] <t> 00]", "E0 00", "F0[18 [15 <M>]]", "'GET / HTTP/1.1'"})
        w.client().says(packet).is_closed();
}

TEST_CASE("[MQTT-3.1.0-2] a second CONNECT is a protocol error") {
    wire w;
    w.client("a").says("10[<MQTT> 05 02 0000 [] <a>]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.1.2-1] another protocol name is refused with 0x84") {
    wire w;
    w.refuses("10[<MQTX> 05 02 0000 [] <a>]", "84");
}

TEST_CASE("[MQTT-3.1.2-2] a protocol version that is not spoken is refused with 0x84") {
    wire w;
    w.refuses("10[<MQTT> 06 02 0000 [] <a>]", "84");
}

TEST_CASE("[MQTT-3.1.2-3] the reserved CONNECT flag must be 0") {
    wire w;
    w.refuses("10[<MQTT> 05 03 0000 [] <a>]", "81");
}

TEST_CASE("[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] Clean Start 1 drops the earlier session and begins a new one") {
    wire w;
    auto &a = w.client("a", "05 02 0000 [11 000003E8]"), &b = w.client("b");
    a.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]").says("E0 00").is_closed();
    a.again();
    a.says("10[<MQTT> 05 02 0000 [11 000003E8] <a>]").hears("20[00 00 [..]]");
    b.says("32[<t> 0001 [] 'x']").hears("40[0001 10]");
    a.hears_nothing();
}

TEST_CASE("[MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.2-23] Clean Start 0 resumes the session that is kept after the connection closed") {
    wire w;
    auto &a = w.client("a", "05 02 0000 [11 000003E8]"), &b = w.client("b");
    a.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]").says("E0 00").is_closed();
    b.says("32[<t> 0001 [] 'x']").hears("40[0001]");
    a.again();
    a.says("10[<MQTT> 05 00 0000 [11 000003E8] <a>]").hears("20[01 00 [..]]").hears("32[<t> ???? [] 'x']");
}

TEST_CASE("[MQTT-3.1.2-6] Clean Start 0 without a session begins one") {
    wire w;
    auto& a = w.client("a", "05 00 0000 []");  // Session Present 0
    a.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
}

TEST_CASE("[MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-14] the will is kept, and published without RETAIN when the network fails") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 01]").hears("90[0001 [] 01]");
    auto& c = w.client().says("10[<MQTT> 05 0E 0000 [] <c> [] <w> <gone>]").hears("20[00 00 [..]]");
    b.hears_nothing();
    c.cut();
    b.hears("32[<w> ???? [] 'gone']");
    auto& late = w.client("late");
    late.says("82[0001 [] <w> 01]").hears("90[0001 [] 01]").hears_nothing();
}

TEST_CASE("[MQTT-3.1.2-9] [MQTT-3.1.3-1] Will Flag 1 needs will properties, topic and payload, in their order") {
    wire w;
    w.refuses("10[<MQTT> 05 06 0000 [] <a>]", "81");
    w.refuses("10[<MQTT> 05 06 0000 [] <a> []]", "81");
    w.refuses("10[<MQTT> 05 06 0000 [] <a> [] <w>]", "81");
    // All fields at once: id, will properties, will topic, will payload, user name, password.
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    auto& a = w.client().says("10[<MQTT> 05 C6 0000 [] <a> [] <w> <p> <user> <secret>]").hears("20[00 00 [..]]");
    a.cut();
    b.hears("30[<w> [] 'p']");
}

TEST_CASE("[MQTT-3.1.2-10] [MQTT-3.14.4-3] DISCONNECT 0x00 takes the will away, 0x04 and errors do not") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [] <w> <1>]").hears("20[00 00 [..]]").says("E0 00").is_closed();
    b.hears_nothing();
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [] <w> <2>]").hears("20[00 00 [..]]").says("E0[04]").is_closed();
    b.hears("30[<w> [] '2']").hears_nothing();  // once
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [] <w> <3>]").hears("20[00 00 [..]]").says("E0[80]").is_closed();
    b.hears("30[<w> [] '3']");
}

TEST_CASE("[MQTT-3.1.2-11] Will Flag 0 requires Will QoS 0") {
    wire w;
    w.refuses("10[<MQTT> 05 0A 0000 [] <a>]", "81");
}

TEST_CASE("[MQTT-3.1.2-12] Will QoS 3 is malformed; 0, 1 and 2 are published so") {
    wire w;
    w.refuses("10[<MQTT> 05 1E 0000 [] <a> [] <w> <p>]", "81");
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 02]").hears("90[0001 [] 02]");
    w.client().says("10[<MQTT> 05 16 0000 [] <a> [] <w> <p>]").hears("20[00 00 [..]]").cut();
    b.hears("34[<w> ???? [] 'p']");
}

TEST_CASE("[MQTT-3.1.2-13] Will Flag 0 requires Will Retain 0") {
    wire w;
    w.refuses("10[<MQTT> 05 22 0000 [] <a>]", "81");
}

TEST_CASE("[MQTT-3.1.2-15] Will Retain 1: the will is retained") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 26 0000 [] <a> [] <w> <p>]").hears("20[00 00 [..]]").cut();
    b.hears("30[<w> [] 'p']");
    auto& late = w.client("late");
    late.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]").hears("31[<w> [] 'p']");
}

TEST_CASE("[MQTT-3.1.2-16] [MQTT-3.1.2-17] the user name is there if and only if its flag says so") {
    wire w;
    w.refuses("10[<MQTT> 05 02 0000 [] <a> <user>]", "81");
    w.refuses("10[<MQTT> 05 82 0000 [] <a>]", "81");
    w.client().says("10[<MQTT> 05 82 0000 [] <a> <user>]").hears("20[00 00 [..]]");
}

TEST_CASE("[MQTT-3.1.2-18] [MQTT-3.1.2-19] the password is there if and only if its flag says so, also without a user name") {
    wire w;
    w.refuses("10[<MQTT> 05 82 0000 [] <a> <user> <secret>]", "81");
    w.refuses("10[<MQTT> 05 C2 0000 [] <a> <user>]", "81");
    w.client().says("10[<MQTT> 05 42 0000 [] <a> <secret>]").hears("20[00 00 [..]]");
}

TEST_CASE("[MQTT-3.1.2-22] after one and a half times the keep alive without a packet the connection is closed, and the will goes out") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    auto const begin = std::chrono::steady_clock::now();
    auto& a = w.client().says("10[<MQTT> 05 06 0001 [] <a> [] <w> <p>]").hears("20[00 00 [..]]");
    a.hears("E0[8D [..]]").is_closed();
    auto const took = std::chrono::steady_clock::now() - begin;
    CHECK(took > 1400ms);
    b.hears("30[<w> [] 'p']");
}

TEST_CASE("[MQTT-3.1.2-24] [MQTT-3.1.2-25] a message larger than the client's Maximum Packet Size is not sent to it and counts as delivered") {
    wire w;
    auto &b = w.client("b", "05 02 0000 [27 00000028]"), &a = w.client("a");
    b.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    auto const big = std::string(40, 'x');
    a.says("32[<t> 0001 [] '" + big + "']").hears("40[0001]").says("30[<t> [] '" + big + "']").says("32[<t> 0002 [] 'small']").hears("40[0002]");
    b.hears("32[<t> ???? [] 'small']").hears_nothing();
}

TEST_CASE("[MQTT-3.1.2-28] Response Information is told to those who ask for it, and to nobody else") {
    wire w{"airmail_response_information answers/%c/\n"};
    CHECK(holds(w.client().says("10[<MQTT> 05 02 0000 [19 01] <a>]").next(), "1A <answers/a/>"));
    CHECK_FALSE(holds(w.client().says("10[<MQTT> 05 02 0000 [19 00] <b>]").next(), "'answers'"));
    CHECK_FALSE(holds(w.client().says("10[<MQTT> 05 02 0000 [] <c>]").next(), "'answers'"));
    wire silent;
    CHECK_FALSE(holds(silent.client().says("10[<MQTT> 05 02 0000 [19 01] <a>]").next(), "'answers'"));
}

TEST_CASE("[MQTT-3.1.2-29] Request Problem Information 0: Reason Strings stand in CONNACK and DISCONNECT only") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic read t\n"}}};
    auto &a = w.client("a", "05 02 0000 [17 00]"), &b = w.client("b");
    a.says("32[<t> 0001 [] 'x']").hears("40[0001 87]");
    b.says("32[<t> 0001 [] 'x']").hears("40[0001 87 [1F ..]]");
    a.says("34[<t> 0001 [] 'x']").hears("50[0001 87]");
    b.says("34[<t> 0001 [] 'x']").hears("50[0001 87 [1F ..]]");
    a.says("62[0009]").hears("70[0009 92]");
    b.says("62[0009]").hears("70[0009 92 [1F ..]]");
    a.says("50[0009]").hears("62[0009 92]");
    b.says("50[0009]").hears("62[0009 92 [1F ..]]");
    a.says("82[0001 [] <u> 00]").hears("90[0001 [] 87]");
    b.says("82[0001 [] <u> 00]").hears("90[0001 [1F ..] 87]");
    a.says("C1 00").hears("E0[81 [1F ..]]");
}

TEST_CASE("[MQTT-3.1.3-2] [MQTT-3.1.3-3] [MQTT-3.1.3-4] the client identifier is the key of the session, comes first and is UTF-8") {
    wire w;
    auto &a = w.client("a", "05 02 0000 [11 000003E8]"), &b = w.client("b", "05 02 0000 [11 000003E8]");
    a.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]").says("E0 00").is_closed();
    b.says("E0 00").is_closed();
    b.again();
    b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]").says("32[<t> 0001 [] 'x']").hears("40[0001]").hears_nothing();
    a.again();
    a.says("10[<MQTT> 05 00 0000 [] <a>]").hears("20[01 00 [..]]").hears("32[<t> ???? [] 'x']");
    w.refuses("10[<MQTT> 05 02 0000 [] 0002 C080]", "81");
    w.refuses("10[<MQTT> 05 02 0000 []]", "81");
}

TEST_CASE("[MQTT-3.1.3-5] client identifiers of 1 to 23 letters and digits are accepted") {
    wire w;
    w.client("0");
    w.client("abcdefghijklmnopqrstuvw");
    w.client("ABCDEFGHIJKLMNOPQRSTUVW");
    w.client("xyzXYZ0123456789");
}

TEST_CASE("[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty client identifier gets one of its own, which is told and works") {
    wire w;
    auto& a = w.client();
    auto const first = a.says("10[<MQTT> 05 02 0000 [11 000003E8] <>]").next();
    auto const second = w.client().says("10[<MQTT> 05 02 0000 [] <>]").next();
    auto const id_of = [](bytes const& connack) {
        auto const at = std::find(connack.begin() + 5, connack.end(), 0x12);
        REQUIRE(at != connack.end());
        auto const size = at[1] << 8 | at[2];
        return std::string(at + 3, at + 3 + size);
    };
    auto const id = id_of(first);
    CHECK(id.size() >= 16);
    CHECK(id != id_of(second));
    a.says("E0 00").is_closed();
    w.client().says("10[<MQTT> 05 00 0000 [] <" + id + ">]").hears("20[01 00 [..]]");
}

TEST_CASE("[MQTT-3.1.3-8] a client identifier with control characters is refused with 0x85") {
    wire w;
    w.refuses("10[<MQTT> 05 02 0000 [] 0003 610162]", "85");
}

TEST_CASE("[MQTT-3.1.3-9] a return before the will delay has passed takes the will back") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    auto& a = w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <a> [18 00000001] <w> <p>]").hears("20[00 00 [..]]");
    a.cut();
    a.again();
    a.says("10[<MQTT> 05 00 0000 [11 000003E8] <a>]").hears("20[01 00 [..]]");
    // Another client's will with the same delay shows that the time has passed.
    w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <c> [18 00000001] <w> <other>]").hears("20[00 00 [..]]").cut();
    b.hears("30[<w> [] 'other']").hears_nothing();
}

TEST_CASE("[MQTT-3.1.3-10] User Properties of a will keep their order, repeats included") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [26 <z> <1> 26 <a> <2> 26 <z> <1>] <w> <p>]").hears("20[00 00 [..]]").cut();
    b.hears("30[<w> [26 <z> <1> 26 <a> <2> 26 <z> <1>] 'p']");
}

TEST_CASE("[MQTT-3.1.3-11] [MQTT-3.1.3-12] will topic and user name are UTF-8") {
    wire w;
    w.refuses("10[<MQTT> 05 06 0000 [] <a> [] 0001 FF <p>]", "81");
    w.refuses("10[<MQTT> 05 82 0000 [] <a> 0001 FF]", "81");
}

TEST_CASE("[MQTT-3.1.4-1] a bad CONNECT is answered with its reason and closed") {
    wire w;
    w.refuses("10[<MQTT> 05 02 0000 [21 0000] <a>]", "82");            // Receive Maximum 0
    w.refuses("10[<MQTT> 05 02 0000 [27 00000000] <a>]", "82");        // Maximum Packet Size 0
    w.refuses("10[<MQTT> 05 02 0000 [17 02] <a>]", "82");              // a flag that is neither 0 nor 1
    w.refuses("10[<MQTT> 05 02 0000 [19 02] <a>]", "82");
    w.refuses("10[<MQTT> 05 02 0000 [11 00000001 11 00000001] <a>]", "82");
    w.refuses("10[<MQTT> 05 02 0000 [23 0001] <a>]", "81");            // a property of another packet
    w.refuses("10[<MQTT> 05 02 0000 [16 0001 78] <a>]", "82");         // Authentication Data without Method
    w.refuses("10[<MQTT> 05 06 0000 [] <a> [01 02] <w> <p>]", "82");
    w.refuses("10[<MQTT> 05 02 0000 [] <a> 00]", "81");                // something behind the end
    w.client().says("10[<MQTT>]").is_closed();                         // no level: nobody knows how to answer
}

TEST_CASE("[MQTT-3.1.4-2] whoever may not connect is told so and closed") {
    wire w{"allow_anonymous false\npassword_file {dir}/users\n", {{"users", "ann:$6$AAAAAAAAAAAAAAAA$" + std::string(86, 'A') + "==\n"}}};
    w.refuses("10[<MQTT> 05 02 0000 [] <a>]", "87");
    w.refuses("10[<MQTT> 05 C2 0000 [] <a> <ann> <wrong>]", "86");
    w.refuses("10[<MQTT> 05 C2 0000 [] <a> <nobody> <wrong>]", "86");
}

TEST_CASE("[MQTT-3.1.4-3] the same client identifier again: the old connection gets 0x8E and is closed") {
    wire w;
    auto& old = w.client("a");
    auto& fresh = w.client("a");
    old.hears("E0[8E [..]]").is_closed();
    fresh.hears_nothing();
}

TEST_CASE("[MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1] CONNACK 0x00 comes first, once, with flags 7 to 1 clear") {
    wire w;
    auto& a = w.client();
    // Sent before CONNACK, answered after it.
    a.says("10[<MQTT> 05 02 0000 [] <a>] C0 00 82[0001 [] <t> 00]").hears("20[00 00 [..]]").hears("D0 00").hears("90[0001 [] 00]").hears_nothing();
    auto& b = w.client("b", "05 02 0000 [11 000003E8]");
    b.says("E0 00").is_closed();
    b.again();
    b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]");
}

TEST_CASE("[MQTT-3.1.4-6] after a refused CONNECT nothing else is processed") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 02 0000 [] 0003 610162] 30[<t> [] 'x']").hears("20[00 85 [..]]").is_closed();
    b.hears_nothing();
}

TEST_CASE("[MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] a refusal has Session Present 0, a listed code, and closes") {
    wire w;
    auto& a = w.client("a", "05 02 0000 [11 000003E8]");
    a.says("E0 00").is_closed();
    // A session is there, but the will's topic is not acceptable.
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [] <w/#> <p>]").hears("20[00 90 [..]]").is_closed();
    w.client().says("10[<MQTT> 05 02 0000 [15 <NONE>] <a>]").hears("20[00 8C [..]]").is_closed();
}

TEST_CASE("[MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-11] [MQTT-3.2.2-12] Maximum QoS is announced, SUBSCRIBE is granted less, more is refused") {
    wire w{"max_qos 1\n"};
    auto& a = w.client();
    CHECK(holds(a.says("10[<MQTT> 05 02 0000 [] <a>]").next(), "24 01"));
    a.says("82[0001 [] <t> 02]").hears("90[0001 [] 01]");
    w.refuses("10[<MQTT> 05 16 0000 [] <b> [] <w> <p>]", "9B");
    a.says("34[<t> 0001 [] 'x']").is_sent_away("9B");
    wire full;
    CHECK_FALSE(holds(full.client().says("10[<MQTT> 05 02 0000 [] <a>]").next(), "24 01"));
}

TEST_CASE("[MQTT-3.2.2-13] [MQTT-3.2.2-14] retain is off: announced, a retained will is refused with 0x9A, a retained PUBLISH too") {
    wire w{"retain_available false\n"};
    auto& a = w.client();
    CHECK(holds(a.says("10[<MQTT> 05 02 0000 [] <a>]").next(), "25 00"));
    w.refuses("10[<MQTT> 05 26 0000 [] <b> [] <w> <p>]", "9A");
    a.says("31[<t> [] 'x']").is_sent_away("9A");
}

TEST_CASE("[MQTT-3.2.2-15] a packet above the server's Maximum Packet Size is answered with 0x95") {
    wire w{"max_packet_size 1000\n"};
    auto& a = w.client();
    CHECK(holds(a.says("10[<MQTT> 05 02 0000 [] <a>]").next(), "27 000003E8"));
    a.says("30[<t> [] '" + std::string(1000, 'x') + "']").is_sent_away("95");
}

TEST_CASE("[MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-9] a Topic Alias above the announced maximum is answered with 0x94") {
    wire w{"max_topic_alias 3\n"};
    auto& a = w.client();
    CHECK(holds(a.says("10[<MQTT> 05 02 0000 [] <a>]").next(), "22 0003"));
    a.says("32[<t> 0001 [23 0003] 'x']").hears("40[0001 10]").says("30[<t> [23 0004] 'x']").is_sent_away("94");
    wire none{"max_topic_alias 0\n"};
    auto& b = none.client();
    CHECK_FALSE(holds(b.says("10[<MQTT> 05 02 0000 [] <b>]").next(), "22 00"));
    b.says("30[<t> [23 0001] 'x']").is_sent_away("94");
}

TEST_CASE("[MQTT-3.2.2-19] CONNACK has no Reason String when it would exceed the client's Maximum Packet Size") {
    wire w;
    w.client().says("10[<MQTT> 05 02 0000 [27 000000FF] 0003 610162]").hears("20[00 85 [1F ..]]").is_closed();
    w.client().says("10[<MQTT> 05 02 0000 [27 0000000A] 0003 610162]").hears("20[00 85 []]").is_closed();
}

TEST_CASE("[MQTT-3.2.2-20] CONNACK has no User Property when it would exceed the client's Maximum Packet Size; not even CONNACK fits: closed") {
    wire w;
    CHECK(holds(w.client().says("10[<MQTT> 05 02 0000 [] <a>]").next(), "26 <server_time>"));
    auto const small = w.client().says("10[<MQTT> 05 02 0000 [27 0000001E] <b>]").next();
    CHECK(small.size() <= 30);
    CHECK_FALSE(holds(small, "'server_time'"));
    w.client().says("10[<MQTT> 05 02 0000 [27 00000005] <c>]").is_closed();
}

TEST_CASE("[MQTT-3.2.2-22] without Server Keep Alive the client's value rules; where it would be too long the server gives its own") {
    wire w{"max_keepalive 100\n"};
    CHECK_FALSE(holds(w.client().says("10[<MQTT> 05 02 0032 [] <a>]").next(), "13 00"));
    CHECK(holds(w.client().says("10[<MQTT> 05 02 0065 [] <b>]").next(), "13 0064"));
    CHECK(holds(w.client().says("10[<MQTT> 05 02 0000 [] <c>]").next(), "13 0064"));
}

TEST_CASE("the server's clock is in CONNACK, for devices without one") {
    wire w;
    auto const now = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
    auto const connack = w.client().says("10[<MQTT> 05 02 0000 [] <a>]").next();
    // The first eight digits of the unix time change every 100 seconds.
    CHECK((holds(connack, "26 <server_time> 000A '" + now.substr(0, 7) + "'")));
    w.client().says("10[<MQTT> 04 02 0000 <b>]").hears("20[00 00]");
}

TEST_CASE("while the broker drains, clients are sent to the server reference") {
    wire w{"airmail_server_reference other.example:8883\n"};
    auto &five = w.client("a"), &old = w.client("b", "04 02 0000");
    w.house().drain();
    five.hears("E0[9C [1C <other.example:8883> 1F ..]]").is_closed();
    old.is_closed();
    wire silent;
    auto& c = silent.client("c");
    silent.house().drain();
    c.hears("E0[8B [1F ..]]").is_closed();
}
