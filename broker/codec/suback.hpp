#pragma once
// SUBACK and UNSUBACK: one reason code for each filter asked, in the order they were asked. [MQTT 5, 3.9 and 3.11]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes either; `codes` points into `body`. For 3.x an UNSUBACK has none and 0x80 is unspecified_error.
/// @return malformed_packet, or protocol_error (id 0, no code, a code that is not listed)
result<suback_view> decode_suback(packet_type type, byte_view body, version v);

/// Appends either. 3.1.1 gets 0x80 for every failure; 3.1, which has no failure code, gets QoS 0 in its place.
/// [MQTT-3.8.4-2] [MQTT-3.9.3-1] [MQTT-3.11.3-1]
void encode(bytes& out, suback_view const& p, version v);

}
