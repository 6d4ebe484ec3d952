// Many at once, against a whole broker with real shards: takeovers that race, wills that come together, one message to a hundred
// thousand subscriptions, and a process that stood still. Somebody else is served all the while.

#include "tests/e2e/broker/house.hpp"

#include <atomic>
#include <random>
#include <set>
#include <thread>

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

std::string const open_door = "listener {plain} 127.0.0.1\nallow_anonymous true\n";

/// A connection of 3.1.1 made of bytes: thousands of them cost a descriptor each.
class raw_client {
public:
    raw_client(std::uint16_t port, std::string const& id, std::uint16_t keep_alive = 0) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET, a.sin_port = htons(port), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) throw std::runtime_error("connect");
        std::string body{"\0\4MQTT\4\2", 8};
        body += {static_cast<char>(keep_alive >> 8), static_cast<char>(keep_alive & 0xFF)};
        send(0x10, body + text(id));
        if (read(4) != std::string("\x20\2\0\0", 4)) throw std::runtime_error("CONNACK");
    }
    ~raw_client() { ::close(fd_); }
    raw_client(raw_client const&) = delete;

    void subscribe(std::vector<std::string> const& filters) {
        std::string body{"\0\1", 2};
        for (auto const& f : filters) body += text(f) + std::string(1, '\0');
        send(0x82, body);
        auto const n = filters.size() + 2;
        auto const head = n < 128 ? 2U : 3U;
        if (static_cast<unsigned char>(read(head + n)[0]) != 0x90) throw std::runtime_error("SUBACK");
    }
    void ping() { send(0xC0, ""); }
    bool ponged() { return read(2) == std::string("\xD0\0", 2); }
    /// So many bytes, or fewer when the other side closes or ten seconds go by.
    std::string read(std::size_t want) {
        std::string got;
        char piece[16384];
        while (got.size() < want) {
            pollfd p{fd_, POLLIN, 0};
            if (::poll(&p, 1, 10'000) != 1) break;
            auto const n = ::recv(fd_, piece, std::min(sizeof piece, want - got.size()), 0);
            if (n <= 0) break;
            got.append(piece, static_cast<std::size_t>(n));
        }
        return got;
    }

private:
    static std::string text(std::string const& s) { return std::string{static_cast<char>(s.size() >> 8), static_cast<char>(s.size() & 0xFF)} + s; }
    void send(unsigned type, std::string const& body) {
        std::string p(1, static_cast<char>(type));
        for (auto n = body.size();;) {
            p += static_cast<char>(n % 128 | (n >= 128 ? 128 : 0));
            if ((n /= 128) == 0) break;
        }
        p += body;
        if (::send(fd_, p.data(), p.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(p.size())) throw std::runtime_error("send");
    }
    int fd_ = -1;
};

/// Publishes and is answered, again and again on a thread of its own, and remembers the longest it took.
class heartbeat {
public:
    explicit heartbeat(broker_process const& d) {
        connects(c_, plain_options(d, "heartbeat"));
        thread_ = std::thread([this] {
            while (!stop_) {
                auto const begin = std::chrono::steady_clock::now();
                if (c_.publish({.topic = "beat", .payload = "x", .qos = 1}) != reason::no_matching_subscribers) ++failures;
                longest_ = std::max(longest_, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin));
                ++beats;
                ::poll(nullptr, 0, 5);
            }
        });
    }
    ~heartbeat() { (void)longest(); }
    /// Ends it.
    std::chrono::milliseconds longest() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
        return longest_;
    }
    std::atomic<int> beats{0}, failures{0};

private:
    blocking_client c_;
    std::atomic<bool> stop_{false};
    std::chrono::milliseconds longest_{0};
    std::thread thread_;
};

std::size_t resident_bytes(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
    std::size_t all = 0, resident = 0;
    in >> all >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}

TEST_CASE("B19: six threads take over two client ids again and again, subscribing and publishing: alive, and one session each in the end") {
    broker_process d{"shard_count 4\n" + open_door};
    up(d);
    heartbeat other{d};
    std::vector<std::thread> all;
    std::atomic<int> logins{0};
    for (unsigned t = 0; t < 6; ++t)
        all.emplace_back([&, t] {
            std::minstd_rand dice{t + 1};
            for (int round = 0; round < 60; ++round) {
                blocking_client c;
                auto o = plain_options(d, "twin-" + std::to_string(dice() % 2), dice() % 2);
                if (!c.connect(o).has_value()) continue;   // taken over before it was welcomed
                ++logins;
                (void)c.subscribe("twins/#", static_cast<std::uint8_t>(dice() % 3));
                for (unsigned i = dice() % 4; i; --i) (void)c.publish({.topic = "twins/" + std::to_string(i), .payload = "x", .qos = static_cast<std::uint8_t>(dice() % 3)});
                if (dice() % 2) c.drop(dice() % 2);
            }
        });
    for (auto& t : all) t.join();
    CHECK(logins > 60);
    CHECK(d.alive());
    blocking_client a, b;
    connects(a, plain_options(d, "twin-0")), connects(b, plain_options(d, "twin-1"));
    CHECK(a.subscribe("t", 1).has_value());
    CHECK(b.publish({.topic = "t", .payload = "through", .qos = 1}) == reason::success);
    receives_only(a, "t", "through");
    CHECK(other.longest() < 5s);
    CHECK(other.failures == 0);
    auto const sessions = d.control("GET", "/api/v1/sessions").text;
    std::size_t twins = 0;
    for (std::size_t at = 0; (at = sessions.find("\"twin-", at)) != sessions.npos; ++at) ++twins;
    CHECK_MESSAGE(twins == 2, sessions);
    CHECK(d.stop() == 0);
}

TEST_CASE("B23: three hundred wills of 60 KB at once: all come, and who publishes meanwhile does not wait a second") {
    constexpr int clients = 300;
    broker_process d{"shard_count 2\n" + open_door};
    up(d);
    blocking_client watch;
    auto slow = plain_options(d, "watch");
    slow.receive_maximum = 8;   // what waits for it has to wait in its queue, which holds 4 MiB: less than a quarter of all
    connects(watch, slow);
    REQUIRE(watch.subscribe("wills/#", 1).has_value());
    std::vector<std::unique_ptr<blocking_client>> all;
    for (int i = 0; i < clients; ++i) {
        auto o = plain_options(d, "gone-" + std::to_string(i), i % 2);   // half of them leave sessions behind
        o.will = client::publication{.topic = "wills/" + std::to_string(i), .payload = std::string(60'000, 'w'), .qos = 1};
        connects(*all.emplace_back(std::make_unique<blocking_client>()), o);
    }
    heartbeat other{d};
    for (auto& c : all) c->drop(true);
    std::set<std::string> topics;
    for (int i = 0; i < clients; ++i) {
        auto const m = watch.receive();
        REQUIRE_MESSAGE(m.has_value(), i << " came");
        REQUIRE(m->payload.size() == 60'000);
        topics.insert(m->topic);
    }
    CHECK(topics.size() == clients);
    CHECK(watch.waiting() == 0);
    CHECK(other.longest() < 1s);
    CHECK(other.failures == 0);
    CHECK(other.beats > 0);
    auto const metrics = d.get("/metrics").text;
    CHECK(metrics.find("airmail_session_wills_held_total 0\n") == metrics.npos);   // they had to wait, and did
    CHECK(metrics.find("airmail_router_deliveries_dropped_total{cause=\"queue_full\"} 0\n") != metrics.npos);
}

TEST_CASE("B26: one message to a hundred thousand subscriptions: everybody has it, memory stays, and who publishes meanwhile does not wait a second") {
    constexpr int clients = 500, filters = 200;
    broker_process d{"shard_count 2\nairmail_overlapping each\nlimit_filters_per_client 1000\n" + open_door};
    up(d);
    // Two hundred filters that all match the one topic: every level literal or a plus.
    std::vector<std::string> all_match;
    for (unsigned mask = 0; all_match.size() < filters; ++mask) {
        std::string f = "s";
        for (unsigned i = 0; i < 8; ++i) f += mask >> i & 1 ? "/+" : "/a";
        all_match.push_back(f);
    }
    std::vector<std::unique_ptr<raw_client>> all;
    for (int i = 0; i < clients; ++i) all.push_back(std::make_unique<raw_client>(d.port(), "many-" + std::to_string(i))), all.back()->subscribe(all_match);
    auto const before = resident_bytes(d.pid());
    heartbeat other{d};
    blocking_client one;
    connects(one, plain_options(d, "one"));
    std::string const payload(20, 'p'), topic = "s/a/a/a/a/a/a/a/a";
    CHECK(one.publish({.topic = topic, .payload = payload, .qos = 1}) == reason::success);
    auto const copy = 2 + 2 + topic.size() + payload.size();
    std::size_t whole = 0;
    for (auto& c : all) whole += c->read(copy * filters).size() == copy * filters;
    CHECK(whole == clients);
    CHECK(other.longest() < 1s);
    CHECK(other.failures == 0);
    CHECK(resident_bytes(d.pid()) < before + (64U << 20));
}

TEST_CASE("F06: the process stands still past every keep alive: nobody who spoke meanwhile is cut when it goes on, and who is dead is cut soon") {
    constexpr int clients = 600;
    broker_process d{"shard_count 1\n" + open_door};
    up(d);
    std::vector<std::unique_ptr<raw_client>> all;
    for (int i = 0; i < clients; ++i) all.push_back(std::make_unique<raw_client>(d.port(), "c-" + std::to_string(i), 4));   // 6 s of silence allowed
    raw_client dead{d.port(), "dead", 4};
    for (auto& c : all) c->ping();
    for (auto& c : all) REQUIRE(c->ponged());
    d.signal(SIGSTOP);
    ::poll(nullptr, 0, 8000);   // the time that is the matter of this test
    for (auto& c : all) c->ping();
    d.signal(SIGCONT);
    int heard = 0;
    for (auto& c : all) heard += c->ponged();
    CHECK(heard == clients);
    CHECK(dead.read(1).empty());   // closed
    CHECK(d.get("/metrics").text.find("airmail_net_forgiven_total 0\n") == std::string::npos);
}
