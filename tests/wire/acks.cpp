// Sections 3.4 to 3.7 and 4.3: acknowledgements, and what QoS 1 and 2 promise.

#include "tests/support/wire.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;

namespace {

/// An acknowledgement of a PUBLISH that came, by its identifier: `first` is the packet's first byte.
bytes answer(std::uint8_t first, bytes const& publish, std::initializer_list<std::uint8_t> more = {}) {
    auto const at = 4 + std::size_t{publish[3]};  // QoS > 0, a packet under 128 bytes, a topic under 256
    bytes b{first, static_cast<std::uint8_t>(2 + more.size()), publish[at], publish[at + 1]};
    b.insert(b.end(), more);
    return b;
}

}

TEST_CASE("[MQTT-3.4.2-1] PUBACK has listed reason codes only: 0x00, 0x10, 0x87, 0x90 as the case may be; another from a client is an error") {
    wire w{"acl_file {dir}/acl\nlimit_topic_levels 3\n", {{"acl", "topic readwrite t\ntopic readwrite u\n"}}};
    auto& a = w.client("a");
    a.says("32[<t> 0001 [] 'x']").hears("40[0001 10]");
    a.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]").says("32[<t> 0001 [] 'x']");
    auto const got = a.next();
    a.hears("40[0001]").says(answer(0x40, got));
    a.says("32[<forbidden> 0001 [] 'x']").hears("40[0001 87 [..]]");
    a.says("32[<a/b/c/d> 0001 [] 'x']").hears("40[0001 90 [..]]");
    a.says("40[0001 92]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.4.2-2] [MQTT-3.4.2-3] PUBACK has neither Reason String nor User Property when it would exceed Maximum Packet Size") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic read t\n"}}};
    auto &a = w.client("a", "05 02 0000 [27 0000001E]"), &b = w.client("b", "05 02 0000 [27 000000FF]");
    a.says("32[<t> 0001 [] 'x']").hears("40[0001 87]");
    b.says("32[<t> 0001 [] 'x']").hears("40[0001 87 [1F ..]]");
}

TEST_CASE("[MQTT-3.5.2-1] PUBREC has listed reason codes only; another from a client is an error") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite t\n"}}};
    auto& a = w.client("a");
    a.says("34[<t> 0001 [] 'x']").hears("50[0001 10]");
    a.says("34[<forbidden> 0002 [] 'x']").hears("50[0002 87 [..]]");
    a.says("50[0001 92]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.5.2-2] [MQTT-3.5.2-3] PUBREC has neither Reason String nor User Property when it would exceed Maximum Packet Size") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic read t\n"}}};
    auto &a = w.client("a", "05 02 0000 [27 0000001E]"), &b = w.client("b");
    a.says("34[<t> 0001 [] 'x']").hears("50[0001 87]");
    b.says("34[<t> 0001 [] 'x']").hears("50[0001 87 [1F ..]]");
}

TEST_CASE("[MQTT-3.6.1-1] PUBREL has flags 0010; else malformed") {
    wire w;
    w.client("a").says("60[0001]").is_sent_away("81");
    w.client("a").says("6A[0001]").is_sent_away("81");
}

TEST_CASE("[MQTT-3.6.2-1] PUBREL has listed reason codes only: 0x92 for an identifier that is not known; another from a client is an error") {
    wire w;
    auto& a = w.client("a");
    a.says("50[0007]").hears("62[0007 92 [..]]");
    a.says("62[0007 80]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.6.2-2] [MQTT-3.6.2-3] PUBREL has neither Reason String nor User Property when it would exceed Maximum Packet Size") {
    wire w;
    w.client("a", "05 02 0000 [27 0000001E]").says("50[0007]").hears("62[0007 92]");
    w.client("b").says("50[0007]").hears("62[0007 92 [1F ..]]");
}

TEST_CASE("[MQTT-3.7.2-1] PUBCOMP has listed reason codes only: 0x92 for an identifier that is not known; another from a client is an error") {
    wire w;
    auto& a = w.client("a");
    a.says("62[0007]").hears("70[0007 92 [..]]");
    a.says("70[0007 10]").is_sent_away("82");
}

TEST_CASE("[MQTT-3.7.2-2] [MQTT-3.7.2-3] PUBCOMP has neither Reason String nor User Property when it would exceed Maximum Packet Size") {
    wire w;
    w.client("a", "05 02 0000 [27 0000001E]").says("62[0007]").hears("70[0007 92]");
    w.client("b").says("62[0007]").hears("70[0007 92 [1F ..]]");
}

TEST_CASE("[MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT-4.4.0-2] QoS 1 to a client: QoS 1, DUP 0, unacknowledged until PUBACK, over with any PUBACK") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [11 000003E8 21 0001]");
    b.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    a.says("32[<t> 0001 [] '1']").hears("40[0001]").says("32[<t> 0001 [] '2']").hears("40[0001]").says("32[<t> 0001 [] '3']").hears("40[0001]");
    auto const one = b.next();
    CHECK(packet_pattern::compare("32[<t> ???? [] '1']", one) == "");
    b.hears_nothing().says(answer(0x40, one));
    auto const two = b.next();
    CHECK(packet_pattern::compare("32[<t> ???? [] '2']", two) == "");
    b.says(answer(0x40, two, {0x80}));  // refused: over all the same
    b.hears("32[<t> ???? [] '3']").cut();
    b.again();
    b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]").hears("3A[<t> ???? [] '3']").hears_nothing();
}

TEST_CASE("[MQTT-4.3.2-4] [MQTT-4.3.2-5] QoS 1 from a client: PUBACK with its identifier, after which that identifier is a new message whatever DUP says") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    a.says("32[<t> 0005 [] 'x']").hears("40[0005]").says("3A[<t> 0005 [] 'x']").hears("40[0005]");
    b.hears("30[<t> [] 'x']").hears("30[<t> [] 'x']").hears_nothing();
}

TEST_CASE("[MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] QoS 2 to a client: PUBLISH until PUBREC, then PUBREL until PUBCOMP, never PUBLISH again") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [11 000003E8 21 0001]");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    a.says("34[<t> 0001 [] '1']").hears("50[0001]").says("62[0001]").hears("70[0001]").says("32[<t> 0001 [] '2']").hears("40[0001]");
    auto const one = b.next();
    CHECK(packet_pattern::compare("34[<t> ???? [] '1']", one) == "");
    auto const resume = [&] {
        b.cut();
        b.again();
        b.says("10[<MQTT> 05 00 0000 [11 000003E8 21 0001] <b>]").hears("20[01 00 [..]]");
    };
    resume();
    auto repeated = b.next();
    CHECK(repeated[0] == 0x3C);
    CHECK(answer(0, repeated) == answer(0, one));
    b.says(answer(0x50, one));
    CHECK(b.next() == answer(0x62, one));
    b.hears_nothing();
    resume();
    CHECK(b.next() == answer(0x62, one));  // PUBREL again, not PUBLISH
    b.hears_nothing().says(answer(0x70, one));
    b.hears("32[<t> ???? [] '2']");
}

TEST_CASE("[MQTT-4.3.3-7] what is on its way at QoS 2 does not expire") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [11 000003E8]");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    a.says("34[<t> 0001 [02 00000001] 'x']").hears("50[0001]");
    auto const one = b.next();
    b.cut();
    a.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <c> [18 00000002] <w> <now>]").hears("20[00 00 [..]]").cut();
    a.hears("30[<w> [] 'now']");
    b.again();
    b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]").hears("3C[<t> ???? [02 000000??] 'x']");
    b.says(answer(0x50, one));
    CHECK(b.next() == answer(0x62, one));
}

TEST_CASE("[MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12] QoS 2 from a client: PUBREC, the same identifier is the same message, PUBREL is answered and frees it") {
    wire w;
    auto &a = w.client("a", "05 02 0000 [11 000003E8]"), &b = w.client("b");
    b.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    a.says("34[<t> 0005 [] 'x']").hears("50[0005]").says("3C[<t> 0005 [] 'x']").hears("50[0005]");
    b.hears("30[<t> [] 'x']").hears_nothing();
    a.cut();
    a.again();  // also over a new connection
    a.says("10[<MQTT> 05 00 0000 [] <a>]").hears("20[01 00 [..]]").says("3C[<t> 0005 [] 'x']").hears("50[0005]");
    b.hears_nothing();
    a.says("62[0005]").hears("70[0005]").says("34[<t> 0005 [] 'y']").hears("50[0005]");
    b.hears("30[<t> [] 'y']");
}

TEST_CASE("[MQTT-4.3.3-9] after PUBREC of 0x80 or more the identifier is free for a new message") {
    wire w{"acl_file {dir}/acl\n", {{"acl", "topic readwrite t\n"}}};
    auto& a = w.client("a");
    a.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    a.says("34[<forbidden> 0005 [] 'x']").hears("50[0005 87 [..]]");
    a.says("34[<t> 0005 [] 'y']").hears("30[<t> [] 'y']").hears("50[0005]");
}

TEST_CASE("[MQTT-4.3.3-13] a QoS 2 handshake is finished even if the message expired meanwhile") {
    wire w;
    auto& a = w.client("a");
    a.says("34[<t> 0005 [02 00000001] 'x']").hears("50[0005 10]");
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <c> [18 00000002] <w> <now>]").hears("20[00 00 [..]]").cut();
    b.hears("30[<w> [] 'now']");
    a.says("62[0005]").hears("70[0005]");
}
