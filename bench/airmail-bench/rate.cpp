// An open loop: 100 pairs, messages at a fixed rate, one by one, so that nothing can be batched. Latency counts from the
// moment a message was due, so a stall is seen by every message that waited for it.

#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/scenario.hpp"

#include <cstring>
#include <fmt/format.h>

namespace airmail::bench {
namespace {

constexpr std::size_t pairs = 100;

void connect(bench_run& r, swarm& s, std::uint8_t qos) {
    for (std::size_t i = 0; i < 2 * pairs; ++i) {
        connect_options o;
        o.port = r.broker.place().port;
        o.client_id = fmt::format("bench-{}", i);
        o.user_name = bench_user(i);
        s.open(o);
    }
    s.settle();
    for (std::size_t i = 0; i < pairs; ++i) s.subscribe(s.at(pairs + i), fmt::format("bench/pair/{}", i), qos);
    s.settle();
}

figures fixed_rate(bench_run& r, std::uint8_t qos) {
    swarm s;
    connect(r, s, qos);
    std::vector<std::string> topics;
    for (std::size_t i = 0; i < pairs; ++i) topics.push_back(fmt::format("bench/pair/{}", i));
    latencies seen;
    std::uint64_t delivered = 0;
    s.on_publish = [&](peer&, byte_view payload) {
        std::int64_t due = 0;
        std::memcpy(&due, payload.data(), 8);
        seen.add(now_ns() - due);
        ++delivered;
    };
    meter m(r.broker);
    auto const began = now_ns();
    auto const gap = static_cast<std::int64_t>(1e9 / r.sizes.rate);
    auto const count = static_cast<std::uint64_t>(r.sizes.seconds * r.sizes.rate);
    for (std::uint64_t i = 0; i < count;) {
        std::int64_t const due = began + static_cast<std::int64_t>(i) * gap, now = now_ns();
        if (now < due) {
            s.turn(std::chrono::nanoseconds(due - now));
            continue;
        }
        std::uint8_t payload[64] = {};
        std::memcpy(payload, &due, 8);
        s.publish(s.at(i % pairs), topics[i % pairs], payload, qos);
        s.flush();
        ++i;
    }
    for (auto const until = now_ns() + 3'000'000'000; delivered < count && now_ns() < until;) s.turn(std::chrono::milliseconds(5));
    double const cpu = m.broker_cpu(), own = m.own_cpu(), sleeps = m.broker_sleeps();
    auto const n = static_cast<double>(delivered);
    return {{"broker CPU us per message", cpu * 1e6 / n},
            {"broker sleeps per message", sleeps / n},
            {"latency p50 us", seen.microseconds(0.5)},
            {"latency p99 us", seen.microseconds(0.99)},
            {"generator CPU us per message", own * 1e6 / n, false},
            {"lost", static_cast<double>(count - delivered), false}};
}

}

figures rate_q0(bench_run& r) { return fixed_rate(r, 0); }
figures rate_q1(bench_run& r) { return fixed_rate(r, 1); }

}
