// Closed loops: so many messages under way, as fast as the broker takes them. 64-byte payloads.

#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/scenario.hpp"

#include <cstring>
#include <fmt/format.h>

namespace airmail::bench {
namespace {

/// Who publishes, who listens, and how much may be under way.
struct shape {
    std::size_t publishers, subscribers;
    std::size_t window;         // messages under way per publisher
    std::size_t copies;         // deliveries each message makes
    bool pairs;                 // publisher i speaks to subscriber i alone
    std::uint8_t qos;
};

/// One closed loop. A publisher's next message is allowed when one of its own has been delivered to everybody.
class closed_loop {
public:
    closed_loop(bench_run& r, shape const& s) : run_(r), shape_(s), sent_(s.publishers), delivered_(s.publishers), next_seq_(s.publishers * s.subscribers) {
        connect();
        swarm_.on_publish = [this](peer& p, byte_view payload) { arrived(p, payload); };
    }

    figures measure() {
        work(std::chrono::milliseconds(500));
        auto const first = total_;
        meter m(run_.broker);
        work(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(run_.sizes.seconds)));
        auto const count = static_cast<double>(total_ - first);
        double const cpu = m.broker_cpu(), own = m.own_cpu(), wall = m.wall();
        drain();
        return {{"broker CPU-s per million delivered", cpu * 1e6 / count},
                {"delivered per second", count / wall},
                {"generator CPU-s per million", own * 1e6 / count, false},
                {"lost", static_cast<double>(missing()), false},
                {"out of order", static_cast<double>(disorder_), false}};
    }

private:
    void connect() {
        for (std::size_t i = 0; i < shape_.publishers + shape_.subscribers; ++i) {
            connect_options o;
            o.port = run_.broker.place().port;
            o.client_id = fmt::format("bench-{}", i);
            o.user_name = bench_user(i);
            swarm_.open(o);
        }
        swarm_.settle();
        for (std::size_t i = 0; i < shape_.subscribers; ++i)
            swarm_.subscribe(swarm_.at(shape_.publishers + i), shape_.pairs ? fmt::format("bench/pair/{}", i) : "bench/all/+", shape_.qos);
        swarm_.settle();
        for (std::size_t i = 0; i < shape_.publishers; ++i) topics_.push_back((shape_.pairs ? "bench/pair/" : "bench/all/") + std::to_string(i));
    }

    void work(std::chrono::nanoseconds time) {
        for (auto const until = swarm::clock::now() + time; swarm::clock::now() < until;) {
            for (std::size_t i = 0; i < shape_.publishers; ++i)
                while (sent_[i] - delivered_[i] / shape_.copies < shape_.window) send(i);
            swarm_.turn(std::chrono::milliseconds(50));
        }
    }

    void send(std::size_t i) {
        std::uint8_t payload[64] = {};
        std::uint32_t const from = static_cast<std::uint32_t>(i);
        std::memcpy(payload, &from, 4);
        std::memcpy(payload + 8, &sent_[i], 8);
        swarm_.publish(swarm_.at(i), topics_[i], payload, shape_.qos);
        ++sent_[i];
    }

    void arrived(peer& p, byte_view payload) {
        std::uint32_t from = 0;
        std::uint64_t seq = 0;
        std::memcpy(&from, payload.data(), 4);
        std::memcpy(&seq, payload.data() + 8, 8);
        auto& expected = next_seq_[from * shape_.subscribers + (p.index - shape_.publishers)];
        if (seq != expected) ++disorder_;
        expected = seq + 1;
        ++delivered_[from];
        ++total_;
    }

    void drain() {
        for (auto const until = swarm::clock::now() + std::chrono::seconds(3); missing() > 0 && swarm::clock::now() < until;) swarm_.turn(std::chrono::milliseconds(20));
    }
    std::uint64_t missing() const {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < sent_.size(); ++i) sum += sent_[i] * shape_.copies - delivered_[i];
        return sum;
    }

    bench_run& run_;
    shape shape_;
    swarm swarm_;
    std::vector<std::string> topics_;
    std::vector<std::uint64_t> sent_, delivered_, next_seq_;
    std::uint64_t total_ = 0, disorder_ = 0;
};

figures run(bench_run& r, shape const& s) { return closed_loop(r, s).measure(); }

}

figures fan_in_q0(bench_run& r) { return run(r, {50, 1, 20, 1, false, 0}); }
figures fan_in_q1(bench_run& r) { return run(r, {50, 1, 20, 1, false, 1}); }
figures fan_out_q0(bench_run& r) { return run(r, {1, 100, 50, 100, false, 0}); }
figures fan_out_q1(bench_run& r) { return run(r, {1, 100, 50, 100, false, 1}); }
figures pairs_q0(bench_run& r) { return run(r, {100, 100, 10, 1, true, 0}); }
figures pairs_q1(bench_run& r) { return run(r, {100, 100, 10, 1, true, 1}); }

}
