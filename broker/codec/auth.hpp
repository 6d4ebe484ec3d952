#pragma once
// AUTH: extended authentication, MQTT 5 only. [MQTT 5, 3.15]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes an AUTH. @return malformed_packet, or protocol_error (a code that is not listed [MQTT-3.15.2-1], no method)
result<auth_view> decode_auth(byte_view body, sender from = sender::client);

/// Appends an AUTH. [MQTT-3.15.1-1]
void encode(bytes& out, auth_view const& p);

}
