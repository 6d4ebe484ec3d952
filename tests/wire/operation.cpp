// Sections 4.5 to 4.8: receipt, order, topics, shared subscriptions.

#include "tests/support/wire.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;

namespace {

bytes ack(std::uint8_t first, bytes const& publish, std::initializer_list<std::uint8_t> more = {}) {
    auto const at = 4 + std::size_t{publish[3]};
    bytes b{first, static_cast<std::uint8_t>(2 + more.size()), publish[at], publish[at + 1]};
    b.insert(b.end(), more);
    return b;
}

}

TEST_CASE("[MQTT-4.5.0-1] an accepted message goes into the session of every matching client, connected or not") {
    wire w;
    auto &a = w.client("a"), &here = w.client("here", "05 02 0000 [11 000003E8]"), &away = w.client("away", "05 02 0000 [11 000003E8]");
    for (auto* c : {&here, &away}) c->says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    away.says("E0 00").is_closed();
    a.says("32[<t> 0001 [] 'x']").hears("40[0001]");
    here.hears("32[<t> ???? [] 'x']");
    away.again();
    away.says("10[<MQTT> 05 00 0000 [] <away>]").hears("20[01 00 [..]]").hears("32[<t> ???? [] 'x']");
}

TEST_CASE("[MQTT-4.6.0-1] re-sent PUBLISH packets keep their order") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b", "05 02 0000 [11 000003E8]");
    b.says("82[0001 [] <t> 02]").hears("90[0001 [] 02]");
    for (auto const* n : {"1", "2", "3", "4"}) a.says((n[0] % 2 ? "32[<t> 0001 [] '" : "34[<t> 0001 [] '") + std::string{n} + "']").says("62[0001]");
    for (int i = 0; i < 4; ++i) b.next();
    b.cut();
    b.again();
    b.says("10[<MQTT> 05 00 0000 [] <b>]").hears("20[01 00 [..]]");
    b.hears("3A[<t> ???? [] '1']").hears("3C[<t> ???? [] '2']").hears("3A[<t> ???? [] '3']").hears("3C[<t> ???? [] '4']");
}

TEST_CASE("[MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4] acknowledgements come in the order of what they answer") {
    wire w;
    auto& a = w.client("a");
    a.says("32[<t> 0003 [] 'x'] 32[<t> 0001 [] 'x'] 32[<t> 0002 [] 'x']").hears("40[0003 10]").hears("40[0001 10]").hears("40[0002 10]");
    a.says("34[<t> 0003 [] 'x'] 34[<t> 0001 [] 'x']").hears("50[0003 10]").hears("50[0001 10]").says("62[0003] 62[0001]").hears("70[0003]").hears("70[0001]");
    auto& b = w.client("b");
    b.says("82[0001 [] <u> 02]").hears("90[0001 [] 02]");
    a.says("34[<u> 0005 [] 'x'] 34[<u> 0006 [] 'y']").hears("50[0005]").hears("50[0006]");
    auto const one = b.next(), two = b.next();
    auto both = ack(0x50, one);
    auto const second = ack(0x50, two);
    both.insert(both.end(), second.begin(), second.end());
    b.says(both);
    CHECK(b.next() == ack(0x62, one));
    CHECK(b.next() == ack(0x62, two));
}

TEST_CASE("[MQTT-4.6.0-5] [MQTT-4.6.0-6] per topic and QoS, from one publisher, messages keep their order") {
    wire w;
    auto &a = w.client("a"), &b = w.client("b");
    b.says("82[0001 [] <#> 02]").hears("90[0001 [] 02]");
    bytes all;
    for (int i = 0; i < 40; ++i) {
        auto const n = std::to_string(100 + i);
        auto const p = packet(i % 2 ? "32[<t> 00" + std::to_string(10 + i) + " [] '" + n + "']" : "30[<u> [] '" + n + "']");
        all.insert(all.end(), p.begin(), p.end());
    }
    a.says(all);
    int zero = 98, one = 99;
    for (int i = 0; i < 40; ++i) {
        auto const p = b.next();
        auto const n = std::stoi(std::string(p.end() - 3, p.end()));
        auto& last = p[0] == 0x30 ? zero : one;
        CHECK(n == last + 2);
        last = n;
        if (p[0] == 0x32) b.says(ack(0x40, p));
    }
}

TEST_CASE("[MQTT-4.7.1-1] # stands alone or after /, and last") {
    wire w;
    for (auto const* filter : {"#/a", "a#", "a/#/b", "a/b#", "##"}) w.client("a").says("82[0001 [] <" + std::string{filter} + "> 00]").is_sent_away("8F");
    auto& a = w.client("a");
    a.says("82[0001 [] <s/t/#> 00]").hears("90[0001 [] 00]");
    a.says("30[<s/t> [] '1']").hears("30[<s/t> [] '1']").says("30[<s/t/> [] '2']").hears("30[<s/t/> [] '2']");
    a.says("30[<s/t/u/v> [] '3']").hears("30[<s/t/u/v> [] '3']").says("30[<s/tt> [] '4']").says("30[<s> [] '5']").hears_nothing();
}

TEST_CASE("[MQTT-4.7.1-2] + fills a whole level") {
    wire w;
    for (auto const* filter : {"a+", "+a", "a/b+", "++", "a/+b/c"}) w.client("a").says("82[0001 [] <" + std::string{filter} + "> 00]").is_sent_away("8F");
    auto& a = w.client("a");
    a.says("82[0001 [] <s/+> 00 </+/x> 00]").hears("90[0001 [] 00 00]");
    a.says("30[<s/t> [] '1']").hears("30[<s/t> [] '1']").says("30[<s/> [] '2']").hears("30[<s/> [] '2']");
    a.says("30[</a/x> [] '3']").hears("30[</a/x> [] '3']").says("30[<s> [] '4']").says("30[<s/t/u> [] '5']").says("30[<a/x> [] '6']").hears_nothing();
}

TEST_CASE("[MQTT-4.7.2-1] a wildcard at the front does not match topics beginning with $, live or retained") {
    wire w;
    auto& a = w.client("a");
    a.says("31[<$own/x> [] 'kept']").says("82[0001 [] <#> 00 <+/x> 00 <$own/+> 00]").hears("90[0001 [] 00 00 00]").hears("31[<$own/x> [] 'kept']").hears_nothing();
    a.says("30[<$own/y> [] '1']").hears("30[<$own/y> [] '1']").hears_nothing();
    a.says("A2[0002 [] <$own/+>]").hears("B0[0002 [] 00]").says("30[<$own/x> [] '2']").hears_nothing();
}

TEST_CASE("[MQTT-4.7.3-1] topics and filters have at least one character") {
    wire w;
    w.client("a").says("82[0001 [] <> 00]").is_sent_away("8F");
    w.client("a").says("30[<> [] 'x']").is_sent_away("82");
    auto& a = w.client("a");
    a.says("82[0001 [] </> 00]").hears("90[0001 [] 00]").says("30[</> [] 'x']").hears("30[</> [] 'x']");
}

TEST_CASE("[MQTT-4.7.3-2] no U+0000 in topics and filters") {
    wire w;
    w.client("a").says("82[0001 [] 0003 610062 00]").is_sent_away("81");
    w.client("a").says("30[0003 610062 [] 'x']").is_sent_away("81");
}

TEST_CASE("[MQTT-4.7.3-3] topics have up to 65,535 bytes") {
    wire w;
    auto& a = w.client("a");
    auto const longest = std::string(65535, 'x');
    a.says("82[0001 [] <" + longest + "> 00]").hears("90[0001 [] 00]").says("30[<" + longest + "> [] 'p']");
    auto const p = a.next();
    CHECK(p.size() == 1 + 3 + 2 + 65535 + 1 + 1);
    CHECK(p[4] == 0xFF);
    CHECK(p[5] == 0xFF);
}

TEST_CASE("[MQTT-4.7.3-4] nothing is normalised when topics are matched: case, slashes, spaces, composed characters") {
    wire w;
    auto& a = w.client("a");
    a.says("82[0001 [] <Accounts> 00 <a/b> 00 0002 C3A9 00]").hears("90[0001 [] 00 00 00]");
    a.says("30[<ACCOUNTS> [] '1']").says("30[</a/b> [] '2']").says("30[<a/b/> [] '3']").says("30[<a//b> [] '4']").says("30[<a/b > [] '5']").says("30[0003 65CC81 [] '6']").hears_nothing();
    a.says("30[<Accounts> [] '7']").hears("30[<Accounts> [] '7']").says("30[0002 C3A9 [] '8']").hears("30[0002 C3A9 [] '8']");
}

TEST_CASE("[MQTT-4.8.2-1] [MQTT-4.8.2-2] a shared filter is $share/, a name without / + #, a slash and a filter") {
    wire w;
    for (auto const* filter : {"$share/", "$share//t", "$share/g", "$share/g/", "$share/+/t", "$share/g#/t", "$share/g/a#"})
        w.client("a").says("82[0001 [] <" + std::string{filter} + "> 00]").is_sent_away("8F");
    auto& a = w.client("a");
    a.says("82[0001 [] <$share/g//t> 00 <$share/g/#> 00]").hears("90[0001 [] 00 00]").says("30[</t> [] 'x']").hears("30[</t> [] 'x']").hears("30[</t> [] 'x']");
}

TEST_CASE("[MQTT-4.8.2-3] shared delivery goes to one member, at that member's granted QoS") {
    wire w;
    auto &a = w.client("a"), &zero = w.client("zero"), &two = w.client("two");
    zero.says("82[0001 [] <$share/g/t> 00]").hears("90[0001 [] 00]");
    two.says("82[0001 [0B 09] <$share/g/t> 02]").hears("90[0001 [] 02]");
    for (int i = 0; i < 4; ++i) a.says("34[<t> 0001 [] 'x']").hears("50[0001]").says("62[0001]").hears("70[0001]");
    zero.hears("30[<t> [] 'x']").hears("30[<t> [] 'x']").hears_nothing();
    two.hears("34[<t> ???? [0B 09] 'x']").hears("34[<t> ???? [0B 09] 'x']").hears_nothing();
}

TEST_CASE("[MQTT-4.8.2-4] a QoS 2 delivery begun to a member is finished with that member when it comes back") {
    wire w;
    auto &a = w.client("a"), &one = w.client("one", "05 02 0000 [11 000003E8]");
    one.says("82[0001 [] <$share/g/t> 02]").hears("90[0001 [] 02]");
    a.says("34[<t> 0001 [] 'x']").hears("50[0001]");
    auto const first = one.next();
    auto& other = w.client("other");
    other.says("82[0001 [] <$share/g/t> 02]").hears("90[0001 [] 02]");
    one.cut();
    other.hears_nothing();
    one.again();
    one.says("10[<MQTT> 05 00 0000 [] <one>]").hears("20[01 00 [..]]").hears("3C[<t> ???? [] 'x']").says(ack(0x50, first));
    CHECK(one.next() == ack(0x62, first));
    one.says(ack(0x70, first)).hears_nothing();
    other.hears_nothing();
}

TEST_CASE("[MQTT-4.8.2-5] if the session of that member ends first, the message goes to nobody else") {
    wire w;
    auto &a = w.client("a"), &one = w.client("one", "05 02 0000 [11 000003E8]");
    one.says("82[0001 [] <$share/g/t> 02]").hears("90[0001 [] 02]");
    a.says("34[<t> 0001 [] 'x']").hears("50[0001]");
    one.next();
    auto& other = w.client("other");
    other.says("82[0001 [] <$share/g/t> 02]").hears("90[0001 [] 02]");
    one.says("E0[00 [11 00000000]]").is_closed();  // the session ends now
    other.hears_nothing();
    a.says("30[<t> [] 'y']");
    other.hears("30[<t> [] 'y']");
}

TEST_CASE("[MQTT-4.8.2-6] a PUBACK or PUBREC of 0x80 or more from a member ends the message; it is not offered to others") {
    wire w;
    auto &a = w.client("a"), &one = w.client("one");
    one.says("82[0001 [] <$share/g/t> 02]").hears("90[0001 [] 02]");
    a.says("32[<t> 0001 [] 'x']").hears("40[0001]").says("34[<t> 0001 [] 'y']").hears("50[0001]");
    auto const x = one.next(), y = one.next();
    auto& other = w.client("other");
    other.says("82[0001 [] <$share/g/t> 02]").hears("90[0001 [] 02]");
    one.says(ack(0x40, x, {0x97})).says(ack(0x50, y, {0x97})).hears_nothing();
    other.hears_nothing();
}

TEST_CASE("mixed versions: MQTT 5 to 3.1.1 without properties, and back; expiry holds for both") {
    wire w;
    auto &five = w.client("five"), &four = w.client("four", "04 02 0000");
    five.says("82[0001 [] <t> 01]").hears("90[0001 [] 01]");
    four.says("82[0001 <t> 01]").hears("90[0001 01]");
    five.says("32[<t> 0001 [02 00000064 26 <k> <v>] 'x']");
    five.hears("32[<t> ???? [02 00000064 26 <k> <v>] 'x']").hears("40[0001]");
    four.hears("32[<t> ???? 'x']").says("30[<t> 'y']").hears("30[<t> 'y']");
    five.hears("30[<t> [] 'y']");
}
