#pragma once
// Why a client's call or connection failed, where the system or OpenSSL has no word for it.

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace airmail::client {

enum class errc {
    not_connected = 1,      // no CONNACK yet, or the connection is gone
    already_connected,      // connect() on a client that is not idle
    invalid_argument,       // a topic, filter or text that the protocol cannot carry
    queue_full,             // the outgoing queue is at its bound; nothing was queued
    packet_too_large,       // the server said it would not take it
    packet_ids_exhausted,   // 65,535 requests since the oldest one without an answer
    connect_timeout,        // no CONNACK in time
    ping_timeout,           // no answer to PINGREQ
    call_timeout,           // a blocking call's deadline passed
    refused,                // CONNACK with a failure code (see close_info::code)
    disconnected,           // the server sent DISCONNECT (see close_info::code)
    connection_closed,      // the server closed without a word
    protocol_violation,     // the server sent what no server may (see close_info::code)
    tls_failed,             // handshake or record failure (see close_info::detail)
};

boost::system::error_category const& client_category();
/// OpenSSL's packed error codes, with OpenSSL's words.
boost::system::error_category const& openssl_category();
/// The oldest error of this thread's OpenSSL queue, which is emptied; tls_failed when there is none.
boost::system::error_code take_openssl_error();
inline boost::system::error_code make_error_code(errc e) { return {static_cast<int>(e), client_category()}; }

template <class T> using result = boost::system::result<T>;
using boost::system::error_code;

}

template <> struct boost::system::is_error_code_enum<airmail::client::errc> : std::true_type {};
