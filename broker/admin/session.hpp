#pragma once
// One HTTP connection, as a story: read a request, decide, answer, again. A template over the stream so that plain sockets
// and TLS share it; instantiated once each in session_plain.cpp and session_tls.cpp.

#include "broker/admin/http_server.hpp"

#include <boost/asio/awaitable.hpp>

namespace airmail::admin {

/// What is known of a peer before it says anything.
struct arrival {
    door from = door::public_https;
    std::string peer;   // address, and " <identity>" when a client certificate was shown
    std::string role;   // the control socket gives admin
};

/// Serves one connection until it ends. The stream must offer async_read_some, async_write_some and get_executor; `shut`
/// closes it from outside (deadline, revocation) and must make pending operations fail.
template <class Stream>
boost::asio::awaitable<void> serve_connection(http_server::world w, std::shared_ptr<Stream> stream, std::function<void()> shut, arrival who);

}
