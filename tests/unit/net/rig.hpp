#pragma once
// A whole network on real loopback sockets, with a protocol that is a double: it answers CONNECT, echoes, and remembers.

#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/ping.hpp"
#include "broker/net/network.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <doctest/doctest.h>
#include <functional>
#include <future>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace airmail::test {

/// MQTT of the simplest kind. Each shard has its own; tests read it through on_shard().
struct double_protocol final : handlers::protocol {
    void connect(handlers::peer& from, codec::connect_view const& c, std::string_view assigned) override {
        auto const name = std::string{c.client_id.empty() ? assigned : c.client_id};
        if (remember) peers[name] = &from, names[&from] = name;
        ++connects;
        if (name.starts_with("refused")) {
            codec::encode(from.out(), codec::connack_view{.code = codec::reason::not_authorized}, c.protocol);
            return from.close(codec::reason::not_authorized, "refused");
        }
        if (!name.starts_with("parked")) codec::encode(from.out(), codec::connack_view{}, c.protocol);
    }
    bool packet(handlers::peer& from, codec::frame const& f) override {
        ++packets;
        if (on_packet) return on_packet(from, f);
        if (f.type == codec::packet_type::pingreq) codec::encode_pingresp(from.out());
        if (f.type == codec::packet_type::disconnect) return from.close(codec::reason::success, ""), false;
        return true;
    }
    void gone(handlers::peer& from) override {
        ++gones;
        if (!remember) return;
        peers.erase(names[&from]);
        names.erase(&from);
    }
    void shed() override { ++sheds; }
    std::int64_t silence_allowed_ms(handlers::peer const&) const override { return silence_ms; }

    std::map<std::string, handlers::peer*> peers;
    std::map<handlers::peer*, std::string> names;
    std::function<bool(handlers::peer&, codec::frame const&)> on_packet;
    int connects = 0, packets = 0, gones = 0, sheds = 0;
    std::int64_t silence_ms = 0;
    bool remember = true;   // who is here; off where memory is measured
};

inline std::uint64_t test_hash(handlers::session_key const& k) {
    std::uint64_t h = 1469598103934665603ULL;
    for (char c : k.client_id) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return h >> 7;
}

struct rig {
    explicit rig(unsigned shards = 1, net::network_options o = {}) : all{shard::make_shards(shards, {.tick_ms = 10})} {
        std::vector<shard::shard*> s;
        std::vector<handlers::protocol*> p;
        for (auto& x : all) {
            protocols.push_back(std::make_unique<double_protocol>());
            s.push_back(x.get());
            p.push_back(protocols.back().get());
        }
        o.hash = test_hash;
        if (!o.assign_client_id) o.assign_client_id = [] { return std::string{"am-assigned"}; };
        network = std::make_unique<net::network>(s, p, std::move(o));
        rules = std::make_shared<handlers::listener_rules>();
        rules->name = "test";
        rules->device = false;
    }
    ~rig() {
        for (auto& s : all) s->stop();
        for (auto& t : threads) t.join();
        network.reset();
    }
    /// Opens a listener on loopback; before start().
    net::listener* listen(net::origin o = {}) {
        o.rules = rules;
        auto l = network->listen({.address = "127.0.0.1", .port = 0, .from = std::move(o)});
        REQUIRE_MESSAGE(l.has_value(), (l ? "" : l.error().text));
        port = (*l)->port();
        return *l;
    }
    void start() {
        network->start();
        network->accept();
        for (auto& s : all) threads.emplace_back([&s] { s->run(); });
    }
    /// Runs `f` on a shard and waits for its answer.
    template <class F> auto on_shard(unsigned i, F f) {
        using answer = std::invoke_result_t<F>;
        std::promise<answer> p;
        all[i]->post_external([&] {
            if constexpr (std::is_void_v<answer>) f(), p.set_value();
            else p.set_value(f());
        });
        return p.get_future().get();
    }
    /// Waits until `f` on shard `i` is true: the only way to wait for something the wire does not tell.
    template <class F> bool until(unsigned i, F f) {
        for (int n = 0; n < 5000; ++n) {
            if (on_shard(i, f)) return true;
            ::poll(nullptr, 0, 2);
        }
        return false;
    }
    double_protocol& on(unsigned i) { return *protocols[i]; }

    std::vector<std::unique_ptr<shard::shard>> all;
    std::vector<std::unique_ptr<double_protocol>> protocols;
    std::unique_ptr<net::network> network;
    std::shared_ptr<handlers::listener_rules> rules;
    std::vector<std::thread> threads;
    std::uint16_t port = 0;
};

/// A blocking client with a limit of ten seconds on every wait; TLS when `tls_with` was called.
struct client {
    explicit client(std::uint16_t port) {
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        timeval limit{10, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        connected = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    client(client const&) = delete;
    ~client() {
        ssl.reset();
        close();
    }
    bool tls_with(X509* certificate, EVP_PKEY* key) {
        ctx.reset(SSL_CTX_new(TLS_client_method()));
        if (certificate) SSL_CTX_use_certificate(ctx.get(), certificate), SSL_CTX_use_PrivateKey(ctx.get(), key);
        ssl.reset(SSL_new(ctx.get()));
        SSL_set_fd(ssl.get(), fd);
        return SSL_connect(ssl.get()) == 1;
    }
    void close() {
        if (fd >= 0) ::close(std::exchange(fd, -1));
    }
    bool send(byte_view b) {
        if (ssl) return SSL_write(ssl.get(), b.data(), static_cast<int>(b.size())) == static_cast<int>(b.size());
        return ::send(fd, b.data(), b.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(b.size());
    }
    bool send(std::initializer_list<std::uint8_t> b) { return send(byte_view{b.begin(), b.size()}); }
    /// Exactly `n` bytes, or fewer when the server closes first (or ten seconds pass).
    bytes read(std::size_t n) {
        bytes out(n);
        std::size_t at = 0;
        while (at < n) {
            auto const got = ssl ? SSL_read(ssl.get(), out.data() + at, static_cast<int>(n - at))
                                 : static_cast<int>(::recv(fd, out.data() + at, n - at, 0));
            if (got <= 0) break;
            at += static_cast<std::size_t>(got);
        }
        out.resize(at);
        return out;
    }
    /// True when the server closes without another byte.
    bool closed() { return read(1).empty(); }
    static bytes connect_packet(std::string_view id, codec::version v = codec::version::v5) {
        bytes b;
        codec::encode(b, codec::connect_view{.protocol = v, .client_id = id});
        return b;
    }
    /// CONNECT and its CONNACK of success (v5, without properties: 5 bytes).
    bool login(std::string_view id) { return send(connect_packet(id)) && read(5) == bytes{0x20, 3, 0, 0, 0}; }
    bool ping() { return send({0xC0, 0}) && read(2) == bytes{0xD0, 0}; }

    int fd = -1;
    bool connected = false;
    std::unique_ptr<SSL_CTX, net::ssl_free> ctx;
    net::ssl_ptr ssl;
};

}
