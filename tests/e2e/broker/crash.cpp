// kill -9 under load: what was acknowledged arrives, QoS 2 arrives once, sessions are there again.

#include "tests/e2e/broker/house.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <mutex>
#include <set>
#include <thread>

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

constexpr int window = 20;  // PUBLISHes under way at once

/// Publishes numbers to `load/1` and `load/2` (the QoS) as fast as they are acknowledged; the session resumes after a crash.
/// Owned by: the thread that runs it; `acked_` may be read by others.
class loader {
public:
    loader() {
        client::handlers h;
        h.on_connack = [this](client::client&, airmail::codec::connack_view const& p) {
            resumed = p.session_present;
            for (int i = static_cast<int>(numbers_.size()); i < window; ++i) next();
        };
        h.on_ack = [this](client::client& c, client::ack_event const& a) {
            auto const n = numbers_.find(a.packet_id);
            if (n == numbers_.end()) return;
            if (!airmail::codec::failed(a.codes.front())) acknowledged.insert(n->second), ++acked;
            numbers_.erase(n);
            if (!finishing) next();
            else if (numbers_.empty()) c.disconnect();
        };
        h.on_closed = [this](client::client&, client::close_info const&) { io_.stop(); };
        client_ = client::client::make(io_, std::make_shared<client::handlers const>(std::move(h)));
    }
    ~loader() {
        client_->drop();
        io_.restart();
        io_.poll();
    }
    /// Until the connection ends.
    void run(connect_options const& o) {
        io_.restart();
        if (!client_->connect(o)) io_.run();
    }
    std::uint64_t lost() const { return client_->counted().lost; }

    std::set<int> acknowledged;
    std::atomic<int> acked{0};
    std::atomic<bool> finishing{false};
    bool resumed = false;

private:
    void next() {
        if (finishing) return;
        auto const text = std::to_string(number_);
        bool const twice = number_ % 2 == 0;
        auto const id = client_->publish({.topic = twice ? "load/2" : "load/1", .payload = text, .qos = static_cast<std::uint8_t>(twice ? 2 : 1)});
        if (id) numbers_[*id] = number_++;
    }
    boost::asio::io_context io_{1};
    std::shared_ptr<client::client> client_;
    std::map<std::uint16_t, int> numbers_;
    int number_ = 0;
};

struct tally {
    std::map<int, int> times;
    void take(client::message const& m) { ++times[std::stoi(m.payload)]; }
};

}

TEST_CASE("kill -9 under QoS 1 and 2 load: nothing acknowledged is lost, nothing of QoS 2 comes twice, sessions resume") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"};
    loader from;
    blocking_client to{30s};
    tally seen;
    constexpr int rounds = 5, each = 300;
    for (int round = 0; round <= rounds; ++round) {
        up(d);
        connects(to, plain_options(d, "reader", false));
        CHECK(to.connack()->session_present == (round > 0));
        if (round == 0) REQUIRE(to.subscribe("load/+", 2)->front() == reason::granted_qos_2);
        from.finishing = round == rounds;
        std::thread sending([&, o = plain_options(d, "writer", false)] { from.run(o); });
        std::thread reading([&] {
            // Ends with the connection, or when nothing has come for a while after the last round.
            for (;;) {
                auto const m = to.receive(round == rounds ? 5s : 30s);
                if (!m) return;
                seen.take(*m);
            }
        });
        if (round < rounds) {
            int const goal = from.acked + each;
            CHECK(eventually([&] { return from.acked >= goal; }));
            d.kill();
        }
        sending.join();
        reading.join();
        CHECK(from.resumed == (round > 0));
    }
    CHECK(from.lost() == 0);
    CHECK(from.acknowledged.size() >= rounds * each);
    int missing = 0, twice = 0;
    for (int n : from.acknowledged) missing += seen.times[n] == 0;
    for (auto const& [n, times] : seen.times) twice += n % 2 == 0 && times > 1;
    CHECK(missing == 0);
    CHECK(twice == 0);
}

TEST_CASE("kill -9 while subscribers are away: their queues come back in order") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    {
        blocking_client reader, writer;
        connects(reader, plain_options(d, "reader", false));
        REQUIRE(reader.subscribe("q/#", 2)->front() == reason::granted_qos_2);
        REQUIRE_FALSE(reader.disconnect());
        connects(writer, plain_options(d, "writer"));
        for (int i = 0; i < 200; ++i) REQUIRE(writer.publish({.topic = "q/" + std::to_string(i % 3), .payload = std::to_string(i), .qos = static_cast<std::uint8_t>(1 + i % 2)}).has_value());
    }
    d.kill();
    up(d);
    blocking_client reader;
    connects(reader, plain_options(d, "reader", false));
    CHECK(reader.connack()->session_present);
    std::map<std::pair<std::string, int>, int> last;  // order is promised for each topic and QoS [MQTT-4.6.0-6]
    for (int i = 0; i < 200; ++i) {
        auto const m = reader.receive();
        REQUIRE(m.has_value());
        int const n = std::stoi(m->payload);
        REQUIRE(m->qos == 1 + n % 2);
        REQUIRE(m->topic == "q/" + std::to_string(n % 3));
        auto& before = last.try_emplace({m->topic, m->qos}, -1).first->second;
        REQUIRE(n > before);
        before = n;
    }
    CHECK(reader.waiting() == 0);
}
