#pragma once
// What a handler may ask of a connection. net/connection implements it over a socket, tests/support/wire_script over memory.

#include "acl/identity.hpp"
#include "broker/codec/packets.hpp"
#include "broker/session/outlet.hpp"
#include "storage/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace airmail::session { class session; }

namespace airmail::handlers {

/// The rules of the listener a peer came in by: limits are already clamped to the configuration. Shared by its peers.
/// Owned by: the broker; immutable (a reload makes a new one for new connections).
struct listener_rules {
    std::string name;                            // "8883", for logs and metrics
    std::uint16_t port = 0;                      // rules may be a listener's own; 0 = unix socket
    bool device = true;                          // device listener (DECISIONS, Two kinds of listener)
    bool allow_anonymous = false;
    bool asks_passwords = true;                  // there is a password_file for this listener
    bool allow_empty_client_id = true;
    bool username_is_client_id = false;          // use_username_as_clientid
    std::uint8_t versions = 1 << 3 | 1 << 4 | 1 << 5;   // accept_protocol_versions, a bit each
    std::string client_id_prefix;                // clientid_prefixes: ids must begin with it
    std::string auto_id_prefix;                  // before the ids that we make
    bool durable = true;                         // level of messages published here: durable or memory
    std::uint32_t packet_bytes_max = 256 << 10;  // after login; told in CONNACK
    std::uint32_t packet_bytes_max_before_login = 64 << 10;
    std::uint16_t keep_alive_max = 1200;         // seconds; 0 = none
    bool refuse_v3_keep_alive = false;           // 3.x clients that ask for more are refused, as Mosquitto does
    std::uint16_t receive_maximum_in = 64, receive_maximum_out = 64;
    std::uint16_t topic_alias_in = 16, topic_alias_out = 16;
    std::uint16_t topic_bytes_max = 512, topic_levels_max = 16;
    std::uint32_t filters_max = 64;
    std::uint32_t sessions_per_identity_max = 0; // over all shards; 0 = no limit
    std::uint32_t queue_messages_max = 1000, queue_bytes_max = 4 << 20;
    std::uint32_t session_expiry_max = 7 * 86400;  // seconds
    std::uint16_t user_properties_max = 32;
    std::uint32_t user_property_bytes_max = 8 << 10;
    std::uint32_t payload_max = 0;               // message_size_limit; 0 = what fits the packet
    std::uint32_t will_payload_max = 4 << 10, will_delay_max = 3600;
    std::uint32_t retained_payload_max = 16 << 10, retained_per_identity_max = 32;
    std::uint8_t maximum_qos = 2;
    bool retain_available = true;
    std::string mount_point;                     // stands before every topic of these clients, unseen by them; empty = none
    std::uint32_t in_flight_bytes_max = 0;       // max_inflight_bytes to one client; 0 = no limit
    bool queue_qos0 = false;                     // QoS 0 waits for absent clients too
    bool connection_messages = true;             // their comings and goings are logged
    bool username_is_identity = false;           // use_identity_as_username and friends: certificate decides
    std::uint32_t publish_rate = 50, publish_burst = 200, publish_bytes_s = 256 << 10;   // per peer; 0 = unlimited
    std::uint32_t output_pause_bytes = 256 << 10, output_cut_bytes = 1 << 20;
    bool payload_format_check = true;            // a payload said to be UTF-8 must be
    bool each_copy = false;                      // overlapping subscriptions: a copy each instead of one with all identifiers
    std::uint32_t retry_after_s = 0;             // how long clients shall stay away when we drain, and up to as much again; 0 = not said
    std::string server_reference;                // where clients shall go while we drain; empty = nowhere
    std::string response_information;            // told to clients that ask; %c client id, %u identity; empty = none
};

/// One connected client. Owned by: the shard of its session. Never copied; handlers keep plain references for a call and the
/// session keeps a pointer that is cleared in handlers::protocol::gone.
/// Its out(), out_shared() and out_bytes() come from session::outlet, so that rooms below can send.
class peer : public session::outlet {
public:
    /// Says why (DISCONNECT with reason and Reason String when `welcomed` and v5), flushes, closes. Logged once with `why`.
    virtual void close(codec::reason r, std::string_view why) = 0;
    /// Stops (or resumes) reading from this peer: back-pressure of store and shards. Counted per cause by the caller.
    virtual void pause_reading(bool on) = 0;

    virtual listener_rules const& rules() const = 0;
    virtual std::uint64_t connection_number() const = 0;
    /// Address and port, for logs.
    virtual std::string_view address() const = 0;
    /// The certificate's identity as the listener was configured to read it; null when none was presented.
    virtual acl::identity const* certificate() const = 0;

    /// Set by the CONNECT handler, read on every packet.
    session::session* session = nullptr;
    codec::version protocol = codec::version::v5;
    /// The client's Maximum Packet Size, 0 = no limit. [MQTT-3.1.2-24]
    std::uint32_t packet_bytes_most = 0;
    std::uint32_t packet_bytes_allowed() const { return packet_bytes_most ? packet_bytes_most : 268'435'460; }
    /// CONNACK 0x00 was written and no DISCONNECT was read: close() may send DISCONNECT to a v5 client, else it just closes
    /// after flushing. [MQTT-3.14.0-1] [MQTT-3.14.4-1]
    bool welcomed = false;
};

}
