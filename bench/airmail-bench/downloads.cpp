#include "bench/airmail-bench/downloads.hpp"

#include "bench/airmail-bench/failure.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace airmail::bench {

downloads::downloads(SSL_CTX* tls, std::uint16_t port) : tls_(tls), port_(port), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

downloads::~downloads() {
    for (auto& d : all_) {
        SSL_free(d->ssl);
        if (d->fd >= 0) ::close(d->fd);
    }
    ::close(epoll_);
}

void downloads::open(std::string_view path) {
    auto d = std::make_unique<one>();
    d->fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0) throw failure(fmt::format("no socket for a download: {}", std::strerror(errno)));
    // Small, so that four thousand paced files are not four thousand windows in the kernel.
    int const window = 16 << 10;
    ::setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    sockaddr_in a{};
    a.sin_family = AF_INET, a.sin_port = htons(port_), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(d->fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0 && errno != EINPROGRESS) throw failure(fmt::format("HTTPS does not answer: {}", std::strerror(errno)));
    d->ask = fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    d->ssl = SSL_new(tls_);
    SSL_set_fd(d->ssl, d->fd);
    SSL_set_mode(d->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_set_connect_state(d->ssl);
    epoll_event e{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = d.get()}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, d->fd, &e);
    ++begun_;
    all_.push_back(std::move(d));
}

void downloads::turn() {
    epoll_event ready[512];
    auto const n = ::epoll_wait(epoll_, ready, 512, 0);
    for (int i = 0; i < n; ++i) go_on(*static_cast<one*>(ready[i].data.ptr));
}

void downloads::watch(one& d, bool writable) {
    epoll_event e{.events = EPOLLIN | (writable ? EPOLLOUT : 0u), .data = {.ptr = &d}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, d.fd, &e);
}

/// True: later. False: OpenSSL is done with it, for good or ill.
bool downloads::wants(one& d, int result) {
    auto const why = SSL_get_error(d.ssl, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
    watch(d, why == SSL_ERROR_WANT_WRITE);
    return true;
}

void downloads::go_on(one& d) {
    ERR_clear_error();
    if (d.at == step::connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(d.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) throw failure(fmt::format("a download cannot connect: {}", std::strerror(error)));
        d.at = step::handshaking;
    }
    if (d.at == step::handshaking) {
        if (auto const r = SSL_do_handshake(d.ssl); r != 1) {
            if (wants(d, r)) return;
            throw failure("the TLS handshake of a download failed");
        }
        d.at = step::asking;
        if (auto const r = SSL_write(d.ssl, d.ask.data(), static_cast<int>(d.ask.size())); r <= 0) throw failure("a download cannot ask");
        watch(d, false);
    }
    read(d);
}

void downloads::read(one& d) {
    static char piece[16384];
    int n = 0;
    while (d.at != step::closed && (n = SSL_read(d.ssl, piece, sizeof piece)) > 0) {
        bytes_ += static_cast<std::uint64_t>(n);
        if (d.at != step::asking) continue;
        if (n < 12 || piece[9] != '2') throw failure("a download was refused: " + std::string(piece, static_cast<std::size_t>(std::min(n, 200))));
        d.at = step::answered, ++opened_;
    }
    if (wants(d, n)) return;
    if (d.at == step::asking) throw failure("a download was closed before its answer");
    d.at = step::closed, ++closed_;
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, d.fd, nullptr);
    ::close(std::exchange(d.fd, -1));
}

}
