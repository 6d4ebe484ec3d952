#pragma once
// What can go wrong with a connection, named once: the same word in the log, in a metric's label and in a test.

#include <boost/system/error_code.hpp>
#include <string_view>

namespace airmail::net {

/// Why a connection was refused or ended without the peer's own DISCONNECT.
enum class errc {
    tls_failed = 1,       // OpenSSL refused the bytes or the certificate
    connect_timeout,      // no CONNECT in time, TLS included
    handshake_timeout,    // no finished TLS handshake in time
    not_mqtt,             // the first packet is not a CONNECT, or is malformed
    identity_refused,     // the certificate carries no identity as configured
    proxy_header,         // no PROXY header, or a malformed one, from a peer that must send it
    http_refused,         // the request is no WebSocket of MQTT, or comes from where it may not
    websocket_text,       // a text frame [MQTT-6.0.0-1]
    stalled,              // took nothing of what we sent for too long
    output_overflow,      // more waits to be sent than may
    memory,               // its output was among the largest when memory ran out
    keep_alive,           // silent for longer than it promised
    protocol_error,       // a malformed or oversized packet
    closed_by_peer,       // end of file
    socket_failed,        // reset, timeout of the kernel
    shutting_down,
};

/// `tls_failed` and so on; static storage.
std::string_view name(errc e) noexcept;
boost::system::error_category const& net_category() noexcept;
inline boost::system::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), net_category()}; }

}

template <> struct boost::system::is_error_code_enum<airmail::net::errc> : std::true_type {};
