#pragma once
// Bytes to and from one peer, plain or over TLS: a descriptor and, when there is one, the SSL on it. Nothing here waits.

#include "broker/net/socket.hpp"
#include "broker/net/tls.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/uio.h>

namespace airmail::net {

/// What a step came to.
struct step_result {
    enum kind : std::uint8_t { done, wait_read, wait_write, end, failed } what = done;
    std::size_t bytes = 0;
};

/// Movable, 16 bytes; owns both.
class channel {
public:
    channel() noexcept = default;
    explicit channel(descriptor fd, ssl_ptr ssl = nullptr) noexcept : fd_{std::move(fd)}, ssl_{std::move(ssl)} {}

    /// Puts TLS on a plain channel.
    void attach(ssl_ptr ssl) noexcept { ssl_ = std::move(ssl); }
    int fd() const noexcept { return fd_.get(); }
    SSL* ssl() const noexcept { return ssl_.get(); }

    /// One handshake step; `done` when it is over. TLS only.
    step_result handshake() noexcept;
    /// Reads once into `room`; `done` with bytes, `wait_read` when nothing is there, `end` after the peer's last byte.
    step_result read(std::span<std::uint8_t> room) noexcept;
    /// True when bytes wait inside OpenSSL: the descriptor will not tell.
    /// (Half a record does not count: without read-ahead only its decrypted bytes lie there, or the rest is yet to come.)
    bool has_pending() const noexcept { return ssl_ && SSL_pending(ssl_.get()) > 0; }
    /// Writes once; may write less. A write that ended in wait_write must be repeated with the same bytes first.
    step_result write(std::span<std::uint8_t const> bytes) noexcept;
    /// Plain only.
    step_result write(iovec const* pieces, int count) noexcept;
    /// close_notify, if TLS still works, then FIN. The peer's bytes can still be read.
    void finish() noexcept;

private:
    step_result why(int r) noexcept;

    descriptor fd_;
    bool broken_ = false;  // OpenSSL forbids SSL_shutdown after a fatal error
    ssl_ptr ssl_;          // freed before the descriptor
};

}
