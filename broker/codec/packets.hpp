#pragma once
// Every control packet as a plain struct (MQTT 5 section 3; 3.1.1 fills fewer fields). Views borrow from the bytes that
// were decoded. Decoders: `decode_<packet>(flags, body, version)`; encoders: `encode(out, packet, version)` append to a
// buffer. Each packet's functions live in a file of its own name.

#include "broker/codec/properties.hpp"

#include <optional>
#include <span>

namespace airmail::codec {

/// Protocol level of the CONNECT packet. [MQTT-3.1.2-2]
enum class version : std::uint8_t { v31 = 3, v311 = 4, v5 = 5 };

/// Control packet types, the high nibble of the first byte. [MQTT 5, table 2-1]
enum class packet_type : std::uint8_t {
    connect = 1, connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback, pingreq, pingresp,
    disconnect, auth
};

/// The will of a CONNECT. [MQTT-3.1.2.5]
struct will_view {
    std::uint8_t qos = 0;
    bool retain = false;
    std::string_view topic;
    byte_view payload;
    properties props;
    byte_view raw_props;  // as in publish_view
};

struct connect_view {
    version protocol = version::v5;
    bool clean_start = true;
    bool bridge = false;           // 3.x with the high bit of its version set: another broker, as Mosquitto marks it (try_private)
    std::uint16_t keep_alive = 0;  // seconds, 0 = off
    std::string_view client_id;
    std::optional<will_view> will;
    std::optional<std::string_view> user_name;
    std::optional<byte_view> password;
    properties props;
};

struct connack_view {
    bool session_present = false;
    reason code = reason::success;  // for 3.1.1 the encoder maps it to the old return codes
    properties props;
};

struct publish_view {
    bool dup = false, retain = false;
    std::uint8_t qos = 0;
    std::uint16_t packet_id = 0;  // 0 when QoS 0
    std::string_view topic;       // empty when an alias stands for it
    properties props;
    byte_view raw_props;          // the property block as it came, without its length: forwarded without decoding again
    byte_view payload;
};

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct ack_view {
    packet_type type = packet_type::puback;
    std::uint16_t packet_id = 0;
    reason code = reason::success;
    properties props;
};

/// One filter of a SUBSCRIBE. [MQTT-3.8.3.1]
struct subscription_view {
    std::string_view filter;
    std::uint8_t qos = 0;
    bool no_local = false, retain_as_published = false;
    std::uint8_t retain_handling = 0;  // 0 send, 1 send if new, 2 do not send
};

/// Filters stay encoded; `next` walks them: call it `count` times (validated by the decoder, so it
/// cannot fail).
struct subscribe_view {
    std::uint16_t packet_id = 0;
    properties props;
    byte_view filters;
    std::uint16_t count = 0;
    static subscription_view next(byte_view& rest, version v);
};

struct unsubscribe_view {
    std::uint16_t packet_id = 0;
    properties props;
    byte_view filters;
    std::uint16_t count = 0;
    static std::string_view next(byte_view& rest);
};

/// SUBACK and UNSUBACK: one code for each filter asked.
struct suback_view {
    packet_type type = packet_type::suback;
    std::uint16_t packet_id = 0;
    std::span<reason const> codes;
    properties props;
};

struct disconnect_view {
    reason code = reason::success;
    properties props;
};

struct auth_view {
    reason code = reason::success;
    properties props;
};

}
