// Sections 3.15 and 4.12: enhanced authentication with SCRAM-SHA-256, and again after CONNACK.

#include "tests/support/scram_client.hpp"
#include "tests/support/wire.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;

namespace {

constexpr int rounds = 4096;
std::string const salt = "0123456789abcdef";

std::string hexed(std::string const& s) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out = {digits[s.size() >> 12 & 15], digits[s.size() >> 8 & 15], digits[s.size() >> 4 & 15], digits[s.size() & 15]};
    for (unsigned char c : s) out += digits[c >> 4], out += digits[c & 15];
    return out;
}

/// A broker that knows ann (SCRAM), bob (SCRAM) and old (a hash that SCRAM cannot use).
struct guarded {
    wire w{"allow_anonymous false\npassword_file {dir}/users\n",
           {{"users", "ann:" + scram::verifier("pencil", salt, rounds) + "\nbob:" + scram::verifier("rubber", salt, rounds) +
                          "\nold:$6$AAAAAAAAAAAAAAAA$" + std::string(86, 'A') + "==\n"}}};
    std::string server_first;

    /// CONNECT with client-first; the server's AUTH is remembered.
    wire_end& begins(scram::login& l, std::string const& id = "a", std::string const& more = "") {
        auto& c = w.client().says("10[<MQTT> 05 02 0000 [" + more + " 15 <SCRAM-SHA-256> 16 " + hexed(l.first()) + "] <" + id + ">]");
        challenge(c.next());
        return c;
    }
    void challenge(bytes const& auth) {
        INFO(packet_pattern::hex(auth));
        REQUIRE(packet_pattern::compare("F0[18 [15 <SCRAM-SHA-256> 16 ..]]", auth) == "");
        // Data is the last property: type, length, code, property length, method (3 + 13), identifier, two bytes of length.
        auto const at = auth.size() - text_size(auth);
        server_first.assign(auth.begin() + static_cast<std::ptrdiff_t>(at), auth.end());
        REQUIRE(server_first.starts_with("r=fyko+d2lbbFgONRv9qkxdawL"));
    }
    static std::size_t text_size(bytes const& auth) {
        auto const r = std::string(auth.begin(), auth.end()).find("r=");
        return auth.size() - r;
    }
    std::string answer(scram::login& l, std::string const& code = "18") {
        return "F0[" + code + " [15 <SCRAM-SHA-256> 16 " + hexed(l.last(server_first, salt, rounds)) + "]]";
    }
    /// All of a login that succeeds.
    wire_end& logs_in(scram::login& l, std::string const& id = "a") {
        auto& c = begins(l, id);
        auto const connack = c.says(answer(l)).next();
        REQUIRE(packet_pattern::compare("20[00 00 [..]]", connack) == "");
        CHECK(holds(connack, "15 <SCRAM-SHA-256> 16 " + hexed(l.expected)));
        return c;
    }
};

}

TEST_CASE("the client of these tests computes the example of RFC 7677") {
    scram::login l{"user", "pencil", "rOprNGfwEbeRWgbNEkqO"};
    auto const text = std::string{"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"};
    std::string raw(16, '\0');
    unsigned char buffer[18];
    EVP_DecodeBlock(buffer, reinterpret_cast<unsigned char const*>("W22ZaJ0SNY7soEsUEjb6gQ=="), 24);
    raw.assign(reinterpret_cast<char*>(buffer), 16);
    CHECK(l.last(text, raw, 4096) == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    CHECK(l.expected == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_CASE_FIXTURE(guarded, "[MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1] SCRAM-SHA-256: AUTH 0x18 both ways, then CONNACK with the method and the server's proof") {
    scram::login ann{"ann", "pencil"};
    auto& a = logs_in(ann);
    a.says("82[0001 [] <t> 00]").hears("90[0001 [] 00]").says("30[<t> [] 'x']").hears("30[<t> [] 'x']");
}

TEST_CASE_FIXTURE(guarded, "[MQTT-4.12.0-4] a wrong proof, an unknown user and a hash that SCRAM cannot use are refused alike at the end, and closed") {
    for (scram::login l : {scram::login{"ann", "wrong"}, scram::login{"nobody", "pencil"}, scram::login{"old", "pencil"}}) {
        auto& c = begins(l);
        if (l.user != "ann") {
            auto const again = server_first;
            begins(l, "b");
            CHECK(again.substr(again.find(",s=")) == server_first.substr(server_first.find(",s=")));  // the same salt each time
            server_first = again;
        }
        c.says(answer(l)).hears("20[00 87 [1F ..]]").is_closed();
    }
}

TEST_CASE_FIXTURE(guarded, "[MQTT-4.12.0-4] what is no client-first-message, asks for channel binding or names another user is refused at once") {
    for (auto const* first : {"", "n,,", "n,,n=ann", "n,,n=ann,r=short", "p=tls-unique,,n=ann,r=fyko+d2lbbFgONRv9qkxdawL", "n,a=bob,n=ann,r=fyko+d2lbbFgONRv9qkxdawL", "n,,m=x,n=ann,r=fyko+d2lbbFgONRv9qkxdawL", "n,,n=a=b,r=fyko+d2lbbFgONRv9qkxdawL"})
        w.refuses("10[<MQTT> 05 02 0000 [15 <SCRAM-SHA-256> 16 " + hexed(first) + "] <a>]", "87");
    w.refuses("10[<MQTT> 05 02 0000 [15 <SCRAM-SHA-256>] <a>]", "87");
    w.refuses("10[<MQTT> 05 82 0000 [15 <SCRAM-SHA-256> 16 " + hexed("n,,n=ann,r=fyko+d2lbbFgONRv9qkxdawL") + "] <a> <bob>]", "87");
}

TEST_CASE_FIXTURE(guarded, "a recorded proof is worth nothing the second time") {
    scram::login ann{"ann", "pencil"};
    auto& first = begins(ann);
    auto const recorded = answer(ann);
    first.says(recorded).hears("20[00 00 [..]]");
    auto& second = begins(ann, "b");
    second.says(recorded).hears("20[00 87 [..]]").is_closed();
}

TEST_CASE_FIXTURE(guarded, "[MQTT-3.1.2-30] before CONNACK only AUTH and DISCONNECT may follow; anything else is refused") {
    scram::login ann{"ann", "pencil"};
    begins(ann).says("C0 00").hears("20[00 82 [..]]").is_closed();
    begins(ann).says("30[<t> [] 'x']").hears("20[00 82 [..]]").is_closed();
    begins(ann).says("E0 00").is_closed();
    begins(ann).says("F0[18 [15 <SCRAM-SHA-1> 16 0001 78]]").hears("20[00 82 [..]]").is_closed();
    begins(ann).says("F0[19 [15 <SCRAM-SHA-256> 16 0001 78]]").hears("20[00 82 [..]]").is_closed();
    begins(ann).says("F0 00").hears("20[00 82 [..]]").is_closed();
}

TEST_CASE_FIXTURE(guarded, "[MQTT-3.15.1-1] AUTH has flags 0000; else malformed") {
    scram::login ann{"ann", "pencil"};
    logs_in(ann).says("F1[19 [15 <SCRAM-SHA-256>]]").is_sent_away("81");
}

TEST_CASE_FIXTURE(guarded, "[MQTT-3.15.2-2] [MQTT-3.15.2-3] the server's AUTH carries neither Reason String nor User Property; one that does not fit is not sent") {
    scram::login ann{"ann", "pencil"};
    begins(ann, "a", "27 00000080");  // exactly the method and the data: challenge() looks at the whole packet's beginning
    w.client().says("10[<MQTT> 05 02 0000 [27 0000001E 15 <SCRAM-SHA-256> 16 " + hexed(ann.first()) + "] <b>]").is_closed();
}

TEST_CASE_FIXTURE(guarded, "[MQTT-4.12.1-1] re-authentication: AUTH 0x19 with the original method, packets flow meanwhile, AUTH 0x00 at the end") {
    scram::login ann{"ann", "pencil"};
    auto& a = logs_in(ann);
    a.says("F0[19 [15 <SCRAM-SHA-256> 16 " + hexed(ann.first()) + "]]");
    challenge(a.next());
    a.hears_nothing();
    a.says(answer(ann)).hears("F0[00 [15 <SCRAM-SHA-256> 16 " + hexed(ann.expected) + "]]").hears_nothing();
    a.says("F0[19 [15 <OTHER> 16 0001 78]]").is_sent_away("82");
}

TEST_CASE_FIXTURE(guarded, "[MQTT-4.12.1-2] a re-authentication that fails ends with DISCONNECT and close: wrong proof, another user, out of turn") {
    scram::login ann{"ann", "pencil"}, wrong{"ann", "wrong"}, bob{"bob", "rubber"};
    auto& a = logs_in(ann);
    a.says("F0[19 [15 <SCRAM-SHA-256> 16 " + hexed(wrong.first()) + "]]");
    challenge(a.next());
    a.says(answer(wrong)).is_sent_away("87");
    logs_in(ann).says("F0[19 [15 <SCRAM-SHA-256> 16 " + hexed(bob.first()) + "]]").is_sent_away("87");
    logs_in(ann).says("F0[18 [15 <SCRAM-SHA-256> 16 0001 78]]").is_sent_away("82");
}

TEST_CASE_FIXTURE(guarded, "the session belongs to the user that SCRAM has proven: a password login of the same user resumes it") {
    scram::login ann{"ann", "pencil"};
    auto& a = begins(ann, "dev", "11 000003E8");
    a.says(answer(ann)).hears("20[00 00 [..]]").says("E0 00").is_closed();
    w.client().says("10[<MQTT> 05 C0 0000 [] <dev> <ann> <pencil>]").hears("20[01 00 [..]]");
    w.refuses("10[<MQTT> 05 C0 0000 [] <dev> <ann> <wrong>]", "86");
}

TEST_CASE("[MQTT-4.12.0-1] an authentication method that is not offered is refused with 0x8C and closed") {
    wire w;  // no password file, so SCRAM is not offered either
    w.refuses("10[<MQTT> 05 02 0000 [15 <SCRAM-SHA-256> 16 " + hexed("n,,n=ann,r=fyko+d2lbbFgONRv9qkxdawL") + "] <a>]", "8C");
    guarded g;
    g.w.refuses("10[<MQTT> 05 02 0000 [15 <SCRAM-SHA-1> 16 0001 78] <a>]", "8C");
    g.w.refuses("10[<MQTT> 05 02 0000 [15 <>] <a>]", "8C");
}

TEST_CASE_FIXTURE(guarded, "[MQTT-4.12.0-6] [MQTT-4.12.0-7] without a method in CONNECT there is none in CONNACK, and AUTH is a protocol error") {
    auto& a = w.client();
    auto const connack = a.says("10[<MQTT> 05 C2 0000 [] <a> <ann> <pencil>]").next();
    CHECK(packet_pattern::compare("20[00 00 [..]]", connack) == "");
    CHECK_FALSE(holds(connack, "'SCRAM'"));
    a.says("F0[19 [15 <SCRAM-SHA-256> 16 " + hexed("n,,n=ann,r=fyko+d2lbbFgONRv9qkxdawL") + "]]").is_sent_away("82");
}
