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
    byte_view user_properties;              // raw, in order, validated: from the first 0x26 to the end of the last one. A
                                            // peer may put others in between: walk it with next_user_property
    std::uint16_t user_property_count = 0;

    bool has(prop p) const { return present & bit(p); }
    /// Marks `p` as present; the field itself is set by name.
    void add(prop p) { present |= bit(p); }
    /// Sets the Reason String; `why` must live until the packet is encoded.
    void explain(std::string_view why) { add(prop::reason_string), reason_string = why; }
    /// Takes `p` out.
    void drop(prop p) { present &= ~bit(p); }
};

/// Who sent a packet: some properties and reason codes are for one side only.
enum class sender : std::uint8_t { client, server };

/// Which properties may stand in which packet. [MQTT 5, table 2-4]
namespace allowed {
constexpr prop_set of(auto... p) { return (bit(p) | ...); }
inline constexpr prop_set connect = of(prop::session_expiry, prop::receive_maximum, prop::maximum_packet_size, prop::topic_alias_maximum,
    prop::request_response_info, prop::request_problem_info, prop::user_property, prop::auth_method, prop::auth_data);
inline constexpr prop_set forwarded = of(prop::payload_format, prop::content_type, prop::response_topic, prop::correlation_data, prop::user_property);
inline constexpr prop_set will = forwarded | of(prop::message_expiry, prop::will_delay);
inline constexpr prop_set connack = of(prop::session_expiry, prop::receive_maximum, prop::maximum_qos, prop::retain_available,
    prop::maximum_packet_size, prop::assigned_client_id, prop::topic_alias_maximum, prop::reason_string, prop::user_property,
    prop::wildcard_available, prop::subscription_ids_available, prop::shared_available, prop::server_keep_alive, prop::response_info,
    prop::server_reference, prop::auth_method, prop::auth_data);
inline constexpr prop_set publish = forwarded | of(prop::message_expiry, prop::topic_alias, prop::subscription_id);
inline constexpr prop_set explained = of(prop::reason_string, prop::user_property);  // acks, SUBACK, UNSUBACK
inline constexpr prop_set subscribe = of(prop::subscription_id, prop::user_property);
inline constexpr prop_set unsubscribe = of(prop::user_property);
inline constexpr prop_set disconnect_from_client = explained | of(prop::session_expiry);
inline constexpr prop_set disconnect_from_server = explained | of(prop::server_reference);
inline constexpr prop_set auth = explained | of(prop::auth_method, prop::auth_data);
}

/// Reads Property Length and the properties after it into `out`, which is fresh.
///
/// Fails `in` with: malformed_packet (a property not in `allowed`, unknown, or cut short), protocol_error (twice, or a value
/// the property cannot have; Authentication Data without Method), topic_alias_invalid (alias 0 [MQTT-3.3.2-8]).
/// A PUBLISH may carry many Subscription Identifiers; those beyond the eighth stay in the raw block only.
/// @return the raw block without its length
byte_view read_properties(reader& in, properties& out, prop_set allowed);

/// Appends Property Length and every property that is present. [MQTT-2.2.2-1]
void write_properties(writer& out, properties const& p);

/// One half of each side of a User Property.
struct user_property_view {
    std::string_view key, value;
};

/// The next User Property of a validated region, skipping anything else in between; false at its end. [MQTT-3.3.2-18]
/// `byte_view rest = p.user_properties; user_property_view u; while (next_user_property(rest, u)) ...`
bool next_user_property(byte_view& rest, user_property_view& out);

/// Appends one User Property as it goes onto the wire, for building `properties::user_properties`. Each half is at most
/// 65,535 bytes of valid UTF-8.
void append_user_property(bytes& out, std::string_view key, std::string_view value);

/// The properties of a message that travel with it to every receiver, encoded, in the order they came: Payload Format,
/// Content Type, Response Topic, Correlation Data, User Properties. [MQTT-3.3.2-4] [MQTT-3.3.2-15] to [MQTT-3.3.2-20]
///
/// @param raw      the block as it came (publish_view::raw_props, will_view::raw_props), validated
/// @param present  which properties it has (properties::present)
/// @param scratch  overwritten and returned only when something has to be left out; otherwise the answer is `raw` itself
byte_view forwardable_properties(byte_view raw, prop_set present, bytes& scratch);

/// Decodes a block that forwardable_properties made (stored messages); empty properties when it is not one.
properties decode_forwardable(byte_view block);

}
