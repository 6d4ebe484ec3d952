#include "tests/support/wire.hpp"

#include "broker/config/parse.hpp"
#include "broker/log/log.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fstream>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace airmail::test {
namespace {

std::string chosen() {
    auto const* name = std::getenv("AIRMAIL_WIRE");
    return name && *name ? name : "tcp";
}

/// Plain TCP on loopback.
class tcp final : public transport {
public:
    explicit tcp(std::uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in to{};
        to.sin_family = AF_INET, to.sin_port = htons(port), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("cannot connect to the broker");
        int const on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~tcp() override { ::close(fd_); }
    void send(byte_view b) override {
        while (!b.empty()) {
            auto const n = ::send(fd_, b.data(), b.size(), MSG_NOSIGNAL);
            if (n <= 0) return;  // closed by the broker: the test will see it when it reads
            b = b.subspan(static_cast<std::size_t>(n));
        }
    }
    bool receive(bytes& to, std::chrono::milliseconds within) override {
        pollfd p{fd_, POLLIN, 0};
        if (::poll(&p, 1, static_cast<int>(within.count())) <= 0) return true;
        std::uint8_t buffer[65536];
        auto const n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        to.insert(to.end(), buffer, buffer + n);
        return true;
    }
    void cut() override {
        linger const now{1, 0};  // a reset, as when a network fails
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

}

std::unique_ptr<transport> open_transport(std::uint16_t port) {
    if (chosen() == "tcp") return std::make_unique<tcp>(port);
    throw std::invalid_argument("AIRMAIL_WIRE=" + chosen() + " is not a transport this program knows (tcp)");
}

std::string transport_listener(std::uint16_t port) { return "listener " + std::to_string(port) + " 127.0.0.1\n"; }

namespace {

/// A port that was free a moment ago.
std::uint16_t some_port() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET, at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ::bind(fd, reinterpret_cast<sockaddr*>(&at), size);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    ::close(fd);
    return ntohs(at.sin_port);
}

}

wire_end& wire_end::says(bytes const& b) {
    way_->send(b);
    return *this;
}

wire_end& wire_end::says(std::string_view notation) { return says(packet(notation)); }

bytes wire_end::next(std::chrono::milliseconds within) {
    auto const until = std::chrono::steady_clock::now() + within;
    for (;;) {
        if (auto const size = packet_pattern::first_packet(in_)) {
            bytes whole(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
            in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
            return whole;
        }
        auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) FAIL("no packet came in time");
        if (!way_->receive(in_, left)) FAIL("the broker closed the connection while a packet was expected");
    }
}

wire_end& wire_end::hears(std::string_view pattern, std::chrono::milliseconds within) {
    INFO("expected ", std::string{pattern});
    auto const got = next(within);
    INFO("received ", packet_pattern::hex(got));
    REQUIRE(packet_pattern::compare(pattern, got) == "");
    return *this;
}

wire_end& wire_end::hears_nothing() { return says("C0 00").hears("D0 00"); }

wire_end& wire_end::is_closed(std::chrono::milliseconds within) {
    auto const until = std::chrono::steady_clock::now() + within;
    while (std::chrono::steady_clock::now() < until) {
        auto const open = way_->receive(in_, std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()));
        INFO("received ", packet_pattern::hex(in_));
        REQUIRE(in_.empty());
        if (!open) return *this;
    }
    FAIL("the broker did not close the connection");
    return *this;
}

wire_end& wire_end::is_sent_away(std::string_view code) {
    return hears("E0[" + std::string{code} + "[..]]").is_closed();
}

bool holds(bytes const& whole, std::string_view notation) {
    auto const wanted = packet(notation);
    return std::search(whole.begin(), whole.end(), wanted.begin(), wanted.end()) != whole.end();
}

wire::wire(std::string lines, std::vector<std::pair<std::string, std::string>> const& files) {
    for (auto const& [name, text] : files) std::ofstream{directory_ / name} << text;
    for (auto at = lines.find("{dir}"); at != lines.npos; at = lines.find("{dir}")) lines.replace(at, 5, directory_.path());
    log::set_level(log::level::off);
    // Somebody else may take the port between our look and the bind: then another one.
    for (int attempt = 0;; ++attempt) {
        port_ = some_port();
        auto const text = "shard_count 1\nstore_durability memory\nstore_path " + directory_.path() + "/data\n" + transport_listener(port_) +
                          (lines.find("allow_anonymous") == lines.npos ? "allow_anonymous true\n" : "") + lines;
        broker_ = std::make_unique<broker>(config::parse_text(text));
        try {
            broker_->start();
            return;
        } catch (startup_error const& e) {
            if (e.exit_code() != 69 || attempt == 5) throw;
        }
    }
}

wire::~wire() {
    ends_.clear();
    broker_->stop();
}

void wire::refuses(std::string_view connect, std::string_view code) {
    client().says(connect).hears("20[00" + std::string{code} + "[..]]").is_closed();
}

wire_end& wire::client(std::string_view id, std::string_view how) {
    auto& end = client();
    // The protocol's name goes with its level: MQIsdp is 3.
    auto const name = how.starts_with("03") ? "<MQIsdp>" : "<MQTT>";
    return end.says("10[" + std::string{name} + std::string{how} + "<" + std::string{id} + ">]").hears(how.starts_with("05") ? "20[00 00 [..]]" : "20[00 00]");
}

}
