#pragma once
// What a connection keeps of the listener it came in by: the rules of that moment. A reload makes a new one for newcomers.

#include "broker/handlers/peer.hpp"
#include "broker/net/back_off.hpp"
#include "broker/net/ocsp_desk.hpp"
#include "broker/net/proxy_protocol.hpp"
#include "broker/net/socket.hpp"
#include "broker/net/tls.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace airmail::net {

/// Reads the identity out of a verified certificate (acl::identify with the listener's source). False and one line of why
/// when there is none, or two: the handshake is then refused.
using identity_reader = std::function<bool(X509 const* certificate, acl::identity& out, std::string& why)>;

/// The same for the common name that a proxy tells of a certificate it verified.
using common_name_reader = std::function<bool(std::string_view common_name, acl::identity& out, std::string& why)>;

/// MQTT over WebSocket: what the HTTP request must look like. [MQTT 5, 6]
struct websocket_rules {
    std::string path;                         // the one path that is served; empty = any
    std::vector<std::string> origins;         // where a browser may come from
    bool any_origin = false;                  // when nothing is listed; devices send no Origin
    std::uint32_t header_bytes_max = 8 * 1024;
    std::uint64_t message_bytes_max = 1024 * 1024;   // of one WebSocket message, all its frames
};

/// Times are milliseconds.
struct listener_limits {
    std::int64_t connect_timeout = 15000;     // accept to CONNECT, TLS included
    std::int64_t handshake_timeout = 10000;
    std::int64_t stalled_writer = 60000;      // nothing of what waits was taken for so long
    std::uint32_t handshakes = 512;           // at once, per shard; beyond it accepting pauses
    std::uint32_t connections = 0;            // of this listener, 0 = no limit
    // A client that logs in again and again: so often in a minute before it has to wait.
    back_off_policy flapping{.tries = 0, .window = 60'000, .first = 10'000, .most = 600'000};
};

/// Immutable but for the count; shared by the connections of a listener.
struct origin {
    std::shared_ptr<handlers::listener_rules const> rules;
    listener_limits limits;
    socket_options socket;
    std::shared_ptr<tls> security;            // null = plain
    identity_reader read_identity;            // may be empty: certificates only open the door
    ocsp_rules_ptr ocsp;                      // null = the authorities of client certificates are not asked
    std::shared_ptr<proxy_rules const> proxy;           // null = nobody speaks for others
    common_name_reader read_common_name;                // may be empty: what the proxy says of certificates is not asked
    std::shared_ptr<websocket_rules const> websocket;   // null = MQTT itself
    std::shared_ptr<std::atomic<std::uint32_t>> count = std::make_shared<std::atomic<std::uint32_t>>(0);
};
using origin_ptr = std::shared_ptr<origin const>;

}
