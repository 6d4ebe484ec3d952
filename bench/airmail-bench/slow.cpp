// Slow consumers: 20 subscribers of a flood stop reading. What do the others feel, and what does the broker keep for them?

#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/scenario.hpp"
#include "bench/airmail-bench/swarm.hpp"

#include <array>
#include <cstring>
#include <fmt/format.h>

namespace airmail::bench {
namespace {

constexpr std::size_t stuck = 20, pairs = 20;
constexpr double flood_rate = 1000, pair_rate = 500;   // messages a second

connect_options plain(bench_run const& r, std::string id) {
    connect_options o;
    o.port = r.broker.place().port;
    o.client_id = std::move(id);
    o.user_name = bench_user(0);
    return o;
}

/// 20 pairs whose latency is measured, and a flood of 1 KiB messages beside them, both at fixed rates.
class town {
public:
    explicit town(bench_run& r) {
        for (std::size_t i = 0; i < 2 * pairs; ++i) people_.open(plain(r, fmt::format("bench-{}", i)));
        flood_ = &people_.open(plain(r, "bench-flood"));
        people_.settle();
        for (std::size_t i = 0; i < pairs; ++i) people_.subscribe(people_.at(pairs + i), topic(i), 1);
        people_.settle();
        people_.on_publish = [this](peer&, byte_view payload) {
            std::int64_t due = 0;
            std::memcpy(&due, payload.data(), 8);
            seen_.add(now_ns() - due);
        };
    }
    /// @return the latencies of the pairs over so many seconds
    latencies live(double seconds) {
        seen_ = {};
        auto const began = now_ns();
        std::array<std::uint8_t, 1024> const water{};
        std::uint64_t floods = 0, messages = 0;
        for (double at = 0; at < seconds; at = static_cast<double>(now_ns() - began) / 1e9) {
            for (; static_cast<double>(floods) < at * flood_rate; ++floods) people_.publish(*flood_, "bench/all/flood", water, 0);
            for (; static_cast<double>(messages) < at * pair_rate; ++messages) {
                std::array<std::uint8_t, 64> payload{};
                std::int64_t const due = began + static_cast<std::int64_t>(static_cast<double>(messages) * 1e9 / pair_rate);
                std::memcpy(payload.data(), &due, 8);
                people_.publish(people_.at(messages % pairs), topic(messages % pairs), payload, 1);
            }
            people_.turn(std::chrono::microseconds(500));
        }
        for (int i = 0; i < 100; ++i) people_.turn(std::chrono::milliseconds(2));
        return std::exchange(seen_, {});
    }

private:
    static std::string topic(std::size_t i) { return fmt::format("bench/pair/{}", i); }
    swarm people_;
    peer* flood_ = nullptr;
    latencies seen_;
};

}

figures slow_consumers(bench_run& r) {
    town t(r);
    t.live(0.5);
    auto control = t.live(r.sizes.seconds);
    swarm sleepers;   // they subscribe, and are never given another turn
    for (std::size_t i = 0; i < stuck; ++i) sleepers.open(plain(r, fmt::format("bench-stuck-{}", i)));
    sleepers.settle();
    for (std::size_t i = 0; i < stuck; ++i) sleepers.subscribe(sleepers.at(i), "bench/all/+", static_cast<std::uint8_t>(i % 2));
    sleepers.settle();
    auto const before = r.broker.memory_bytes();
    t.live(2);   // until the kernel's buffers are full
    auto felt = t.live(r.sizes.seconds);
    auto const grown = (static_cast<double>(r.broker.memory_bytes()) - static_cast<double>(before)) / 1024 / 1024;
    double const calm = control.microseconds(0.99), now = felt.microseconds(0.99);
    return {{"pairs p50 us, control", control.microseconds(0.5)},
            {"pairs p50 us, 20 stuck", felt.microseconds(0.5)},
            {"pairs p99 us, control", calm},
            {"pairs p99 us, 20 stuck", now},
            {"p99 stuck / control", now / calm, false},
            {"memory grown MiB", grown, false}};
}

}
