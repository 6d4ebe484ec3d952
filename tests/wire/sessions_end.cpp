// Sections 3.12, 3.14: PINGREQ and DISCONNECT; 4.1, 4.2: session state, the stream; 4.13: errors.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;
using namespace std::chrono_literals;

TEST_CASE("[MQTT-3.12.4-1] PINGREQ is answered with PINGRESP") {
    wire w;
    auto& a = w.client("a");
    a.says("C0 00 C0 00").hears("D0 00").hears("D0 00");
}

TEST_CASE("[MQTT-3.14.0-1] no DISCONNECT before a CONNACK of success") {
    wire w;
    w.client().says("10[<MQTT> 05 02 0000 [] 0003 610162]").hears("20[00 85 [..]]").is_closed();
}

TEST_CASE("[MQTT-3.14.1-1] reserved bits of DISCONNECT are 0; else 0x81 and closed, and the will goes out") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [] <w> <p>]").hears("20[00 00 [..]]").says("E1 00").is_sent_away("81");
    b.hears("30[<w> [] 'p']");
}

TEST_CASE("[MQTT-3.14.2-1] only listed DISCONNECT codes: a server's code from a client is an error") {
    wire w;
    w.client("a").says("E0[8E]").is_sent_away("82");
    w.client("a").says("E0[01]").is_sent_away("82");
    w.client("a").says("E0[04]").is_closed();
}

TEST_CASE("[MQTT-3.14.2-2] the server's DISCONNECT has no Session Expiry Interval; the client's may not raise it from 0") {
    wire w;
    auto& old = w.client("a", "05 02 0000 [11 000003E8]");
    w.client("a", "05 02 0000 [11 000003E8]");
    old.hears("E0[8E [1F <another connection came with the same client identifier>]]").is_closed();
    w.client("b").says("E0[00 [11 00000005]]").is_sent_away("82");
}

TEST_CASE("DISCONNECT changes the session's expiry, down to its end") {
    wire w;
    auto& a = w.client("a", "05 02 0000 [11 000003E8]");
    a.says("E0[00 [11 00000000]]").is_closed();
    a.again();
    a.says("10[<MQTT> 05 00 0000 [11 00000001] <a>]").hears("20[00 00 [..]]").says("E0[00 [11 000003E8]]").is_closed();
    a.again();
    a.says("10[<MQTT> 05 00 0000 [] <a>]").hears("20[01 00 [..]]");
}

TEST_CASE("[MQTT-3.14.2-3] [MQTT-3.14.2-4] DISCONNECT has neither Reason String nor User Property when it would exceed Maximum Packet Size") {
    wire w;
    w.client("a", "05 02 0000 [27 0000001E]").says("C1 00").hears("E0[81]").is_closed();
    w.client("b").says("C1 00").hears("E0[81 [1F ..]]").is_closed();
}

TEST_CASE("[MQTT-3.14.4-1] [MQTT-3.14.4-2] after DISCONNECT the sender sends nothing and closes") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    a.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    // What the client sends behind its own DISCONNECT is not heard.
    a.says("E0 00 30[<t> [] 'late'] C0 00").is_closed();
    b.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]").hears_nothing();
    // And behind the server's nothing follows.
    b.says("C1 00 C0 00").hears("E0[81 [..]]").is_closed();
}

TEST_CASE("[MQTT-4.1.0-1] session state is not discarded while the connection is open, however long its expiry has passed") {
    wire w;
    auto &a = w.client("a", "05 02 0000 [11 00000001]"), &b = w.client("b");
    a.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [11 000003E8] <c> [18 00000002] <w> <now>]").hears("20[00 00 [..]]").cut();
    b.hears("30[<w> [] 'now']").says("32[<t> 0001 [] 'x']").hears("40[0001]");
    a.hears("32[<t> ???? [] 'x']");
}

TEST_CASE("[MQTT-4.1.0-2] session state is discarded when the expiry interval after the close has passed, and the will goes out with it") {
    wire w;
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    // The will delay is longer than the session: the session's end is when it goes out.
    auto& a = w.client().says("10[<MQTT> 05 06 0000 [11 00000001] <a> [18 00000064] <w> <p>]").hears("20[00 00 [..]]");
    a.cut();
    b.hears("30[<w> [] 'p']");
    a.again();
    a.says("10[<MQTT> 05 00 0000 [] <a>]").hears("20[00 00 [..]]");
}

TEST_CASE("[MQTT-4.2-1] the stream is ordered and lossless: packets come apart and together, and none is lost") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]");
    bytes all;
    for (int i = 0; i < 50; ++i) {
        auto const p = packet("30[<t> [] '" + std::to_string(i) + "']");
        all.insert(all.end(), p.begin(), p.end());
    }
    for (std::size_t at = 0, step = 1; at < all.size(); at += step, step = step % 23 + 1)
        a.says(bytes(all.begin() + static_cast<std::ptrdiff_t>(at), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), at + step))));
    for (int i = 0; i < 50; ++i) b.hears("30[<t> [] '" + std::to_string(i) + "']");
    b.hears_nothing();
}

TEST_CASE("[MQTT-4.13.1-1] a malformed packet or protocol error closes the connection") {
    wire w;
    for (auto const* malformed : {"00 00", "82[0001 [] <t>]", "30[<t> [FF] 'x']", "30[<t> [02 00] 'x']", "32[<t>]", "C0[00]", "E0[00 [99]]"})
        w.client("a").says(malformed).is_sent_away("81");
    for (auto const* error : {"20[00 00 []]", "90[0001 [] 00]", "D0 00", "30[<t> [01 00 01 00] 'x']", "30[<t> [01 02] 'x']", "30[<t> [02 00000001 02 00000001] 'x']"})
        w.client("a").says(error).is_sent_away("82");
}

TEST_CASE("[MQTT-4.13.2-1] a reason code of 0x80 or more in CONNACK or DISCONNECT always means close") {
    wire w;
    w.client().says("10[<MQTT> 05 02 0000 [15 <NONE>] <a>]").hears("20[00 8C [..]]").is_closed();
    auto& b = w.client("b");
    b.says("82[0001 [] <w> 00]").hears("90[0001 [] 00]");
    w.client().says("10[<MQTT> 05 06 0000 [] <a> [] <w> <p>]").hears("20[00 00 [..]]").says("E0[83]").is_closed();
    b.hears("30[<w> [] 'p']");
}
