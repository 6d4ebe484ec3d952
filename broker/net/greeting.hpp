#pragma once
// The first packet of a peer, wherever its bytes come from: is it a CONNECT, and on which shard does its session live?

#include "broker/net/newcomer.hpp"

namespace airmail::net {

/// What the bytes read so far amount to.
struct greeting {
    enum class verdict : std::uint8_t { more, connect, refused } is = verdict::more;
    std::size_t size = 0;             // connect: bytes of the packet
    codec::connect_view connect;      // connect: points into the bytes
    bytes answer;                     // refused: what to send before closing; may be empty
    std::string_view why;             // refused; static storage
};

/// Looks at the front of `read`. Bounded: the packet by `packet_bytes_max`.
greeting greet(byte_view read, std::size_t packet_bytes_max);

/// The shard of the session that this CONNECT asks for; gives a client without an id its `a.assigned_id`.
unsigned home_of(hub& here, arrival& a, codec::connect_view const& c);

/// On to its home, as a connection; at once when that is here.
void send_home(hub& here, unsigned home, std::unique_ptr<arrival> a);

}
