#include "broker/net/proxy_protocol.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::net;
using enum proxy_header::verdict;

namespace {

bytes of(std::string_view s) { return {s.begin(), s.end()}; }

/// A header of version 2, by hand.
bytes binary(std::uint8_t command, std::uint8_t family, bytes body) {
    bytes b{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, static_cast<std::uint8_t>(0x20 | command), family,
            static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())};
    b.insert(b.end(), body.begin(), body.end());
    return b;
}
bytes const v4_body{192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x22, 0xB3};   // 192.0.2.7:4711 -> 10.0.0.1:8883

bytes tlv(std::uint8_t type, bytes const& value) {
    bytes b{type, static_cast<std::uint8_t>(value.size() >> 8), static_cast<std::uint8_t>(value.size())};
    b.insert(b.end(), value.begin(), value.end());
    return b;
}
bytes operator+(bytes a, bytes const& b) { return a.insert(a.end(), b.begin(), b.end()), a; }

/// Feeds a header as a reader must: never more at once than it was told. Returns where it ended and how much was asked for.
proxy_header feed(bytes const& all, unsigned version, std::size_t each = 1 << 20) {
    bytes so_far;
    for (;;) {
        auto h = parse_proxy_header(so_far, version);
        if (h.is != more || so_far.size() == all.size()) return h;
        REQUIRE(h.more > 0);
        auto const take = std::min({h.more, each, all.size() - so_far.size()});
        so_far.insert(so_far.end(), all.begin() + static_cast<long>(so_far.size()), all.begin() + static_cast<long>(so_far.size() + take));
    }
}

}

TEST_CASE("version 1 names the peer, and not one byte of what follows is asked for") {
    std::string const line = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 8883\r\n";
    for (std::size_t each : {1u, 3u, 1000u}) {
        auto const h = feed(of(line + "\x10\x0C..."), 1, each);
        REQUIRE(h.is == whole);
        CHECK(h.size == line.size());
        CHECK(h.peer.spoken_for);
        CHECK(h.peer.source.text() == "192.0.2.7:4711");
        CHECK_FALSE(h.peer.tls);
    }
    CHECK(feed(of("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), 1).peer.source.text() == "[2001:db8::1]:65535");
    auto const own = feed(of("PROXY UNKNOWN\r\n"), 1);
    CHECK(own.is == whole);
    CHECK_FALSE(own.peer.spoken_for);
    CHECK(feed(of("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), 1).is == whole);
}

TEST_CASE("version 1 is refused as soon as it is wrong") {
    for (auto const* wrong : {"GET / HTTP/1.1\r\n", "PROXY\r\n.........", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
                              "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
                              "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
                              "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"})
        CHECK_MESSAGE(feed(of(wrong), 1).is == malformed, wrong);
    auto const endless = feed(of("PROXY UNKNOWN " + std::string(200, 'x')), 1);
    CHECK(endless.is == malformed);
    CHECK(feed(binary(1, 0x11, v4_body), 1).is == malformed);
    CHECK(feed(of("PROXY TCP4 192.0.2.7"), 1).is == more);
}

TEST_CASE("version 2 names the peer, over IPv4 and IPv6") {
    for (std::size_t each : {1u, 7u, 1000u}) {
        auto const h = feed(binary(1, 0x11, v4_body) + of("\x16\x03\x01"), 2, each);
        REQUIRE(h.is == whole);
        CHECK(h.size == 16 + v4_body.size());
        CHECK(h.peer.source.text() == "192.0.2.7:4711");
    }
    bytes six(36);
    ::inet_pton(AF_INET6, "2001:db8::7", six.data());
    six[32] = 0x12, six[33] = 0x67;
    CHECK(feed(binary(1, 0x21, six), 2).peer.source.text() == "[2001:db8::7]:4711");
    CHECK_FALSE(feed(binary(0, 0x00, {}), 2).peer.spoken_for);                 // LOCAL: the proxy's own health check
    CHECK_FALSE(feed(binary(0, 0x11, v4_body), 2).peer.spoken_for);
    CHECK_FALSE(feed(binary(1, 0x00, {}), 2).peer.spoken_for);                 // UNSPEC
    CHECK_FALSE(feed(binary(1, 0x31, bytes(216)), 2).peer.spoken_for);         // unix sockets
}

TEST_CASE("version 2 is refused when it is wrong") {
    CHECK(feed(of("PROXY TCP4 192.0.2.7 10.0.0.1 4711 8883\r\n"), 2).is == malformed);
    CHECK(feed(binary(2, 0x11, v4_body), 2).is == malformed);
    auto other_version = binary(1, 0x11, v4_body);
    other_version[12] = 0x31;
    CHECK(feed(other_version, 2).is == malformed);
    CHECK(feed(binary(1, 0x11, bytes(11)), 2).is == malformed);
    CHECK(feed(binary(1, 0x21, bytes(35)), 2).is == malformed);
    CHECK(feed(binary(1, 0x11, v4_body + bytes{0x20, 0}), 2).is == malformed);       // half a type-length
    CHECK(feed(binary(1, 0x11, v4_body + bytes{0x20, 0, 9, 1}), 2).is == malformed); // a value cut off
    CHECK(feed(binary(1, 0x11, bytes(20'000)), 2).is == malformed);                  // told from the length, before it comes
    CHECK(parse_proxy_header(byte_view{binary(1, 0x11, bytes(60'000))}.first(16), 2).is == malformed);
}

TEST_CASE("a verified certificate's common name is told; an unverified one is none") {
    auto const ssl = [](std::uint8_t client, bytes verify, bytes const& inside) { return tlv(0x20, bytes{client} + verify + inside); };
    bytes const good{0, 0, 0, 0}, bad{0, 0, 0, 1};
    auto h = feed(binary(1, 0x11, v4_body + tlv(0x05, of("unique id")) + ssl(0x07, good, tlv(0x21, of("TLSv1.3")) + tlv(0x22, of("sn-1")))), 2);
    REQUIRE(h.is == whole);
    CHECK(h.peer.tls);
    CHECK(h.peer.certificate);
    CHECK(h.peer.common_name == "sn-1");
    CHECK_FALSE(feed(binary(1, 0x11, v4_body + ssl(0x07, bad, tlv(0x22, of("sn-1")))), 2).peer.certificate);
    h = feed(binary(1, 0x11, v4_body + ssl(0x01, good, {})), 2);   // TLS, but no certificate
    CHECK(h.peer.tls);
    CHECK_FALSE(h.peer.certificate);
    CHECK_FALSE(feed(binary(1, 0x11, v4_body + ssl(0x06, good, tlv(0x22, of("sn-1")))), 2).peer.certificate);   // no TLS at all
    CHECK(feed(binary(1, 0x11, v4_body + ssl(0x07, good, tlv(0x22, of("sn-1")) + tlv(0x22, of("sn-2")))), 2).is == malformed);
    CHECK(feed(binary(1, 0x11, v4_body + ssl(0x07, good, tlv(0x22, of("a"))) + ssl(0x07, good, tlv(0x22, of("b")))), 2).is == malformed);
    CHECK(feed(binary(1, 0x11, v4_body + tlv(0x20, {1, 0, 0})), 2).is == malformed);
}

TEST_CASE("ranges of addresses mean what they say") {
    auto const at = [](char const* text) {
        sockaddr_storage s{};
        auto& four = reinterpret_cast<sockaddr_in&>(s);
        auto& six = reinterpret_cast<sockaddr_in6&>(s);
        if (::inet_pton(AF_INET, text, &four.sin_addr) == 1) four.sin_family = AF_INET;
        else ::inet_pton(AF_INET6, text, &six.sin6_addr), six.sin6_family = AF_INET6;
        return endpoint::of(s);
    };
    CHECK(address_range::parse("10.0.0.0/8")->contains(at("10.255.1.2")));
    CHECK_FALSE(address_range::parse("10.0.0.0/8")->contains(at("11.0.0.0")));
    CHECK(address_range::parse("192.0.2.128/25")->contains(at("192.0.2.200")));
    CHECK_FALSE(address_range::parse("192.0.2.128/25")->contains(at("192.0.2.100")));
    CHECK(address_range::parse("192.0.2.7")->contains(at("192.0.2.7")));
    CHECK_FALSE(address_range::parse("192.0.2.7")->contains(at("192.0.2.8")));
    CHECK(address_range::parse("0.0.0.0/0")->contains(at("1.2.3.4")));
    CHECK_FALSE(address_range::parse("0.0.0.0/0")->contains(at("2001:db8::1")));
    CHECK(address_range::parse("fd00::/8")->contains(at("fd12::1")));
    CHECK_FALSE(address_range::parse("fd00::/8")->contains(at("fe80::1")));
    CHECK(address_range::parse("::1")->contains(at("::1")));
    endpoint local;
    local.kind = endpoint::family::local;
    CHECK(address_range::parse("unix")->contains(local));
    CHECK_FALSE(address_range::parse("::/0")->contains(local));
    CHECK_FALSE(address_range::parse("unix")->contains(at("127.0.0.1")));
    for (auto const* wrong : {"", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "::1/129", "1.2.3.4/-1", "1.2.3.4/8x", "localhost"}) CHECK_FALSE_MESSAGE(address_range::parse(wrong).has_value(), wrong);
}
