// A site comes back: all devices drop at once and return at once, each with a full TLS 1.3 handshake, while others who were
// connected before want to be heard.

#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/scenario.hpp"
#include "bench/airmail-bench/swarm.hpp"
#include "broker/codec/connect.hpp"

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace airmail::bench {
namespace {

/// Eight established clients on plain TCP, on a thread of their own: one PINGREQ every 5 ms, each measured.
class pingers {
public:
    explicit pingers(std::uint16_t port) {
        for (std::size_t i = 0; i < sockets_.size(); ++i) sockets_[i] = connect(port, i);
        thread_ = std::thread([this] { run(); });
    }
    ~pingers() {
        over_ = true;
        thread_.join();
        for (int fd : sockets_) ::close(fd);
    }
    /// What was measured since the last call; a ping that waits right now belongs to the next.
    latencies take() {
        std::lock_guard hold(lock_);
        return std::exchange(seen_, {});
    }

private:
    static int connect(std::uint16_t port, std::size_t i) {
        int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        timeval const limit{30, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_port = htons(port);
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        bytes hello;
        codec::connect_view c;
        c.protocol = codec::version::v311;
        auto const id = fmt::format("bench-ping-{}", i), user = bench_user(i);
        c.client_id = id;
        c.user_name = user;
        codec::encode(hello, c);
        std::array<char, 4> answer{};
        if (::connect(fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0 || ::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) < 0 ||
            ::recv(fd, answer.data(), answer.size(), MSG_WAITALL) != 4 || answer[3] != 0)
            throw failure("an established client was not let in");
        return fd;
    }
    void run() {
        for (std::size_t i = 0; !over_; i = (i + 1) % sockets_.size()) {
            std::array<char, 2> const ping{static_cast<char>(0xC0), 0};
            std::array<char, 2> pong{};
            auto const began = now_ns();
            bool const answered = ::send(sockets_[i], ping.data(), 2, MSG_NOSIGNAL) == 2 && ::recv(sockets_[i], pong.data(), 2, MSG_WAITALL) == 2;
            {
                std::lock_guard hold(lock_);
                seen_.add(answered ? now_ns() - began : std::int64_t{30'000'000'000});
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

    std::array<int, 8> sockets_{};
    std::atomic<bool> over_{false};
    std::mutex lock_;
    latencies seen_;
    std::thread thread_;
};

/// Connects all of them, at most `at_once` unanswered (0 = all). @return connects per second
double arrive(bench_run& r, swarm& s, std::size_t at_once) {
    auto const began = now_ns();
    for (std::size_t i = 0; i < r.sizes.idle_mtls; ++i) {
        connect_options o;
        o.port = r.broker.place().tls_port;
        o.client_id = device_name(i);
        o.tls = r.certs->context();
        o.identity = r.certs->identity(i);
        s.open(o);
        if (at_once) s.settle_if_over(at_once);
    }
    s.settle();
    return static_cast<double>(r.sizes.idle_mtls) * 1e9 / static_cast<double>(now_ns() - began);
}

}

figures storm_mtls(bench_run& r) {
    pingers others(r.broker.place().port);
    double steady = 0;
    latencies calm;
    {
        swarm first;
        first.comes_back = true;
        steady = arrive(r, first, 64);
        calm = others.take();
    }   // all gone at once, by reset
    swarm second;
    second.comes_back = true;
    meter m(r.broker);
    double const storm = arrive(r, second, 0), cpu = m.broker_cpu();
    auto wild = others.take();
    return {{"connects per second, 64 at once", steady},
            {"connects per second, all at once", storm},
            {"all at once / 64 at once", storm / steady, false},
            {"turned away and come back, all at once", static_cast<double>(second.turned_away)},
            {"broker CPU ms per connect", cpu * 1e3 / static_cast<double>(r.sizes.idle_mtls)},
            {"PING p99 ms, 64 at once", calm.microseconds(0.99) / 1e3},
            {"PING p99 ms, all at once", wild.microseconds(0.99) / 1e3},
            {"PING longest ms, all at once", wild.microseconds(1) / 1e3}};
}

}
