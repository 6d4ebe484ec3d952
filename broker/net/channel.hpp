#pragma once
// Bytes to and from one peer, plain or over TLS: a descriptor and, when there is one, the SSL on it; or a tunnel to another
// shard instead of both. Nothing here waits.

#include "broker/net/socket.hpp"
#include "broker/net/tls.hpp"
#include "broker/net/tunnel.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/uio.h>

namespace airmail::net {

/// Movable, 24 bytes; owns all.
class channel {
public:
    channel() noexcept = default;
    explicit channel(descriptor fd, ssl_ptr ssl = nullptr) noexcept : fd_{std::move(fd)}, ssl_{std::move(ssl)} {}

    explicit channel(std::unique_ptr<tunnel> t) noexcept : tunnel_{std::move(t)} {}

    /// Puts TLS on a plain channel.
    void attach(ssl_ptr ssl) noexcept { ssl_ = std::move(ssl); }
    int fd() const noexcept { return fd_.get(); }
    /// Null when there is a descriptor.
    tunnel* mail() const noexcept { return tunnel_.get(); }
    SSL* ssl() const noexcept { return ssl_.get(); }

    /// One handshake step; `done` when it is over. TLS only.
    step_result handshake() noexcept;
    /// Reads once into `room`; `done` with bytes, `wait_read` when nothing is there, `end` after the peer's last byte.
    step_result read(std::span<std::uint8_t> room) noexcept;
    /// True when bytes wait inside OpenSSL: the descriptor will not tell.
    /// (Half a record does not count: without read-ahead only its decrypted bytes lie there, or the rest is yet to come.)
    bool has_pending() const noexcept {
        return ssl_ ? SSL_pending(ssl_.get()) > 0 : tunnel_ && tunnel_->has_pending();
    }
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
    std::unique_ptr<tunnel> tunnel_;
};

}
