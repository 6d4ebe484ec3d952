#include "broker/net/listener.hpp"

#include "broker/net/acceptor.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/core.h>
#include <netinet/in.h>
#include <unistd.h>

namespace airmail::net {
namespace {

struct bind_address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

bool parse(std::string const& text, std::uint16_t port, bind_address& out) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(out.storage);
    auto& in4 = reinterpret_cast<sockaddr_in&>(out.storage);
    if (text.empty() || ::inet_pton(AF_INET6, text.c_str(), &in6.sin6_addr) == 1) {
        if (text.empty()) in6.sin6_addr = in6addr_any;
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(port);
        out.size = sizeof in6;
        return true;
    }
    if (::inet_pton(AF_INET, text.c_str(), &in4.sin_addr) != 1) return false;
    in4.sin_family = AF_INET;
    in4.sin_port = htons(port);
    out.size = sizeof in4;
    return true;
}

/// A bound, listening socket, or -1 with errno.
int listen_on(bind_address const& at, bool only_v6, bool shared, int backlog) {
    int const fd = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int const on = 1, off = 0;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (at.storage.ss_family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, only_v6 ? &on : &off, sizeof on);
    if (::bind(fd, reinterpret_cast<sockaddr const*>(&at.storage), at.size) == 0 && ::listen(fd, backlog) == 0) return fd;
    int const why = errno;
    ::close(fd);
    errno = why;
    return -1;
}

std::uint16_t port_of(int fd) {
    sockaddr_storage s{};
    socklen_t size = sizeof s;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&s), &size);
    return endpoint::of(s).port;
}

}

boost::system::result<std::unique_ptr<listener>, listen_error> listener::open(listener_options o, neighbours const& n) {
    std::unique_ptr<listener> made{new listener};
    made->count_ = o.from.count;
    made->port_ = o.port;
    auto const from = std::make_shared<origin const>(std::move(o.from));
    bool const shared = n.hubs.size() > 1;
    auto fail = [&](int code) {
        return listen_error{code, fmt::format("{}:{}: {}", o.address.empty() ? "*" : o.address, o.port, std::strerror(code))};
    };
    // With SO_REUSEPORT another program of ours could bind the same port unnoticed; a first, exclusive bind finds out.
    bind_address at;
    if (!parse(o.address, o.port, at)) return listen_error{EINVAL, fmt::format("{}: not an IP address", o.address)};
    if (shared && o.port) {
        descriptor probe{listen_on(at, !o.address.empty(), false, 1)};
        if (!probe && errno == EADDRINUSE) return fail(EADDRINUSE);
    }
    for (auto* h : n.hubs) {
        parse(o.address, made->port_, at);
        int fd = listen_on(at, !o.address.empty(), shared, o.backlog);
        if (fd < 0 && errno == EAFNOSUPPORT && o.address.empty()) {
            parse("0.0.0.0", made->port_, at);  // a kernel without IPv6
            fd = listen_on(at, false, shared, o.backlog);
        }
        if (fd < 0) return fail(errno);
        made->port_ = port_of(fd);
        made->doors_.push_back(std::make_shared<acceptor>(*h, descriptor{fd}, from, o.accept_budget));
    }
    return made;
}

listener::~listener() = default;

void listener::start() {
    for (auto& d : doors_) d->home().shard().post_external([d] { d->start(); });
}

void listener::stop() {
    for (auto& d : doors_) d->home().shard().post_external([d] { d->stop(); });
}

void listener::reload(origin from) {
    from.count = count_;  // the cap counts those who are here already
    auto const next = std::make_shared<origin const>(std::move(from));
    for (auto& d : doors_) d->home().shard().post_external([d, next] { d->replace(next); });
}

}
