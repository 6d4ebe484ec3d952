// Whoever is refused while he still sends must be told why: the answer, and not a reset that throws it away. [RFC9112-9.6]

#include "tests/e2e/broker/house.hpp"

#include <boost/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>

using namespace airmail::testing;

namespace {

constexpr std::size_t body_bytes = 8 << 20;

struct house {
    broker_process d;
    std::string body;
    house() : d(fleet::get().device_listener() + "http_bind 127.0.0.1\nhttp_port {https}\nlimit_http_linger_time 3s\nhttp_certfile " + fleet::get().ours.server().certificate + "\nhttp_keyfile " + fleet::get().ours.server().key + "\n") {
        up(d);
        body = d.dir() / "body";
        std::ofstream(body) << std::string(body_bytes, 'x');
    }
    /// curl sends the file at once, without waiting to be asked for it.
    outcome post(std::string const& path, std::string const& token = {}) const {
        std::vector<std::string> args{"--cacert", fleet::get().ours.ca_file(), "-H", "Expect:", "-H", "content-type: application/octet-stream", "--data-binary", "@" + body, "https://localhost:" + std::to_string(d.https_port()) + path};
        if (!token.empty()) args.insert(args.end(), {"-H", "Authorization: Bearer " + token});
        return broker_process::curl(args);
    }
    std::string key(std::string const& role) const {
        auto const made = d.control("POST", "/api/v1/keys", R"({"name":"k","role":")" + role + "\"}");
        REQUIRE_MESSAGE(made.code == 201, made.text);
        return std::string(boost::json::parse(made.text).at("token").as_string());
    }
};

/// A sender on the control socket that reads nothing before all is said.
struct deaf_sender {
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    explicit deaf_sender(std::string const& socket) {
        sockaddr_un a{};
        a.sun_family = AF_UNIX;
        socket.copy(a.sun_path, sizeof a.sun_path - 1);
        REQUIRE(::connect(fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) == 0);
        timeval const most{20, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most), ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    }
    ~deaf_sender() { ::close(fd); }
    bool send(std::string_view text) const {
        for (ssize_t n; !text.empty(); text.remove_prefix(static_cast<std::size_t>(n)))
            if ((n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL)) <= 0) return false;
        return true;
    }
    std::string rest() const {
        std::string all;
        char piece[4096];
        for (ssize_t n; (n = ::recv(fd, piece, sizeof piece, 0)) > 0;) all.append(piece, static_cast<std::size_t>(n));
        return all;
    }
};

std::string head(std::string const& path, std::size_t bytes) {
    return "POST " + path + " HTTP/1.1\r\nHost: airmail\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

}

TEST_CASE("curl that sends 8 MiB to whom nothing is allowed, or where it is too much, sees the answer each of 50 times") {
    house h;
    auto const viewer = h.key("viewer"), oper = h.key("operator");
    for (int i = 0; i < 50; ++i) {
        auto const large = h.post("/api/v1/campaigns", oper);
        CHECK(large.code == 413);
        CHECK(large.text.find("http.body_too_large") != std::string::npos);
        auto const stranger = h.post("/api/v1/firmware");
        CHECK(stranger.code == 401);
        CHECK(stranger.text.find("http.unauthorized") != std::string::npos);
        if (i % 5 == 0) CHECK(h.post("/api/v1/firmware", viewer).code == 403);
        if (i % 5 == 1) CHECK(h.post("/no/such/path").code == 404);
    }
    CHECK(h.d.metric("airmail_admin_lingered_total") >= 100);
    CHECK(h.d.metric("airmail_admin_lingers_cut_total") == 0);
}

TEST_CASE("a sender that reads nothing before it has said all gets the answer, and the connection ends") {
    house h;
    std::string const all(body_bytes, 'x');
    for (int i = 0; i < 50; ++i) {
        deaf_sender s(h.d.dir() / "control.sock");
        CHECK(s.send(head("/api/v1/campaigns", all.size())));
        CHECK(s.send(all));
        auto const said = s.rest();
        CHECK_MESSAGE(said.starts_with("HTTP/1.1 413 "), said.substr(0, 200));
        CHECK(said.find("Connection: close\r\n") != std::string::npos);
    }
    CHECK(h.d.metric("airmail_admin_lingers_cut_total") == 0);
}

TEST_CASE("who sends more than the bound, or never ends, is closed all the same, and counted") {
    house h;
    {
        deaf_sender s(h.d.dir() / "control.sock");
        CHECK(s.send(head("/api/v1/campaigns", 64 << 20)));
        CHECK(!s.send(std::string(64 << 20, 'x')));                    // 16 MiB are taken
    }
    CHECK(eventually([&] { return h.d.metric("airmail_admin_lingers_cut_total") == 1; }));
    deaf_sender s(h.d.dir() / "control.sock");
    CHECK(s.send(head("/api/v1/campaigns", body_bytes)));
    CHECK(s.send(std::string(200'000, 'x')));
    CHECK(s.rest().starts_with("HTTP/1.1 413 "));
    CHECK(eventually([&] { return h.d.metric("airmail_admin_lingers_cut_total") == 2; }));
}
