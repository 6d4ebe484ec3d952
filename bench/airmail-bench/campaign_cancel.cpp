// A cancel while URLs are out and downloads are open: how long until the answer, until every socket is closed, until every device has been told.

#include "bench/airmail-bench/campaign_rig.hpp"
#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/meter.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace airmail::bench {
namespace {

/// One HTTPS download that has begun and is being paced.
struct download {
    int fd = -1;
    SSL* ssl = nullptr;
    bool open = false;
};

download begin(SSL_CTX* tls, std::uint16_t port, std::string_view path) {
    download d;
    d.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET, a.sin_port = htons(port), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(d.fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0) throw failure("HTTPS does not answer");
    d.ssl = SSL_new(tls);
    SSL_set_fd(d.ssl, d.fd);
    if (SSL_connect(d.ssl) != 1) throw failure("the TLS handshake of a download failed");
    auto const text = fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    char head[16];
    if (SSL_write(d.ssl, text.data(), static_cast<int>(text.size())) <= 0 || SSL_read(d.ssl, head, sizeof head) <= 12 || head[9] != '2')
        throw failure("a download was refused: " + std::string(head, sizeof head));
    ::fcntl(d.fd, F_SETFL, O_NONBLOCK);
    d.open = true;
    return d;
}

/// False once the other side has closed it.
bool still_open(download& d) {
    char piece[16384];
    int n = 0;
    while ((n = SSL_read(d.ssl, piece, sizeof piece)) > 0) {}
    auto const why = SSL_get_error(d.ssl, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

}

std::string campaign_cancel_config(std::string const& dir) {
    auto const port = free_port();
    std::ofstream(dir + "/https_port") << port;
    return campaign_config(dir) + fmt::format("http_bind 127.0.0.1\nhttp_port {0}\nhttp_certfile {1}/server.crt\nhttp_keyfile {1}/server.key\nhttp_connections_max 6000\nota_transfer_rate 2KiB\n", port, dir);
}

figures campaign_cancel(bench_run& r) {
    auto const socket = control_socket(r);
    auto const n = r.sizes.commanded, opened = n * 4 / 9;
    std::uint16_t port = 0;
    std::ifstream(r.broker.place().dir + "/https_port") >> port;
    swarm s;
    register_all(r, s);
    auto const firmware = upload(r, 4 << 20);
    std::vector<std::string> paths(n);
    std::size_t commanded = 0, cancelled = 0;
    s.on_puback = nullptr;
    s.on_publish = [&](peer& p, byte_view payload) {
        std::string_view const text{reinterpret_cast<char const*>(payload.data()), payload.size()};
        if (text.find("\"command\":\"cancel\"") != text.npos) return void(++cancelled);
        auto const at = text.find("/fw/");
        if (at == text.npos || !paths[p.index].empty()) return;
        paths[p.index] = text.substr(at, text.find('"', at) - at), ++commanded;
    };
    control(socket, "POST", "/api/v1/campaigns", fmt::format(R"({{"campaign_id":"bench","name":"bench","phases":"none","start":true,"firmware_id":"{}"}})", firmware)).answer();
    for (auto const until = now_ns() + 120'000'000'000; commanded < n && now_ns() < until;) s.turn(std::chrono::milliseconds(50));
    if (commanded < n) throw failure(fmt::format("only {} of {} devices have a command", commanded, n));
    int const watch = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<download> downloads;
    for (std::size_t i = 0; i < opened; ++i) {
        downloads.push_back(begin(r.certs->context(), port, paths[i]));
        epoll_event e{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = i}};
        ::epoll_ctl(watch, EPOLL_CTL_ADD, downloads.back().fd, &e);
        if (i % 50 == 0) s.turn(std::chrono::milliseconds(0));
    }
    std::size_t closed = 0;
    auto look = [&] {
        epoll_event ready[512];
        auto const found = ::epoll_wait(watch, ready, 512, 0);
        for (int i = 0; i < found; ++i) {
            auto& d = downloads[ready[i].data.u64];
            if (!d.open || still_open(d)) continue;
            d.open = false, ++closed;
            ::epoll_ctl(watch, EPOLL_CTL_DEL, d.fd, nullptr);
        }
    };
    look();
    auto const early = closed;
    meter m(r.broker);
    auto const answer = control(socket, "POST", "/api/v1/campaigns/bench/cancel", "{}").answer();
    auto const answered = m.wall();
    double all_closed = 0, all_told = 0;
    for (auto const until = now_ns() + 60'000'000'000; now_ns() < until && (all_closed == 0 || all_told == 0);) {
        look();
        s.turn(std::chrono::milliseconds(1));
        if (all_closed == 0 && closed == opened) all_closed = m.wall();
        if (all_told == 0 && cancelled >= n) all_told = m.wall();
    }
    auto const cpu = m.broker_cpu();
    for (auto& d : downloads) SSL_free(d.ssl), ::close(d.fd);
    ::close(watch);
    auto const& counts = answer.at("cancel");
    auto count = [&](char const* key) { return counts.at(key).to_number<double>(); };
    return {{"seconds until the answer", answered},
            {"seconds until all downloads are closed", all_closed},
            {"seconds until every device has the cancel", all_told},
            {"downloads open", static_cast<double>(opened - early), false},
            {"answer: asked", count("asked"), false},
            {"answer: stopped", count("stopped"), false},
            {"answer: too late", count("too_late"), false},
            {"answer: offline", count("offline"), false},
            {"cancel commands received", static_cast<double>(cancelled), false},
            {"broker CPU-s", cpu, false}};
}

}
