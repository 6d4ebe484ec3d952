#pragma once
// The PROXY protocol: what a proxy says about the peer it speaks for, before the peer's own first byte. Version 1 is a line
// of text, version 2 is binary and may carry the common name of the certificate the proxy verified.
// Source: haproxy's proxy-protocol.txt, sections 2.1 and 2.2. No I/O.

#include "broker/codec/bytes.hpp"
#include "broker/net/address_range.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace airmail::net {

/// Of one listener.
struct proxy_rules {
    unsigned version = 2;                 // 1 or 2; the other is malformed
    std::vector<address_range> from;      // those who must send a header, and are believed
    bool everybody = false;               // Mosquitto's way: whoever comes must send one
    bool require_tls = false;             // refuse peers whom the proxy did not receive by TLS

    bool expected_from(endpoint const& peer) const noexcept;
};

/// What the proxy said.
struct proxied {
    bool spoken_for = false;              // false: LOCAL or UNKNOWN, the connection is the proxy's own
    endpoint source;
    bool tls = false;                     // the peer came to the proxy by TLS
    bool certificate = false;             // and showed a certificate that the proxy verified
    std::string common_name;              // of that certificate; empty when not told
};

struct proxy_header {
    enum class verdict : std::uint8_t { more, whole, malformed } is = verdict::more;
    std::size_t size = 0;                 // whole: bytes of the header
    std::size_t more = 0;                 // more: so many bytes may be read and none of them is the peer's
    proxied peer;
    std::string_view why;                 // malformed; static storage
};

/// Larger headers are malformed: certificates of a sane length fit.
inline constexpr std::size_t proxy_header_bytes_max = 16 * 1024;

/// Reads the header at the front of `in`.
proxy_header parse_proxy_header(byte_view in, unsigned version);

}
