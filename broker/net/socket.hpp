#pragma once
// Sockets as plain descriptors: who owns one, its options, and the address at its other end in 20 bytes.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace airmail::net {

/// Owns a descriptor.
class descriptor {
public:
    descriptor() noexcept = default;
    explicit descriptor(int fd) noexcept : fd_{fd} {}
    descriptor(descriptor&& o) noexcept : fd_{std::exchange(o.fd_, -1)} {}
    descriptor& operator=(descriptor&& o) noexcept {
        if (this != &o) reset(std::exchange(o.fd_, -1));
        return *this;
    }
    ~descriptor() { reset(); }
    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    void reset(int fd = -1) noexcept;

private:
    int fd_ = -1;
};

/// An IP address and port; IPv4 is kept as ::ffff:a.b.c.d. Or the process at the other end of a unix socket. Comparable,
/// hashable by its bytes.
struct endpoint {
    enum class family : std::uint8_t { ip, local };
    std::array<std::uint8_t, 16> address{};   // local: user and process id, four bytes each
    std::uint16_t port = 0;
    family kind = family::ip;

    static endpoint of(sockaddr_storage const& from) noexcept;
    /// The peer of an accepted unix socket, as the kernel vouches for it (SO_PEERCRED).
    static endpoint of_local_peer(int fd) noexcept;
    /// On this machine: 127/8, ::1, or a unix socket.
    bool loopback() const noexcept;
    /// "192.0.2.1:1883", "[2001:db8::1]:1883", "unix:uid=1000,pid=4711".
    std::string text() const;
};

/// TCP options of every accepted socket (reference/reliability.md section 5).
struct socket_options {
    bool no_delay = true;                            // set_tcp_nodelay: small packets leave at once
    std::chrono::seconds keepalive{60};
    std::chrono::milliseconds user_timeout{60000};   // unacknowledged data for longer than that: the peer is gone
    // Explicit, so that a slow reader cannot make the kernel keep 4 MB for it (reference/architecture.md 1.2). 0 = kernel's.
    int send_buffer_bytes = 64 * 1024;
    int receive_buffer_bytes = 64 * 1024;
};
/// Sets them on an accepted socket; failures are ignored (a socket that died already shows it on reading).
void set_options(int fd, socket_options const& o) noexcept;

/// Writing to a connection that the peer has reset must be an error, not the end of the process: OpenSSL writes without
/// MSG_NOSIGNAL. Ignores SIGPIPE unless the program has a handler for it. Idempotent.
void ignore_sigpipe() noexcept;

}
