#pragma once
// One listening socket of the HTTP server: accepts, decides which door the peer came through, starts its session.

#include "broker/admin/http_server.hpp"
#include "broker/admin/session.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace airmail::admin {

/// Owned by the server; runs on the HTTP thread.
struct http_server::door_keeper {
    using protocol = boost::asio::generic::stream_protocol;
    using endpoint = protocol::endpoint;
    using socket = protocol::socket;

    static endpoint tcp(std::string const& address, std::uint16_t port);
    static endpoint unix_path(std::string const& path);

    door_keeper(world w, endpoint where);
    std::uint16_t port() const;
    void open() { accept_next(); }
    void close();

    door kind = door::public_https;
    std::function<std::shared_ptr<net::tls_context const>()> tls;
    bool admin_everywhere = false;

private:
    void accept_next();
    void welcome(socket s);
    /// Fills in door, role and name of the peer; false = not allowed in (a stranger on the control socket).
    bool recognise(socket& s, arrival& who) const;

    world w_;
    boost::asio::basic_socket_acceptor<protocol> acceptor_;
    boost::asio::steady_timer pause_;   // after EMFILE: try again soon instead of spinning
    std::string unlink_;
};

/// TLS sessions live in their own translation unit (session_tls.cpp).
void serve_tls(http_server::world w, http_server::door_keeper::socket s, std::shared_ptr<net::tls_context const> tls, arrival who);

}
