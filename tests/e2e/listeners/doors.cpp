// Unix sockets, the PROXY protocol, interfaces, families and caps: who may come in, and as whom.

#include "tests/e2e/listeners/raw.hpp"

using namespace airmail;
using namespace airmail::testing;

namespace {

bytes const success{0x20};

/// CONNECT and the code of its CONNACK; -1 when the broker closed.
int login(raw_socket& s, std::string_view id, codec::connect_view c = {}) {
    s.send(connect_packet(id, c));
    auto const head = s.read(4);
    return head.size() == 4 && head[0] == 0x20 ? head[3] : -1;
}

std::string tlv(std::uint8_t type, std::string const& value) {
    return std::string{static_cast<char>(type), static_cast<char>(value.size() >> 8), static_cast<char>(value.size())} + value;
}
/// A PROXY header of version 2 from 192.0.2.7:4711, with these type-length-values.
std::string binary_header(std::string const& more = {}) {
    std::string const body = std::string{"\xC0\x00\x02\x07\x0A\x00\x00\x01\x12\x67\x22\xB3", 12} + more;
    return std::string{"\r\n\r\n\0\r\nQUIT\n\x21\x11", 14} + static_cast<char>(body.size() >> 8) + static_cast<char>(body.size()) + body;
}
std::string ssl_of(std::string const& name, char client = 7, char verify = 0) {
    return tlv(0x20, std::string{client, 0, 0, 0, verify} + tlv(0x22, name));
}
bool says(broker_process const& d, std::string const& words) {
    return d.says(words);
}

}

TEST_CASE("a unix socket has its mode, names its peers, is removed at the end and replaced after a crash") {
    broker_process d{"shard_count 2\nlistener 0 {dir}/mqtt.sock\nallow_anonymous true\nairmail_unix_mode 0600\n"};
    auto const path = d.dir() / "mqtt.sock";
    up(d);
    struct stat st{};
    REQUIRE(::lstat(path.c_str(), &st) == 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK((st.st_mode & 0777) == 0600);
    std::vector<std::unique_ptr<raw_socket>> many;
    for (int i = 0; i < 20; ++i) {
        many.push_back(std::make_unique<raw_socket>());
        REQUIRE(many.back()->connect_unix(path));
        CHECK(login(*many.back(), "local-" + std::to_string(i)) == 0);
    }
    raw_socket wrong;
    REQUIRE(wrong.connect_unix(path));
    wrong.send("nonsense");
    CHECK(wrong.closed());
    CHECK(says(d, "unix:uid=" + std::to_string(::getuid()) + ",pid=" + std::to_string(::getpid())));
    d.kill();
    CHECK(::lstat(path.c_str(), &st) == 0);
    up(d);
    raw_socket again;
    REQUIRE(again.connect_unix(path));
    CHECK(login(again, "again") == 0);
    CHECK(d.stop() == 0);
    CHECK(::lstat(path.c_str(), &st) != 0);
}

TEST_CASE("a unix socket that somebody listens on is not taken from him") {
    broker_process one{"listener 0 {dir}/mqtt.sock\nallow_anonymous true\n"};
    up(one);
    broker_process two{"listener 0 " + (one.dir() / "mqtt.sock") + "\nallow_anonymous true\n"};
    auto const o = two.try_start();
    CHECK(o.code == 69);
    CHECK(o.text.find("somebody listens on it") != std::string::npos);
    raw_socket a;
    REQUIRE(a.connect_unix(one.dir() / "mqtt.sock"));
    CHECK(login(a, "still-here") == 0);
}

TEST_CASE("PROXY version 1: from whom it is believed, and what is closed") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\nenable_proxy_protocol 1\nairmail_proxy_from 127.0.0.1\n"};
    up(d);
    raw_socket a;
    REQUIRE(a.connect(d.port()));
    auto const line = std::string{"PROXY TCP4 192.0.2.7 10.0.0.1 4711 8883\r\n"};
    SUBCASE("its peer is named") {
        a.send(line);
        CHECK(login(a, "far") == 0);
        a.send(std::string_view{"\xF1\x00", 2});   // reserved flags: the broker says who it was
        CHECK(says(d, "192.0.2.7:4711"));
    }
    SUBCASE("byte by byte, CONNECT close behind") {
        for (char c : line) a.send(std::string_view{&c, 1});
        CHECK(login(a, "slow") == 0);
    }
    SUBCASE("in one piece with CONNECT") {
        auto all = bytes(line.begin(), line.end());
        auto const c = connect_packet("one-piece");
        all.insert(all.end(), c.begin(), c.end());
        a.send(all);
        CHECK(a.read(4).size() == 4);
    }
    SUBCASE("the proxy's own health check") {
        a.send("PROXY UNKNOWN\r\n");
        CHECK(login(a, "health") == 0);
    }
    SUBCASE("missing") {
        CHECK(login(a, "no-header") == -1);
        CHECK(says(d, "proxy_header"));
        CHECK(d.get("/metrics").text.find("airmail_net_proxy_refused_total 1") != std::string::npos);
    }
    SUBCASE("malformed") {
        a.send("PROXY TCP4 192.0.2 10.0.0.1 4711 8883\r\n");
        CHECK(a.closed());
        CHECK(says(d, "not an address"));
    }
}

TEST_CASE("a peer that is not listed connects for itself, and a header of his is not MQTT") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\nenable_proxy_protocol 2\nairmail_proxy_from 192.0.2.1\n"};
    up(d);
    raw_socket a, b;
    REQUIRE(a.connect(d.port()));
    CHECK(login(a, "direct") == 0);
    REQUIRE(b.connect(d.port()));
    b.send(binary_header());
    CHECK(b.closed());
    CHECK(says(d, "127.0.0.1"));
}

TEST_CASE("PROXY version 2 carries the certificate's name, and it is the device's identity") {
    broker_process d{"listener {plain} 127.0.0.1\ndevice_listener true\ndevice_identity cn\nenable_proxy_protocol 2\nproxy_protocol_v2_require_tls true\nairmail_proxy_from 127.0.0.0/8\n"};
    up(d);
    raw_socket a;
    REQUIRE(a.connect(d.port()));
    SUBCASE("verified") {
        a.send(binary_header(ssl_of("sn-1")));
        CHECK(login(a, "sn-1") == 0);
        // Its own topics and no other's: the identity is what the proxy said.
        blocking_client c;
        (void)c;
        auto const o = d.control("GET", "/api/v1/sessions?limit=10");
        CHECK(o.text.find("sn-1") != std::string::npos);
    }
    SUBCASE("not verified") {
        a.send(binary_header(ssl_of("sn-1", 7, 1)));
        CHECK(login(a, "sn-1") == -1);
    }
    SUBCASE("no certificate") {
        a.send(binary_header(ssl_of("sn-1", 1)));
        CHECK(login(a, "sn-1") == -1);
    }
    SUBCASE("no TLS") {
        a.send(binary_header());
        CHECK(login(a, "sn-1") == -1);
    }
    SUBCASE("a name that is none") {
        a.send(binary_header(ssl_of("sn/#")));
        CHECK(login(a, "sn-1") == -1);
    }
    SUBCASE("a name with NUL in it") {
        a.send(binary_header(ssl_of(std::string{"sn-1\0x", 6})));
        CHECK(login(a, "sn-1") == -1);
    }
    SUBCASE("a user name instead") {
        a.send(binary_header(ssl_of("sn-1", 1)));
        CHECK(login(a, "x", {.user_name = "sn-1"}) == -1);
    }
}

TEST_CASE("TLS begins right behind the PROXY header") {
    auto& f = fleet::get();
    broker_process d{f.device_listener() + "enable_proxy_protocol 2\nairmail_proxy_from 127.0.0.1\n"};
    up(d);
    raw_socket a;
    REQUIRE(a.connect(d.tls_port()));
    a.send(binary_header());
    REQUIRE(a.secure(f.ours.device("behind")));
    CHECK(login(a, "behind") == 0);
    raw_socket b;
    REQUIRE(b.connect(d.tls_port()));
    CHECK_FALSE(b.secure(f.ours.device("without")));
}

TEST_CASE("max_connections holds for its listener, global_max_connections for all") {
    broker_process d{"global_max_connections 3\nlistener {plain} 127.0.0.1\nlistener_allow_anonymous true\nmax_connections 2\nlistener {tls} 127.0.0.1\nlistener_allow_anonymous true\n"};
    up(d);
    raw_socket a, b, c, e, f;
    REQUIRE((a.connect(d.port()) && login(a, "a") == 0));
    REQUIRE((b.connect(d.port()) && login(b, "b") == 0));
    REQUIRE(c.connect(d.port()));
    CHECK(login(c, "c") == -1);
    REQUIRE(e.connect(d.tls_port()));
    CHECK(login(e, "e") == 0);
    REQUIRE(f.connect(d.tls_port()));
    CHECK(login(f, "f") == -1);
    a.close();
    CHECK(eventually([&] { return f.connect(d.tls_port()) && login(f, "f") == 0; }));
    auto const text = d.get("/metrics").text;
    CHECK(text.find("airmail_net_refused_total{cause=\"listener\"} 1") != std::string::npos);
}

TEST_CASE("a name, a family and an interface say where a listener listens") {
    broker_process d{"listener {plain} localhost\nlistener_allow_anonymous true\nlistener {tls}\nsocket_domain ipv4\nbind_interface lo\nlistener_allow_anonymous true\n"};
    up(d);
    raw_socket a, b;
    REQUIRE(a.connect(d.port()));
    CHECK(login(a, "named") == 0);
    REQUIRE(b.connect(d.tls_port(), "127.0.0.2"));
    CHECK(login(b, "lo") == 0);
    int const six = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6, to.sin6_addr = in6addr_loopback, to.sin6_port = htons(d.tls_port());
    CHECK(::connect(six, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0);
    ::close(six);
}
