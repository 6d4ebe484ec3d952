#include "broker/admin/door_keeper.hpp"

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace airmail::admin {

namespace asio = boost::asio;
using keeper = http_server::door_keeper;

keeper::endpoint keeper::tcp(std::string const& address, std::uint16_t port) {
    return asio::ip::tcp::endpoint(asio::ip::make_address(address.empty() ? "0.0.0.0" : address), port);
}

keeper::endpoint keeper::unix_path(std::string const& path) { return asio::local::stream_protocol::endpoint(path); }

keeper::door_keeper(world w, endpoint where) : w_(w), acceptor_(w.io), pause_(w.io) {
    acceptor_.open(where.protocol());
    if (where.protocol().family() == AF_UNIX) {
        unlink_ = reinterpret_cast<sockaddr_un const*>(where.data())->sun_path;
        ::unlink(unlink_.c_str());  // a stale one: the data directory's lock says that no other broker is alive
    } else {
        acceptor_.set_option(asio::socket_base::reuse_address(true));
    }
    acceptor_.bind(where);
    if (!unlink_.empty()) ::chmod(unlink_.c_str(), 0660);
    acceptor_.listen(1024);
}

std::uint16_t keeper::port() const {
    auto where = acceptor_.local_endpoint();
    auto const* a = reinterpret_cast<sockaddr const*>(where.data());
    if (a->sa_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in const*>(a)->sin_port);
    if (a->sa_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6 const*>(a)->sin6_port);
    return 0;
}

void keeper::close() {
    boost::system::error_code ec;
    acceptor_.close(ec);
    pause_.cancel();
    if (!unlink_.empty()) ::unlink(unlink_.c_str());
}

void keeper::accept_next() {
    acceptor_.async_accept(w_.io, [this](boost::system::error_code ec, socket s) {
        if (!acceptor_.is_open()) return;
        if (!ec) {
            welcome(std::move(s));
            return accept_next();
        }
        pause_.expires_after(std::chrono::milliseconds(50));
        pause_.async_wait([this](boost::system::error_code waited) {
            if (!waited && acceptor_.is_open()) accept_next();
        });
    });
}

bool keeper::recognise(socket& s, arrival& who) const {
    who.from = kind;
    if (kind == door::control) {
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(s.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
        who.peer = "uid " + std::to_string(peer.uid);
        who.role = "admin";
        return peer.uid == 0 || peer.uid == ::geteuid();
    }
    boost::system::error_code ec;
    auto where = s.remote_endpoint(ec);
    if (ec) return false;
    char text[INET6_ADDRSTRLEN] = "";
    bool loopback = false;
    auto const* a = reinterpret_cast<sockaddr const*>(where.data());
    if (a->sa_family == AF_INET) {
        auto const* in = reinterpret_cast<sockaddr_in const*>(a);
        ::inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        loopback = (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    } else if (a->sa_family == AF_INET6) {
        auto const* in = reinterpret_cast<sockaddr_in6 const*>(a);
        ::inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
        loopback = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
    }
    who.peer = text;
    if (kind == door::public_https && (loopback || admin_everywhere)) who.from = door::admin_https;
    int const on = 1;
    ::setsockopt(s.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

void keeper::welcome(socket s) {
    arrival who;
    if (!recognise(s, who) || w_.count.connections >= w_.limits.connections_max) {
        ++w_.count.connections_refused;
        return;  // closed with the socket
    }
    ++w_.count.connections;
    if (tls) return serve_tls(w_, std::move(s), tls(), std::move(who));
    auto stream = std::make_shared<socket>(std::move(s));
    std::function<void()> shut = [stream] {
        boost::system::error_code ec;
        stream->close(ec);
    };
    auto* count = &w_.count;
    asio::co_spawn(w_.io, serve_connection<socket>(w_, stream, std::move(shut), std::move(who)), [count](std::exception_ptr) { --count->connections; });
}

}
