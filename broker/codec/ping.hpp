#pragma once
// PINGREQ and PINGRESP: two bytes each, always the same. [MQTT 5, 3.12 and 3.13]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// A ping has no body. @return malformed_packet when it has one
inline result<void> decode_ping(byte_view body) {
    if (!body.empty()) return reason::malformed_packet;
    return {};
}

/// Appends PINGREQ.
inline void encode_pingreq(bytes& out) { out.insert(out.end(), {0xC0, 0x00}); }
/// Appends PINGRESP. [MQTT-3.12.4-1]
inline void encode_pingresp(bytes& out) { out.insert(out.end(), {0xD0, 0x00}); }

}
