#include "broker/net/listener.hpp"

#include "broker/net/counters.hpp"
#include "tests/unit/net/rig.hpp"
#include "tests/unit/net/test_ca.hpp"

#include <doctest/doctest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

using namespace airmail;
using namespace airmail::net;
using test::client;
using test::rig;
using test::write_pem;

namespace {

/// A listener with TLS whose identity is the certificate's CN.
struct tls_rig : rig {
    explicit tls_rig(unsigned shards = 1) : rig{shards} { renew("localhost"); }
    void renew(char const* name) {
        auto server = ca.issue(name);
        write_pem(dir / "ca.pem", ca.certificate());
        write_pem(dir / "server.pem", server.certificate.get());
        write_pem(dir / "server.key", server.key.get());
    }
    origin secure(listener_limits limits = {}) {
        security = *tls::make({.certificate_file = dir / "server.pem", .key_file = dir / "server.key", .ca_file = dir / "ca.pem"});
        rules->device = true;
        return {.limits = limits, .security = security, .read_identity = [](X509 const* c, acl::identity& out, std::string& why) {
                    char cn[65] = "";
                    X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, cn, sizeof cn);
                    out.name = cn;
                    why = "bad name";
                    return out.name != "nobody";
                }};
    }
    bool login(client& c, char const* name, char const* id) {
        auto mine = ca.issue(name);
        return c.tls_with(mine.certificate.get(), mine.key.get()) && c.login(id);
    }
    test::scratch_dir dir;
    test::test_ca ca;
    std::shared_ptr<tls> security;
};

std::string server_name(client& c) {
    char cn[65] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c.ssl.get())), NID_commonName, cn, sizeof cn);
    return cn;
}

}

TEST_CASE("a device with a certificate is let in, known by it, over every shard") {
    tls_rig r{2};
    r.listen(r.secure());
    r.start();
    for (char const* id : {"d1", "d2", "d3", "d4"}) {
        client c{r.port};
        REQUIRE(r.login(c, id, id));
        CHECK(c.ping());
        auto const home = static_cast<unsigned>(test::test_hash({.client_id = id}) % 2);
        CHECK(r.on_shard(home, [&] { return r.on(home).peers.at(id)->certificate()->name; }) == id);
        bytes pings;
        for (int i = 0; i < 20'000; ++i) pings.insert(pings.end(), {0xC0, 0});
        std::thread writer{[&] {
            for (std::size_t at = 0; at < pings.size(); at += 8000) c.send(byte_view{pings}.subspan(at, 8000));
        }};
        writer.join();
        CHECK(c.read(40'000).size() == 40'000);
    }
}

TEST_CASE("strangers are refused in the handshake, each under its cause") {
    tls_rig r;
    r.listen(r.secure());
    r.start();
    // TLS 1.3: a client believes it is connected before the server has looked at its certificate.
    auto refused = [&](X509* cert, EVP_PKEY* key) {
        client c{r.port};
        return !c.tls_with(cert, key) || !c.login("x");
    };
    auto no_certificate = count::handshake_no_certificate.value(), bad = count::handshake_certificate.value(),
         identity = count::handshake_identity.value();
    CHECK(refused(nullptr, nullptr));
    test::test_ca other{"other"};
    auto a = other.issue("d1"), b = r.ca.issue("d1", {-7200, -3600}), c = r.ca.issue("nobody");
    CHECK(refused(a.certificate.get(), a.key.get()));
    CHECK(refused(b.certificate.get(), b.key.get()));
    CHECK(refused(c.certificate.get(), c.key.get()));
    client plain{r.port};
    CHECK(!plain.login("x"));
    CHECK(r.until(0, [&] { return r.network->at(0).newcomers() == 0; }));
    CHECK(count::handshake_no_certificate.value() == no_certificate + 1);
    CHECK(count::handshake_certificate.value() == bad + 2);
    CHECK(count::handshake_identity.value() == identity + 1);
    CHECK(r.on_shard(0, [&] { return r.on(0).connects + static_cast<int>(r.network->at(0).handshaking()); }) == 0);
}

TEST_CASE("D05 D06 half a handshake is cut at its deadline, and while too many are under way others wait their turn") {
    tls_rig r;
    r.listen(r.secure({.handshake_timeout = 300, .handshakes = 4}));
    r.start();
    std::vector<std::unique_ptr<client>> half;
    for (int i = 0; i < 6; ++i) {
        half.push_back(std::make_unique<client>(r.port));
        REQUIRE(half.back()->connected);
        half.back()->send({0x16, 3, 1});
    }
    CHECK(r.until(0, [&] { return r.network->at(0).handshaking() == 4; }));
    client good{r.port};
    CHECK(r.login(good, "d1", "d1"));  // after the deadline has made room
    for (auto& c : half) CHECK(c->closed());
}

TEST_CASE("new certificates serve newcomers while those who are connected stay") {
    tls_rig r;
    r.listen(r.secure());
    r.start();
    client before{r.port};
    REQUIRE(r.login(before, "d1", "d1"));
    CHECK(server_name(before) == "localhost");
    r.renew("renewed");
    REQUIRE(r.security->reload().has_value());
    client after{r.port};
    REQUIRE(r.login(after, "d2", "d2"));
    CHECK(server_name(after) == "renewed");
    CHECK(before.ping());
    std::filesystem::remove(r.dir / "server.key");
    CHECK_FALSE(r.security->reload().has_value());
    client still{r.port};
    REQUIRE(r.login(still, "d3", "d3"));
}

TEST_CASE("caps: of the listener, of strangers") {
    rig r{1, {.doors = {.unauthenticated = 3}}};
    r.listen({.limits = {.connections = 5}});
    r.start();
    client a{r.port}, b{r.port}, c{r.port};
    REQUIRE(r.until(0, [&] { return r.network->at(0).newcomers() == 3; }));
    client fourth{r.port};
    CHECK(fourth.closed());
    REQUIRE(a.login("a"));
    REQUIRE(b.login("b"));
    client d{r.port}, e{r.port};
    REQUIRE(d.login("d"));
    REQUIRE(e.login("e"));
    client sixth{r.port};
    CHECK(sixth.closed());
}

TEST_CASE("addresses have a cap of their own, loopback has none, and the bucket fills with time") {
    admission doors{{.connections_per_address = 2, .rate = 10, .burst = 3}};
    std::atomic<std::uint32_t> n{0};
    endpoint far{.address = {1, 2, 3}}, near{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1}};
    CHECK(near.loopback());
    CHECK(near.text() == "127.0.0.1:0");
    CHECK(doors.enter(far, n, 0) == admission::answer::welcome);
    CHECK(doors.enter(far, n, 0) == admission::answer::welcome);
    CHECK(doors.enter(far, n, 0) == admission::answer::address);
    for (int i = 0; i < 5; ++i) CHECK(doors.enter(near, n, 0) == admission::answer::welcome);
    doors.leave(far, n, false);
    CHECK(doors.enter(far, n, 0) == admission::answer::welcome);
    for (int i = 0; i < 3; ++i) CHECK(doors.take_token(0));
    CHECK_FALSE(doors.take_token(99));
    CHECK(doors.take_token(100));
    CHECK_FALSE(doors.take_token(100));
}

TEST_CASE("B21 a busy port is one clear line; descriptors that run out are survived") {
    rig r;
    r.listen();
    r.start();
    rig other{2};
    auto busy = other.network->listen({.address = "127.0.0.1", .port = r.port, .from = {.rules = r.rules}});
    REQUIRE_FALSE(busy.has_value());
    CHECK(busy.error().text == "127.0.0.1:" + std::to_string(r.port) + ": Address already in use");

    client old{r.port};
    REQUIRE(old.login("old"));
    // All descriptors but one are taken: the client's own socket takes that one, so the server's accept finds none.
    std::vector<int> hoard;
    rlimit const before = [] { rlimit l; ::getrlimit(RLIMIT_NOFILE, &l); return l; }();
    rlimit tight{static_cast<rlim_t>(std::min<rlim_t>(before.rlim_cur, 256)), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    for (int fd; (fd = ::dup(0)) >= 0;) hoard.push_back(fd);
    REQUIRE(!hoard.empty());
    ::close(hoard.back()), hoard.pop_back();
    auto const accepted = count::accepted.value();
    for (int twice = 0; twice < 2; ++twice) {   // what is kept for this is there again afterwards
        client turned_away{r.port};
        REQUIRE(turned_away.connected);
        CHECK(turned_away.closed());
        CHECK(old.ping());
    }
    CHECK(count::accepted.value() == accepted);
    for (int fd : hoard) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before);
    client next{r.port};
    CHECK(next.login("next"));
}

TEST_CASE("a large packet in small TLS records is read to its end, though more of it lies in OpenSSL than one turn may read") {
    tls_rig r;
    r.listen(r.secure());
    r.start();
    client c{r.port};
    REQUIRE(r.login(c, "big", "big"));
    // QoS 0 PUBLISH of 150,000 bytes; 999 bytes a record, so that a read of 48 KiB ends within one.
    bytes packet{0x30, 0xF0, 0x93, 0x09, 0, 1, 't', 0};
    packet.resize(4 + 150'000, 'x');
    for (std::size_t at = 0; at < packet.size(); at += 999) REQUIRE(c.send(byte_view{packet}.subspan(at, std::min<std::size_t>(999, packet.size() - at))));
    CHECK(c.ping());
    CHECK(r.on_shard(0, [&] { return r.on(0).packets; }) == 2);
}

TEST_CASE("TCP options are those of the listener") {
    descriptor const s{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto const of = [&](int level, int name) {
        int value = -1;
        socklen_t size = sizeof value;
        ::getsockopt(s.get(), level, name, &value, &size);
        return value;
    };
    set_options(s.get(), {.no_delay = false, .keepalive = std::chrono::seconds(48), .user_timeout = std::chrono::milliseconds(7000)});
    CHECK(of(IPPROTO_TCP, TCP_NODELAY) == 0);
    CHECK(of(SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(of(IPPROTO_TCP, TCP_KEEPIDLE) == 48);
    CHECK(of(IPPROTO_TCP, TCP_KEEPINTVL) == 12);
    CHECK(of(IPPROTO_TCP, TCP_USER_TIMEOUT) == 7000);
    set_options(s.get(), {});
    CHECK(of(IPPROTO_TCP, TCP_NODELAY) != 0);
}
