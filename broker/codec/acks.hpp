#pragma once
// PUBACK, PUBREC, PUBREL, PUBCOMP: one shape, four meanings. [MQTT 5, 3.4 to 3.7]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes the body of one of the four.
/// @return malformed_packet, or protocol_error (packet id 0, a reason code that is not listed for `type`)
result<ack_view> decode_ack(packet_type type, byte_view body, version v);

/// Appends one of the four in its shortest form; 3.x has no codes and says success. [MQTT-2.2.1-5]
void encode(bytes& out, ack_view const& p, version v);

/// The form without code and properties: exactly four bytes, for the hot path.
void encode_ack(bytes& out, packet_type type, std::uint16_t packet_id);

}
