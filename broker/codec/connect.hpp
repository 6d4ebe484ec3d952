#pragma once
// CONNECT: the first packet of a client. [MQTT 5, 3.1]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes the body of a CONNECT of any of the three versions.
///
/// @return the packet, or: unsupported_protocol_version [MQTT-3.1.2-1] [MQTT-3.1.2-2], client_identifier_not_valid (3.x: empty
///         where a name is needed), topic_name_invalid (will), protocol_error, malformed_packet. To know the shape of the
///         answer ask answer_version.
result<connect_view> decode_connect(byte_view body);

/// The version in which to answer a CONNECT that could not be decoded: v5 when it named level 5 or a later one, else v311,
/// where a malformed CONNECT is closed without an answer. Never fails.
version answer_version(byte_view body);

/// Appends a CONNECT in `p.protocol`'s version. A will topic, client id and names are valid UTF-8 of at most 65,535 bytes.
void encode(bytes& out, connect_view const& p);

}
