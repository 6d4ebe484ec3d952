#pragma once
// PUBLISH, both ways. Decoding allocates nothing; encoding has a whole-packet form and one for routers, which writes
// everything but the payload once and lets packet id and DUP be set per receiver. [MQTT 5, 3.3]

#include "broker/codec/packets.hpp"

#include <optional>
#include <span>

namespace airmail::codec {

/// Decodes the body of one PUBLISH packet.
///
/// @param flags low nibble of the fixed header: DUP, QoS (2 bits), RETAIN
/// @param from  a client's PUBLISH may not carry Subscription Identifiers [MQTT-3.3.4-6]
/// @return the packet, or the code for DISCONNECT: malformed_packet, protocol_error, topic_name_invalid (a wildcard),
///         topic_alias_invalid (alias 0)
result<publish_view> decode_publish(std::uint8_t flags, byte_view body, version v, sender from = sender::client);

/// Appends a whole PUBLISH from its fields; `raw_props` is not looked at. For tools and tests.
void encode(bytes& out, publish_view const& p, version v);

/// A PUBLISH about to leave the broker: the stored message's parts and what is this receiver's own.
struct publish_parts {
    std::uint8_t qos = 0;
    bool dup = false, retain = false;
    std::uint16_t packet_id = 0;                        // may be 0 here and set later with set_packet_id
    std::string_view topic;                             // empty when topic_alias stands for it
    byte_view forwarded;                                // as forwardable_properties gives and the store keeps them
    std::optional<std::uint32_t> message_expiry;        // seconds that remain [MQTT-3.3.2-6]
    std::uint16_t topic_alias = 0;                      // 0 = none [MQTT-3.3.2-8]
    std::span<std::uint32_t const> subscription_ids{};  // of every subscription this copy answers [MQTT-3.3.4-3]
    std::size_t payload_size = 0;
};

/// Where the changing bytes of an encoded header are, counted from the packet's first byte.
struct publish_layout {
    std::uint32_t header_size = 0;   // everything before the payload
    std::uint32_t packet_id_at = 0;  // 0 = QoS 0, no packet id
};

/// Bytes of the whole packet, payload included; compare it with the receiver's Maximum Packet Size [MQTT-3.1.2-24]
/// and with packet_size_max before encoding.
std::size_t publish_size(publish_parts const& p, version v);

/// Appends everything up to the payload (fixed header, topic, packet id, properties); the payload_size bytes are the
/// caller's to send after it. publish_size() must not exceed packet_size_max.
publish_layout encode_publish_header(bytes& out, publish_parts const& p, version v);

/// Writes a packet id into an encoded header; `packet` is its first byte. QoS 1 and 2 only.
inline void set_packet_id(std::uint8_t* packet, publish_layout l, std::uint16_t id) {
    packet[l.packet_id_at] = static_cast<std::uint8_t>(id >> 8);
    packet[l.packet_id_at + 1] = static_cast<std::uint8_t>(id);
}

/// Marks an encoded QoS 1 or 2 packet as sent again. [MQTT-3.3.1-1]
inline void set_dup(std::uint8_t* packet) { packet[0] |= 0x08; }

}
