#include "broker/net/proxy_protocol.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>

namespace airmail::net {
namespace {

using enum proxy_header::verdict;

proxy_header bad(std::string_view why) { return {.is = malformed, .why = why}; }
proxy_header wait_for(std::size_t bytes) { return {.is = more, .more = bytes}; }

// Version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 4711 8883\r\n", at most 107 bytes.

constexpr std::string_view line_begin = "PROXY ";
constexpr std::size_t line_bytes_max = 107, line_bytes_min = 15;  // "PROXY UNKNOWN\r\n"

bool port_of(std::string_view s, std::uint16_t& out) {
    if (s.empty() || (s.size() > 1 && s[0] == '0')) return false;
    auto const [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
    return ec == std::errc{} && end == s.data() + s.size();
}

bool address_of(std::string_view s, bool six, std::array<std::uint8_t, 16>& out) {
    std::string const text{s};
    out = {};
    if (six) return ::inet_pton(AF_INET6, text.c_str(), out.data()) == 1;
    out[10] = out[11] = 0xFF;
    return ::inet_pton(AF_INET, text.c_str(), out.data() + 12) == 1;
}

proxy_header parse_words(std::string_view line) {
    proxy_header h{.is = whole, .size = line.size() + 2};
    line.remove_prefix(line_begin.size());
    if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return h;
    bool const six = line.starts_with("TCP6 ");
    if (!six && !line.starts_with("TCP4 ")) return bad("neither TCP4, TCP6 nor UNKNOWN");
    line.remove_prefix(5);
    std::array<std::string_view, 4> words;
    for (std::size_t i = 0; i < words.size(); ++i) {
        auto const blank = line.find(' ');
        if ((blank == line.npos) != (i == 3)) return bad("not two addresses and two ports");
        words[i] = line.substr(0, blank);
        line.remove_prefix(std::min(line.size(), words[i].size() + 1));
    }
    std::array<std::uint8_t, 16> to;
    std::uint16_t to_port = 0;
    if (!address_of(words[0], six, h.peer.source.address) || !address_of(words[1], six, to)) return bad("not an address");
    if (!port_of(words[2], h.peer.source.port) || !port_of(words[3], to_port)) return bad("not a port");
    h.peer.spoken_for = true;
    return h;
}

proxy_header parse_line(byte_view in) {
    std::string_view const text{reinterpret_cast<char const*>(in.data()), in.size()};
    auto const begun = std::min(text.size(), line_begin.size());
    if (text.substr(0, begun) != line_begin.substr(0, begun)) return bad("no PROXY header of version 1");
    auto const end = text.substr(0, line_bytes_max).find('\n');
    if (end == text.npos) {
        if (text.size() >= line_bytes_max) return bad("the line is longer than 107 bytes");
        if (text.size() < line_bytes_min) return wait_for(line_bytes_min - text.size());
        return wait_for(text.back() == '\r' ? 1 : 2);  // not one byte beyond the line: it is the peer's
    }
    if (end < line_begin.size() || text[end - 1] != '\r') return bad("the line does not end with CR LF");
    return parse_words(text.substr(0, end - 1));
}

// Version 2: signature, command, family, length; addresses; type-length-value triples.

constexpr std::array<std::uint8_t, 12> signature{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t fixed_bytes = 16;
constexpr std::uint8_t type_ssl = 0x20, type_ssl_cn = 0x22;
constexpr std::uint8_t client_ssl = 0x01, client_cert_conn = 0x02, client_cert_sess = 0x04;

/// Calls `f(type, value)` for each; false when one is cut off.
template <class F> bool each_tlv(byte_view in, F f) {
    while (!in.empty()) {
        if (in.size() < 3) return false;
        std::size_t const size = static_cast<std::size_t>(in[1] << 8 | in[2]);
        if (in.size() < 3 + size) return false;
        if (!f(in[0], in.subspan(3, size))) return false;
        in = in.subspan(3 + size);
    }
    return true;
}

bool read_ssl(byte_view v, proxied& peer) {
    if (v.size() < 5) return false;
    auto const client = v[0];
    bool const verified = v[1] == 0 && v[2] == 0 && v[3] == 0 && v[4] == 0;
    peer.tls = client & client_ssl;
    peer.certificate = peer.tls && (client & (client_cert_conn | client_cert_sess)) && verified;
    bool seen = false;
    return each_tlv(v.subspan(5), [&](std::uint8_t type, byte_view value) {
        if (type != type_ssl_cn) return true;
        if (seen) return false;  // two names are none
        seen = true;
        peer.common_name.assign(value.begin(), value.end());
        return true;
    });
}

proxy_header parse_binary(byte_view in) {
    auto const begun = std::min(in.size(), signature.size());
    if (!std::equal(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(begun), signature.begin())) return bad("no PROXY header of version 2");
    if (in.size() < fixed_bytes) return wait_for(fixed_bytes - in.size());
    if (in[12] >> 4 != 2) return bad("not version 2");
    unsigned const command = in[12] & 0xF;
    if (command > 1) return bad("neither LOCAL nor PROXY");
    std::size_t const length = static_cast<std::size_t>(in[14] << 8 | in[15]), size = fixed_bytes + length;
    if (size > proxy_header_bytes_max) return bad("larger than 16 KiB");
    if (in.size() < size) return wait_for(size - in.size());
    proxy_header h{.is = whole, .size = size};
    if (command == 0) return h;
    auto body = in.subspan(fixed_bytes, length);
    switch (in[13]) {
    case 0x11:  // TCP over IPv4
        if (body.size() < 12) return bad("addresses cut off");
        h.peer.source.address[10] = h.peer.source.address[11] = 0xFF;
        std::memcpy(h.peer.source.address.data() + 12, body.data(), 4);
        h.peer.source.port = static_cast<std::uint16_t>(body[8] << 8 | body[9]);
        body = body.subspan(12);
        break;
    case 0x21:  // TCP over IPv6
        if (body.size() < 36) return bad("addresses cut off");
        std::memcpy(h.peer.source.address.data(), body.data(), 16);
        h.peer.source.port = static_cast<std::uint16_t>(body[32] << 8 | body[33]);
        body = body.subspan(36);
        break;
    default: return h;  // UNSPEC, datagrams, unix sockets: nothing is said that could be believed
    }
    h.peer.spoken_for = true;
    bool ssl = false;
    bool const good = each_tlv(body, [&](std::uint8_t type, byte_view value) {
        if (type != type_ssl) return true;
        if (std::exchange(ssl, true)) return false;
        return read_ssl(value, h.peer);
    });
    return good ? h : bad("a type-length-value is cut off or there twice");
}

}

bool proxy_rules::expected_from(endpoint const& peer) const noexcept {
    return everybody || std::any_of(from.begin(), from.end(), [&](auto const& r) { return r.contains(peer); });
}

proxy_header parse_proxy_header(byte_view in, unsigned version) { return version == 1 ? parse_line(in) : parse_binary(in); }

}
