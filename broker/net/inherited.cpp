#include "broker/net/inherited.hpp"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <string>
#include <sys/un.h>
#include <unistd.h>

namespace airmail::net {
namespace {

constexpr int first_fd = 3, most = 64;

/// How many there are, from `first_fd` on. They are somebody else's when LISTEN_PID is not us.
int count_of_inherited() {
    char const *pid = std::getenv("LISTEN_PID"), *fds = std::getenv("LISTEN_FDS");
    if (!pid || !fds || std::to_string(::getpid()) != pid) return 0;
    int const n = std::atoi(fds);
    return n < 0 || n > most ? 0 : n;
}

bool same(sockaddr const* a, sockaddr_storage const& b) {
    if (a->sa_family != b.ss_family) return false;
    if (a->sa_family == AF_INET6) {
        auto const *x = reinterpret_cast<sockaddr_in6 const*>(a), *y = reinterpret_cast<sockaddr_in6 const*>(&b);
        return x->sin6_port == y->sin6_port && std::memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
    }
    if (a->sa_family == AF_INET) {
        auto const *x = reinterpret_cast<sockaddr_in const*>(a), *y = reinterpret_cast<sockaddr_in const*>(&b);
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    if (a->sa_family == AF_UNIX)
        return std::strncmp(reinterpret_cast<sockaddr_un const*>(a)->sun_path, reinterpret_cast<sockaddr_un const*>(&b)->sun_path, sizeof(sockaddr_un::sun_path)) == 0;
    return false;
}

}

descriptor inherited_socket(sockaddr const* at, socklen_t) {
    int const n = count_of_inherited();
    for (int fd = first_fd; fd < first_fd + n; ++fd) {
        sockaddr_storage bound{};
        socklen_t size = sizeof bound;
        int listens = 0;
        socklen_t listens_size = sizeof listens;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0 || !same(at, bound)) continue;
        if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) != 0 || !listens) continue;
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
        return descriptor{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    }
    return descriptor{};
}

}
