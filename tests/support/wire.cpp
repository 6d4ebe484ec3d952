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

/// WebSocket by hand over plain TCP. What is said at once leaves as a message of two frames, so that frames and packets never
/// begin and end together. [MQTT-6.0.0-2]
class websocket final : public transport {
public:
    explicit websocket(std::uint16_t port) : way_{port} {
        static constexpr std::string_view request = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        way_.send(byte_view{reinterpret_cast<std::uint8_t const*>(request.data()), request.size()});
        static constexpr std::string_view end = "\r\n\r\n";
        for (;;) {
            auto const at = std::search(raw_.begin(), raw_.end(), end.begin(), end.end());
            if (at != raw_.end()) {
                if (std::string_view{reinterpret_cast<char const*>(raw_.data()), raw_.size()}.substr(0, 12) != "HTTP/1.1 101") throw std::runtime_error("the broker refuses the WebSocket");
                raw_.erase(raw_.begin(), at + static_cast<std::ptrdiff_t>(end.size()));
                return;
            }
            auto const before = raw_.size();
            if (!way_.receive(raw_, std::chrono::seconds(10)) || raw_.size() == before) throw std::runtime_error("the broker does not answer the WebSocket's request");
        }
    }
    void send(byte_view b) override {
        auto const half = b.size() / 2;
        bytes frames;
        append(frames, 0x02, b.first(half));
        append(frames, 0x80, b.subspan(half));
        way_.send(frames);
    }
    bool receive(bytes& to, std::chrono::milliseconds within) override {
        auto const until = std::chrono::steady_clock::now() + within;
        for (;;) {
            auto const before = to.size();
            bool const open = take_frames(to);
            if (to.size() > before) return true;
            if (!open) return false;
            auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
            if (left.count() <= 0) return true;
            if (!way_.receive(raw_, left)) return false;
        }
    }
    void cut() override { way_.cut(); }

private:
    static void append(bytes& to, std::uint8_t first, byte_view payload) {
        to.push_back(first);
        if (payload.size() < 126) to.push_back(static_cast<std::uint8_t>(0x80 | payload.size()));
        else {
            bool const wide = payload.size() > 65535;
            to.push_back(wide ? 0xFF : 0xFE);
            for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(std::uint64_t{payload.size()} >> shift));
        }
        static constexpr std::uint8_t key[] = {0x12, 0x34, 0x56, 0x78};
        to.insert(to.end(), key, key + 4);
        for (std::size_t i = 0; i < payload.size(); ++i) to.push_back(payload[i] ^ key[i % 4]);
    }
    /// Payloads of whole frames. False at a close frame.
    bool take_frames(bytes& to) {
        std::size_t at = 0;
        bool open = true;
        for (;;) {
            auto const rest = byte_view{raw_}.subspan(at);
            if (rest.size() < 2) break;
            std::size_t size = rest[1] & 0x7F, head = 2;
            if (size >= 126) {
                head = size == 126 ? 4 : 10;
                if (rest.size() < head) break;
                size = 0;
                for (std::size_t i = 2; i < head; ++i) size = size << 8 | rest[i];
            }
            if (rest.size() < head + size) break;
            if ((rest[0] & 0x0F) == 8) {
                open = false;
                break;
            }
            if ((rest[0] & 0x0F) < 3) to.insert(to.end(), rest.begin() + static_cast<std::ptrdiff_t>(head), rest.begin() + static_cast<std::ptrdiff_t>(head + size));
            at += head + size;
        }
        raw_.erase(raw_.begin(), raw_.begin() + static_cast<std::ptrdiff_t>(at));
        return open;
    }
    tcp way_;
    bytes raw_;
};

}

std::unique_ptr<transport> open_transport(std::uint16_t port) {
    if (chosen() == "tcp") return std::make_unique<tcp>(port);
    if (chosen() == "websocket") return std::make_unique<websocket>(port);
    throw std::invalid_argument("AIRMAIL_WIRE=" + chosen() + " is not a transport this program knows (tcp, websocket)");
}

std::string transport_listener(std::uint16_t port) {
    return "listener " + std::to_string(port) + " 127.0.0.1\n" + (chosen() == "websocket" ? "protocol websockets\n" : "");
}

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
