#pragma once
// Every limit that holds for one listener's peers, resolved: written Mosquitto directives win over ours, ours over the
// defaults of the listener's kind (reference/reliability.md section 5). A plain struct so that lower rooms need no config.

#include "broker/config/config.hpp"

namespace airmail::config {

/// 0 means "no limit" where a line says so.
struct limits {
    std::chrono::milliseconds connect_timeout{15000};     // accept to CONNECT, TLS included
    std::uint32_t packet_before_login = 64 * 1024;        // bytes, whole packet
    std::uint32_t packet = 256 * 1024;                    // bytes, whole packet, after login
    std::uint32_t payload = 0;                            // message_size_limit; 0 = only the packet limit
    std::uint32_t connections = 0;                        // of this listener, 0 = no limit
    std::uint32_t client_logins = 60;                     // of one client a minute before it is held off; 0 = no limit
    std::chrono::milliseconds client_backoff{10'000}, client_backoff_max{600'000};
    std::uint16_t keepalive_s = 1200;                     // longest, also used for a client's 0; 0 = no limit
    bool refuse_v3_keepalive = false;                     // max_keepalive written: who asks for more in 3.x cannot be told, and is refused
    std::uint16_t receive_maximum_in = 64, receive_maximum_out = 64;
    std::uint32_t topic_length = 512, topic_levels = 16;
    std::uint16_t topic_alias_in = 16, topic_alias_out = 16;
    std::uint32_t filters = 64;
    std::uint32_t user_properties = 32, user_properties_bytes = 8 * 1024;
    std::uint32_t queue_messages = 1000;                  // offline and waiting, per session; 0 = no limit
    std::uint64_t queue_bytes = 4 * 1024 * 1024;          // 0 = no limit
    std::uint32_t in_flight_bytes = 0;                    // to one client, not acknowledged; 0 = no limit
    bool queue_qos0 = false;                              // keep QoS 0 for absent durable sessions
    std::uint32_t session_expiry_s = 7 * 86400;           // cap, 0xFFFFFFFF = none
    std::uint32_t sessions_per_identity = 4;              // 0 = no limit
    std::uint8_t maximum_qos = 2;
    bool retain_available = true;
    std::uint32_t retained_per_identity = 32;             // 0 = no limit
    std::uint32_t retained_payload = 16 * 1024;           // bytes, 0 = no limit
    std::uint32_t will_payload = 4 * 1024;                // bytes, 0 = no limit
    std::uint32_t will_delay_s = 3600;
    std::uint32_t publish_rate = 50, publish_burst = 200; // per second; 0 = no limit
    std::uint64_t publish_bytes_rate = 256 * 1024;        // per second; 0 = no limit
    std::uint32_t output_pause = 256 * 1024, output_cut = 1024 * 1024;   // bytes waiting in one connection
    std::chrono::milliseconds stalled_writer{60000};
    std::uint32_t handshakes = 512;                       // concurrent TLS handshakes per shard
    std::chrono::milliseconds handshake_timeout{10000};
};

/// Resolves all of them for one listener.
limits limits_of(listener const& l);

}
