// Sessions over TLS: the same story on net::tls_stream, after the handshake.
#include "acl/certificate.hpp"
#include "broker/admin/door_keeper.hpp"
#include "broker/admin/session_impl.hpp"
#include "broker/net/tls_stream.hpp"

#include <boost/asio/co_spawn.hpp>

namespace airmail::admin {
namespace {

using stream_ptr = std::shared_ptr<net::tls_stream>;

boost::asio::awaitable<void> tls_story(http_server::world w, stream_ptr stream, std::function<void()> shut, arrival who) {
    error_code ec;
    phase_deadline deadline(w.io, shut);
    deadline.arm(w.limits.deadline);
    co_await stream->async_handshake(boost::asio::redirect_error(awaiting, ec));
    deadline.disarm();
    if (ec) {
        ++w.count.handshakes_failed;
        shut();
        co_return;
    }
    // Verified by the handshake, where http_cafile has asked for one. A name that is no device's opens nothing.
    if (auto const* shown = SSL_get0_peer_certificate(stream->native()))
        if (auto const device = acl::device_id(shown, {})) who.peer += " " + *device;
    co_await serve_connection<net::tls_stream>(w, stream, shut, std::move(who));
}

}

void serve_tls(http_server::world w, http_server::door_keeper::socket s, std::shared_ptr<net::tls_context const> tls, arrival who) {
    error_code ec;
    auto where = s.local_endpoint(ec);
    auto const family = where.protocol().family() == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
    boost::asio::ip::tcp::socket tcp(w.io, family, s.release());
    auto stream = std::make_shared<net::tls_stream>(std::move(tcp), std::move(tls));
    std::function<void()> shut = [stream] { stream->close(); };
    auto* count = &w.count;
    boost::asio::co_spawn(w.io, tls_story(w, stream, std::move(shut), std::move(who)), [count](std::exception_ptr) { --count->connections; });
}

}
