#pragma once
// UNSUBSCRIBE: one or more filters. [MQTT 5, 3.10]

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Decodes and checks an UNSUBSCRIBE with all its filters.
/// @return malformed_packet, protocol_error (no filter [MQTT-3.10.3-2], id 0), topic_filter_invalid, quota_exceeded (more than
///         65,535 filters)
result<unsubscribe_view> decode_unsubscribe(byte_view body, version v);

/// Appends an UNSUBSCRIBE whose filters are given already encoded.
void encode(bytes& out, unsubscribe_view const& p, version v);

/// Appends one filter as it stands in an UNSUBSCRIBE, for building unsubscribe_view::filters.
void append_filter(bytes& filters, std::string_view filter);

}
