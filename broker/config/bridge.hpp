#pragma once
// One `connection` block, Mosquitto's bridge to another broker, as typed settings. Source: mosquitto.conf(5), "Configuring
// Bridges"; reference/brokers.md 2.2.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::config {

/// `topic PATTERN [out|in|both] [QOS] [LOCAL PREFIX] [REMOTE PREFIX]`.
struct bridge_topic {
    std::string local, remote;                 // whole filters, prefix and pattern
    std::string local_prefix, remote_prefix;
    bool out = true, in = false;
    bool single = false;                       // pattern "": the two prefixes are one topic each
    std::uint8_t qos = 0;
};

struct bridge_address {
    std::string host;
    std::uint16_t port = 1883;
};

/// Everything about one bridge; defaults are Mosquitto's.
struct bridge {
    enum class start : std::uint8_t { automatic, lazy, once };

    std::string name, file;
    int line = 0;
    std::vector<bridge_address> addresses;
    std::vector<bridge_topic> topics;
    std::string remote_client_id, remote_user, remote_password;   // client id empty: HOST.NAME
    std::string local_client_id, local_user;                      // client id empty: local.REMOTE CLIENT ID
    bool has_remote_password = false;
    bool clean_session = false;
    std::optional<bool> local_clean_session;                      // not set: as clean_session
    std::chrono::seconds keep_alive{60};
    std::chrono::seconds restart_base{5}, restart_cap{30}, restart_stable{0};
    bool round_robin = false;
    bool notifications = true, notifications_local_only = false;
    std::string notification_topic;
    bool try_private = true;
    start starts = start::automatic;
    std::uint32_t threshold = 10;
    std::chrono::seconds idle_timeout{60};
    std::uint8_t protocol = 4;                                    // 3, 4 or 5
    bool attempt_unsubscribe = true, outgoing_retain = true;
    std::uint32_t maximum_packet_size = 0;
    std::uint16_t receive_maximum = 0;
    std::uint32_t session_expiry = 0xFFFFFFFF;
    std::string bind_address;

    // TLS: any of these makes it a TLS bridge.
    std::string ca_file, ca_path, certificate_file, key_file, alpn, tls_version, ciphers, ciphers_tls13, psk_identity, psk;
    bool insecure = false, use_os_certs = false;
    bool tls() const { return !ca_file.empty() || !ca_path.empty() || use_os_certs || !psk.empty(); }

    int tcp_keepalive_idle = 0, tcp_keepalive_interval = 0, tcp_keepalive_count = 0;   // 0 = the kernel's
    int tcp_user_timeout_ms = -1;                                                      // -1 = the kernel's
    bool reload_immediate = false;
    std::string written;                       // every line, to notice a change at reload

    bool local_clean() const { return local_clean_session.value_or(clean_session); }
    /// Takes one line. @return empty, or what was expected
    std::string set(std::string_view key, std::string_view value);
    /// What is missing or contradicts itself when the block is whole; empty = good.
    std::string missing() const;
};

}
