#pragma once
// DISCONNECT: the last packet of either side. [MQTT 5, 3.14]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes a DISCONNECT. For 3.x its body is empty and means success.
/// @return malformed_packet, or protocol_error (a code or property that is not this sender's [MQTT-3.14.2-1] [MQTT-3.14.2-2])
result<disconnect_view> decode_disconnect(byte_view body, version v, sender from = sender::client);

/// Appends a DISCONNECT in its shortest form. A 3.x server has no such packet: nothing is appended for a failure code.
void encode(bytes& out, disconnect_view const& p, version v);

}
