#pragma once
// What a caller says to a client, and what it is told: plain structs.

#include "broker/codec/packets.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace airmail::client {

class tls_context;

struct user_property {
    std::string key, value;
    bool operator==(user_property const&) const = default;
};

/// A message to publish, or a will. Views live until the call returns.
struct publication {
    std::string_view topic;
    std::string_view payload;
    std::uint8_t qos = 0;
    bool retain = false;
    // MQTT 5 only; left out for older versions.
    std::optional<std::uint32_t> message_expiry;  // seconds
    std::string_view content_type, response_topic, correlation_data;  // empty = left out
    bool payload_is_utf8 = false;
    std::uint16_t topic_alias = 0;  // 0 = none; with an empty topic it stands for one sent before
    std::span<user_property const> user_properties{};
};

/// The user property `retry_after_s` of a CONNACK or DISCONNECT, at most an hour; 0 when it is not there.
std::chrono::seconds retry_after(codec::properties const& p);

/// A message that was received, with its own memory.
struct message {
    std::string topic, payload;
    std::uint8_t qos = 0;
    bool retain = false, dup = false;
    std::optional<std::uint32_t> message_expiry;
    std::string content_type, response_topic, correlation_data;
    std::vector<user_property> user_properties;
    std::vector<std::uint32_t> subscription_ids;
};

/// Copies everything a PUBLISH said.
message to_message(codec::publish_view const& p);
/// Copies User Properties into strings.
std::vector<user_property> to_user_properties(codec::properties const& p);

/// One filter to subscribe to.
struct subscription {
    std::string_view filter;
    std::uint8_t qos = 0;
    bool no_local = false, retain_as_published = false;
    std::uint8_t retain_handling = 0;
};

/// Everything about a connection. Only read during connect().
struct connect_options {
    std::string host = "127.0.0.1";  // address, or a name that is resolved on the way
    std::uint16_t port = 1883;
    std::string local_address;       // bind to it first (host must be an address then); for more than 28,000 connections to one port
    std::shared_ptr<tls_context const> tls;  // null = plain TCP
    std::string server_name;         // SNI, and checked against the certificate; empty = host

    codec::version protocol = codec::version::v5;
    std::string client_id;           // empty = the server gives one
    bool clean_start = true;
    std::chrono::seconds keep_alive{60};
    std::optional<std::string> user_name, password;
    std::optional<publication> will;
    std::chrono::seconds will_delay{0};

    std::uint32_t session_expiry = 0;      // seconds, 0xFFFFFFFF = never. v5; older: clean_start decides
    std::uint16_t receive_maximum = 65535;
    std::uint32_t maximum_packet_size = 0; // bytes, 0 = no limit said (16 MiB is enforced)
    std::uint16_t topic_alias_maximum = 0;
    std::vector<user_property> user_properties;

    std::size_t queue_bytes_max = 1 << 20;          // outgoing bytes; beyond it publish() says queue_full and reading pauses
    std::chrono::milliseconds timeout{10'000};      // from connect() to CONNACK
    bool own_timer = true;                          // false: the caller calls tick() about once a second
};

/// What came back for a PUBLISH (PUBACK, PUBCOMP, or PUBREC that refused it), SUBSCRIBE or UNSUBSCRIBE. Views live during the call.
struct ack_event {
    codec::packet_type type;
    std::uint16_t packet_id;
    std::span<codec::reason const> codes;  // one; for SUBACK and UNSUBACK one for each filter (3.1.1 UNSUBACK: none)
    codec::properties const& props;
};

/// Why a connection ended.
struct close_info {
    boost::system::error_code error;               // success after our own disconnect()
    codec::reason code = codec::reason::success;   // refused, disconnected, protocol_violation: which
    std::string detail;                            // Reason String, or OpenSSL's words
    std::chrono::seconds retry_after{0};           // the server's user property retry_after_s: come back no sooner; 0 = not said
};

/// What can be seen from outside; grows only.
struct counters {
    std::uint64_t packets_out = 0, packets_in = 0, bytes_out = 0, bytes_in = 0, writes = 0;
    std::uint64_t dropped = 0;  // publish() refused: queue_full
    std::uint64_t lost = 0;     // in flight when the server turned out to have no session
};

}
