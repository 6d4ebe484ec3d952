#include "broker/net/socket.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstring>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace airmail::net {

void descriptor::reset(int fd) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

endpoint endpoint::of(sockaddr_storage const& from) noexcept {
    endpoint e;
    if (from.ss_family == AF_INET6) {
        auto const& in6 = reinterpret_cast<sockaddr_in6 const&>(from);
        std::memcpy(e.address.data(), &in6.sin6_addr, 16);
        e.port = ntohs(in6.sin6_port);
    } else if (from.ss_family == AF_INET) {
        auto const& in4 = reinterpret_cast<sockaddr_in const&>(from);
        e.address[10] = e.address[11] = 0xFF;
        std::memcpy(e.address.data() + 12, &in4.sin_addr, 4);
        e.port = ntohs(in4.sin_port);
    }
    return e;
}

endpoint endpoint::of_local_peer(int fd) noexcept {
    endpoint e;
    e.kind = family::local;
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return e;
    std::memcpy(e.address.data(), &who.uid, 4);
    std::memcpy(e.address.data() + 4, &who.pid, 4);
    return e;
}

bool endpoint::loopback() const noexcept {
    if (kind == family::local) return true;
    static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (std::memcmp(address.data(), mapped.data(), 12) == 0) return address[12] == 127;
    static constexpr std::array<std::uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return address == one;
}

std::string endpoint::text() const {
    if (kind == family::local) {
        std::uint32_t user = 0, process = 0;
        std::memcpy(&user, address.data(), 4);
        std::memcpy(&process, address.data() + 4, 4);
        return fmt::format("unix:uid={},pid={}", user, process);
    }
    char out[INET6_ADDRSTRLEN] = "?";
    in6_addr a;
    std::memcpy(&a, address.data(), 16);
    if (IN6_IS_ADDR_V4MAPPED(&a)) {
        ::inet_ntop(AF_INET, address.data() + 12, out, sizeof out);
        return fmt::format("{}:{}", out, port);
    }
    ::inet_ntop(AF_INET6, &a, out, sizeof out);
    return fmt::format("[{}]:{}", out, port);
}

void set_options(int fd, socket_options const& o) noexcept {
    auto set = [fd](int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); };
    set(IPPROTO_TCP, TCP_NODELAY, o.no_delay);
    int const s = static_cast<int>(o.keepalive.count());
    if (s > 0) {
        set(SOL_SOCKET, SO_KEEPALIVE, 1);
        set(IPPROTO_TCP, TCP_KEEPIDLE, s);
        set(IPPROTO_TCP, TCP_KEEPINTVL, s / 4 > 0 ? s / 4 : 1);
        set(IPPROTO_TCP, TCP_KEEPCNT, 4);
    }
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(o.user_timeout.count()));
    if (o.send_buffer_bytes) set(SOL_SOCKET, SO_SNDBUF, o.send_buffer_bytes);
    if (o.receive_buffer_bytes) set(SOL_SOCKET, SO_RCVBUF, o.receive_buffer_bytes);
}

void ignore_sigpipe() noexcept {
    struct sigaction now{};
    if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

}
