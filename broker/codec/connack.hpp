#pragma once
// CONNACK: the server's answer to CONNECT. [MQTT 5, 3.2]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes a CONNACK; the five return codes of 3.x become their MQTT 5 relatives.
/// @return malformed_packet or protocol_error (a code that is not listed [MQTT-3.2.2-8], Session Present beside a refusal
///         [MQTT-3.2.2-6])
result<connack_view> decode_connack(byte_view body, version v);

/// Appends a CONNACK. Session Present is 0 beside a refusal [MQTT-3.2.2-6] and for 3.1; codes are mapped for 3.x.
void encode(bytes& out, connack_view const& p, version v);

/// The 3.x return code (0 to 5) nearest to an MQTT 5 reason code.
std::uint8_t old_return_code(reason r);

}
