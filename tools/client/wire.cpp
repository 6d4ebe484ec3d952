#include "tools/client/wire.hpp"

#include "tools/client/socket_bio.hpp"
#include "tools/client/tls.hpp"

#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <climits>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace airmail::client {

void wire::free_ssl::operator()(SSL* s) const { SSL_free(s); }

error_code wire::prepare_tls(tls_context const& context, std::string const& server_name) {
    ERR_clear_error();
    ssl_.reset(SSL_new(context.native()));
    verify_result_ = X509_V_OK;
    if (!ssl_) return errc::tls_failed;
    SSL_set_connect_state(ssl_.get());
    error_code not_an_address;
    boost::asio::ip::make_address(server_name, not_an_address);
    bool const good = not_an_address ? SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str()) == 1 && SSL_set1_host(ssl_.get(), server_name.c_str()) == 1
                                     : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), server_name.c_str()) == 1;
    return good ? error_code{} : make_error_code(errc::tls_failed);
}

error_code wire::connected() {
    error_code ec;
    socket_.non_blocking(true, ec);
    if (ec) return ec;
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ec);
    if (ec || !ssl_) return ec;
    auto* const bio = new_socket_bio(socket_.native_handle());
    if (!bio) return errc::tls_failed;
    SSL_set_bio(ssl_.get(), bio, bio);
    return {};
}

io wire::handshake() {
    if (!ssl_) return io::done;
    ERR_clear_error();
    auto const n = SSL_do_handshake(ssl_.get());
    if (n == 1) return io::done;
    auto const state = judge(n).state;
    verify_result_ = SSL_get_verify_result(ssl_.get());
    return state;
}

io_step wire::judge_system(ssize_t n) {
    if (n >= 0) return {io::done, static_cast<std::size_t>(n)};
    error_ = {errno, boost::system::system_category()};
    return {io::failed};
}

io_step wire::judge(int n) {
    auto const saved = errno;
    switch (SSL_get_error(ssl_.get(), n)) {
    case SSL_ERROR_NONE: return {io::done, static_cast<std::size_t>(n)};
    case SSL_ERROR_WANT_READ: return {io::want_read};
    case SSL_ERROR_WANT_WRITE: return {io::want_write};
    case SSL_ERROR_ZERO_RETURN: return {io::closed};
    case SSL_ERROR_SYSCALL:
        if (ERR_peek_error() == 0 && (n == 0 || saved == 0)) return {io::closed};
        if (ERR_peek_error() == 0) {
            error_ = {saved, boost::system::system_category()};
            return {io::failed};
        }
        break;
    default: break;
    }
    auto const e = ERR_peek_error();
    error_ = take_openssl_error();
    // A peer that closes without close_notify: MQTT frames itself, so nothing is lost by taking it as the end.
    if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return {io::closed};
    return {io::failed};
}

io_step wire::read(std::span<std::uint8_t> room) {
    if (ssl_) {
        ERR_clear_error();
        errno = 0;
        return judge(SSL_read(ssl_.get(), room.data(), static_cast<int>(std::min<std::size_t>(room.size(), INT_MAX))));
    }
    auto const n = ::recv(socket_.native_handle(), room.data(), room.size(), 0);
    if (n == 0) return {io::closed};
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {io::want_read};
    return judge_system(n);
}

io_step wire::write(byte_view data) {
    if (ssl_) {
        ERR_clear_error();
        errno = 0;
        return judge(SSL_write(ssl_.get(), data.data(), static_cast<int>(std::min<std::size_t>(data.size(), INT_MAX))));
    }
    auto const n = ::send(socket_.native_handle(), data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {io::want_write};
    return judge_system(n);
}

void wire::finish() {
    if (ssl_) SSL_shutdown(ssl_.get());
    error_code ignored;
    socket_.shutdown(socket::shutdown_send, ignored);
}

void wire::close(bool reset) {
    error_code ignored;
    if (reset) socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
    ssl_.reset();
}

std::string wire::detail() const {
    if (verify_result_ != X509_V_OK) return X509_verify_cert_error_string(verify_result_);
    return error_ ? error_.message() : std::string{};
}

}
