#include "broker/net/channel.hpp"

#include <algorithm>
#include <cerrno>
#include <openssl/err.h>
#include <unistd.h>

namespace airmail::net {
namespace {
step_result from_errno(bool reading) noexcept {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return {reading ? step_result::wait_read : step_result::wait_write};
    return {step_result::failed};
}
}

step_result channel::why(int r) noexcept {
    switch (SSL_get_error(ssl_.get(), r)) {
    case SSL_ERROR_WANT_READ: return {step_result::wait_read};
    case SSL_ERROR_WANT_WRITE: return {step_result::wait_write};
    case SSL_ERROR_ZERO_RETURN: return {step_result::end};
    default: broken_ = true; return {step_result::failed};
    }
}

step_result channel::handshake() noexcept {
    ERR_clear_error();
    int const r = SSL_do_handshake(ssl_.get());
    // The error queue is left for the caller, who names the cause.
    return r == 1 ? step_result{} : why(r);
}

step_result channel::read(std::span<std::uint8_t> room) noexcept {
    if (!ssl_) {
        if (tunnel_) return tunnel_->read(room);
        auto const n = ::recv(fd_.get(), room.data(), room.size(), 0);
        if (n > 0) return {step_result::done, static_cast<std::size_t>(n)};
        return n == 0 ? step_result{step_result::end} : from_errno(true);
    }
    // A record holds 16 KiB at most: read on while there is more inside OpenSSL and room for it.
    std::size_t total = 0;
    while (total < room.size()) {
        ERR_clear_error();
        std::size_t n = 0;
        int const r = SSL_read_ex(ssl_.get(), room.data() + total, room.size() - total, &n);
        if (r != 1) {
            if (total) break;
            return why(r);
        }
        total += n;
        // A record that was not full was probably the last; the descriptor is level-triggered and will say if it was not.
        if (n < 16000 && SSL_pending(ssl_.get()) == 0) break;
    }
    return {step_result::done, total};
}

step_result channel::write(std::span<std::uint8_t const> bytes) noexcept {
    if (!ssl_) {
        if (tunnel_) {
            iovec const whole{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
            return tunnel_->write({&whole, 1});
        }
        auto const n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return n >= 0 ? step_result{step_result::done, static_cast<std::size_t>(n)} : from_errno(false);
    }
    ERR_clear_error();
    std::size_t n = 0;
    int const r = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
    if (r == 1) return {step_result::done, n};
    auto result = why(r);
    // TLS 1.3 never needs to read before it writes after the handshake.
    if (result.what == step_result::wait_read) result.what = step_result::wait_write;
    return result;
}

step_result channel::write(iovec const* pieces, int count) noexcept {
    if (tunnel_) return tunnel_->write({pieces, static_cast<std::size_t>(count)});
    msghdr m{};
    m.msg_iov = const_cast<iovec*>(pieces);
    m.msg_iovlen = static_cast<std::size_t>(count);
    auto const n = ::sendmsg(fd_.get(), &m, MSG_NOSIGNAL);
    return n >= 0 ? step_result{step_result::done, static_cast<std::size_t>(n)} : from_errno(false);
}

void channel::finish() noexcept {
    if (tunnel_) return tunnel_->finish();
    if (ssl_ && !broken_ && SSL_is_init_finished(ssl_.get())) {
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }
    if (fd_) ::shutdown(fd_.get(), SHUT_WR);
}

}
