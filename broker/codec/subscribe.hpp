#pragma once
// SUBSCRIBE: one or more filters, each with options. [MQTT 5, 3.8]

#include "broker/codec/packets.hpp"

#include <span>

namespace airmail::codec {

/// Decodes and checks a SUBSCRIBE with all its filters (also `$share/...`).
/// @return malformed_packet; protocol_error (no filter [MQTT-3.8.3-2], id 0, QoS or Retain Handling 3, No Local on a shared
///         subscription [MQTT-3.8.3-4]); topic_filter_invalid; quota_exceeded (more than 65,535 filters)
result<subscribe_view> decode_subscribe(byte_view body, version v);

/// Appends a SUBSCRIBE whose filters are given already encoded.
void encode(bytes& out, subscribe_view const& p, version v);

/// Appends one filter as it stands in a SUBSCRIBE, for building subscribe_view::filters.
void append_filter(bytes& filters, subscription_view const& s, version v);

}
