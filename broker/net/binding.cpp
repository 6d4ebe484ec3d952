#include "broker/net/binding.hpp"

#include "broker/net/inherited.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace airmail::net {
namespace {

bind_address everywhere(listener_options const& o) {
    bind_address at;
    at.all = true;
    if (o.only == listener_options::family::ipv4) {
        auto& in4 = reinterpret_cast<sockaddr_in&>(at.storage);
        in4 = {.sin_family = AF_INET, .sin_port = htons(o.port), .sin_addr = {}, .sin_zero = {}};
        at.size = sizeof in4;
    } else {
        auto& in6 = reinterpret_cast<sockaddr_in6&>(at.storage);
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(o.port);
        in6.sin6_addr = in6addr_any;
        at.size = sizeof in6;
    }
    return at;
}

bool fill(std::string const& path, sockaddr_un& at) {
    at.sun_family = AF_UNIX;
    if (path.size() >= sizeof at.sun_path) return errno = ENAMETOOLONG, false;
    std::memcpy(at.sun_path, path.c_str(), path.size() + 1);
    return true;
}

/// True when the way is free: no such file, or a socket that refuses, which is removed.
bool clear_way(sockaddr_un const& at) {
    struct stat st{};
    if (::lstat(at.sun_path, &st) != 0) return errno == ENOENT;
    if (!S_ISSOCK(st.st_mode)) return errno = EEXIST, false;
    descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!probe) return false;
    if (::connect(probe.get(), reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0 || errno != ECONNREFUSED)
        return errno = EADDRINUSE, false;
    return ::unlink(at.sun_path) == 0;
}

}

std::vector<bind_address> addresses_of(listener_options const& o, std::string& why) {
    if (o.address.empty()) return {everywhere(o)};
    addrinfo hints{}, *found = nullptr;
    hints.ai_family = o.only == listener_options::family::ipv4 ? AF_INET : o.only == listener_options::family::ipv6 ? AF_INET6 : AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    if (int const e = ::getaddrinfo(o.address.c_str(), std::to_string(o.port).c_str(), &hints, &found); e != 0)
        return why = ::gai_strerror(e), std::vector<bind_address>{};
    std::vector<bind_address> out;
    for (auto* a = found; a; a = a->ai_next) {
        bind_address at;
        std::memcpy(&at.storage, a->ai_addr, a->ai_addrlen);
        at.size = a->ai_addrlen;
        out.push_back(at);
    }
    ::freeaddrinfo(found);
    return out;
}

descriptor listen_on(bind_address const& at, listener_options const& o, bool shared) {
    if (auto given = inherited_socket(reinterpret_cast<sockaddr const*>(&at.storage), at.size)) return given;
    descriptor s{::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!s) return s;
    int const on = 1, only_v6 = !at.all || o.only == listener_options::family::ipv6;
    ::setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) ::setsockopt(s.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (at.storage.ss_family == AF_INET6) ::setsockopt(s.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
    bool good = o.device.empty() || ::setsockopt(s.get(), SOL_SOCKET, SO_BINDTODEVICE, o.device.c_str(), static_cast<socklen_t>(o.device.size() + 1)) == 0;
    good = good && ::bind(s.get(), reinterpret_cast<sockaddr const*>(&at.storage), at.size) == 0 && ::listen(s.get(), o.backlog) == 0;
    if (good) return s;
    int const why = errno;
    s.reset();
    errno = why;
    return s;
}

std::uint16_t port_of(int fd) {
    sockaddr_storage s{};
    socklen_t size = sizeof s;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&s), &size);
    return endpoint::of(s).port;
}

std::unique_ptr<unix_path> unix_path::bind(listener_options const& o) {
    sockaddr_un at{};
    if (!fill(o.unix_path, at)) return nullptr;
    std::unique_ptr<unix_path> made{new unix_path};
    made->socket_ = inherited_socket(reinterpret_cast<sockaddr const*>(&at), sizeof at);
    if (made->socket_) return made;  // its file belongs to who gave it
    if (!clear_way(at)) return nullptr;
    made->socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made->socket_) return nullptr;
    // Made with no rights for others and opened up to the wanted mode afterwards: never wider, not even for a moment.
    ::fchmod(made->socket_.get(), 0600);
    if (::bind(made->socket_.get(), reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) return nullptr;
    struct stat st{};
    if (::chmod(at.sun_path, o.unix_mode) != 0 || ::lstat(at.sun_path, &st) != 0 || ::listen(made->socket_.get(), o.backlog) != 0) {
        int const why = errno;
        ::unlink(at.sun_path);
        errno = why;
        return nullptr;
    }
    made->path_ = o.unix_path;
    made->device_ = st.st_dev, made->inode_ = st.st_ino;
    return made;
}

unix_path::~unix_path() {
    struct stat st{};
    if (!path_.empty() && ::lstat(path_.c_str(), &st) == 0 && st.st_dev == device_ && st.st_ino == inode_) ::unlink(path_.c_str());
}

descriptor unix_path::share() const { return descriptor{::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0)}; }

}
