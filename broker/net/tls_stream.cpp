#include "broker/net/tls_stream.hpp"

#include "broker/net/errc.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <climits>
#include <openssl/err.h>

namespace airmail::net {

tls_stream::tls_stream(next_layer_type socket, std::shared_ptr<tls_context const> context)
    : socket_{std::move(socket)}, context_{std::move(context)} {
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);
    ssl_ = context_->accept(socket_.native_handle());
}

tls_stream::next tls_stream::attempt(step what, void* data, std::size_t size, std::size_t& n, error_code& ec) {
    if (!ssl_ || !socket_.is_open()) return ec = boost::asio::error::bad_descriptor, next::done;
    ERR_clear_error();
    errno = 0;
    int r = 0;
    switch (what) {
    case step::handshake: r = SSL_do_handshake(ssl_.get()); break;
    case step::read: r = SSL_read_ex(ssl_.get(), data, size, &n); break;
    case step::write: r = SSL_write_ex(ssl_.get(), data, size, &n); break;
    case step::shutdown:
        // 0: our close_notify is out and the peer's has not come; nobody waits for it.
        r = SSL_shutdown(ssl_.get());
        if (r == 0) r = 1;
        if (r > 0) socket_.shutdown(next_layer_type::shutdown_send, ec), ec = {};
        break;
    }
    if (r > 0) return next::done;
    n = 0;
    int const system = errno;
    switch (SSL_get_error(ssl_.get(), r)) {
    case SSL_ERROR_WANT_READ: return next::wait_read;
    case SSL_ERROR_WANT_WRITE: return next::wait_write;
    case SSL_ERROR_ZERO_RETURN: ec = boost::asio::error::eof; break;
    case SSL_ERROR_SYSCALL:
        if (system) ec = error_code{system, boost::system::system_category()};
        else ec = boost::asio::error::eof;
        break;
    default: ec = errc::tls_failed;
    }
    ERR_clear_error();
    return next::done;
}

void teardown(boost::beast::role_type, tls_stream& s, boost::system::error_code& ec) {
    ec = {};
    if (s.native()) SSL_shutdown(s.native());
    ERR_clear_error();
    s.next_layer().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ec);
}

}
