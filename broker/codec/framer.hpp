#pragma once
// From a stream of bytes to whole packets. Knows the fixed header and nothing of what is inside. [MQTT 5, 2.1]

#include "broker/codec/packets.hpp"
#include "broker/codec/varint.hpp"

namespace airmail::codec {

/// The largest packet the fixed header can announce: five bytes of header and varint_max of body.
inline constexpr std::size_t packet_size_max = std::size_t{varint_max} + 5;

/// One packet at the front of the buffer, or how far it is from being whole.
struct frame {
    packet_type type{};
    std::uint8_t flags = 0;  // low nibble of the first byte
    byte_view body;          // Remaining Length bytes; dies with the buffer
    std::size_t size = 0;    // fixed header and body; 0 = not whole yet
    std::size_t need = 0;    // when not whole: at least so many more bytes; exact once the length is known

    bool complete() const { return size != 0; }
};

/// Looks at the front of `in`.
///
/// @param v        the connection's version; before CONNECT any will do
/// @param maximum  bytes of the largest acceptable packet, header included
/// @return the frame, or: malformed_packet (reserved flags [MQTT-2.1.3-1], a type that does not exist, a bad length),
///         packet_too_large. Both are told from the first bytes, before the body arrives.
result<frame> next_frame(byte_view in, version v = version::v5, std::size_t maximum = packet_size_max);

/// The word the specification uses for a type: "PUBLISH".
std::string_view name(packet_type type);

}
