#pragma once
// MQTT 5 properties (2.2.2): one struct for all packets; the decoder is told which are allowed where.

#include "broker/codec/bytes.hpp"
#include "broker/codec/reason.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace airmail::codec {

class reader;
class writer;

/// Property identifiers. [MQTT 5, table 2-4]
enum class prop : std::uint8_t {
    payload_format = 0x01, message_expiry = 0x02, content_type = 0x03, response_topic = 0x08, correlation_data = 0x09,
    subscription_id = 0x0B, session_expiry = 0x11, assigned_client_id = 0x12, server_keep_alive = 0x13, auth_method = 0x15,
    auth_data = 0x16, request_problem_info = 0x17, will_delay = 0x18, request_response_info = 0x19, response_info = 0x1A,
    server_reference = 0x1C, reason_string = 0x1F, receive_maximum = 0x21, topic_alias_maximum = 0x22, topic_alias = 0x23,
    maximum_qos = 0x24, retain_available = 0x25, user_property = 0x26, maximum_packet_size = 0x27, wildcard_available = 0x28,
    subscription_ids_available = 0x29, shared_available = 0x2A,
};

/// A set of property identifiers: bit n = identifier n.
using prop_set = std::uint64_t;
constexpr prop_set bit(prop p) { return prop_set{1} << static_cast<unsigned>(p); }

/// Decoded properties. Views point into the packet and die with it. `has(p)` says whether a field was on the wire;
/// fields that were not keep the specification's default where it has one.
struct properties {
    prop_set present = 0;
    std::uint32_t message_expiry = 0;       // seconds
    std::uint32_t session_expiry = 0;       // seconds, 0xFFFFFFFF = never
    std::uint32_t will_delay = 0;           // seconds
    std::uint32_t maximum_packet_size = 0;  // bytes
    std::array<std::uint32_t, 8> subscription_ids{};  // the first `subscription_id_count` are set
    std::uint8_t subscription_id_count = 0;
    std::uint8_t payload_format = 0, request_problem_info = 1, request_response_info = 0, maximum_qos = 2;
    std::uint8_t retain_available = 1, wildcard_available = 1, subscription_ids_available = 1, shared_available = 1;
    std::uint16_t receive_maximum = 65535, topic_alias_maximum = 0, topic_alias = 0, server_keep_alive = 0;
    std::string_view content_type, response_topic, assigned_client_id, auth_method, response_info, server_reference, reason_string;
    byte_view correlation_data, auth_data;
    byte_view user_properties;              // raw, in order: each 0x26, key, value, as on the wire; already validated
    std::uint16_t user_property_count = 0;

    bool has(prop p) const { return present & bit(p); }
};

}
