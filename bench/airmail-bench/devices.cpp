// What a fleet does: heartbeats at QoS 1 that a durable session waits for, and one distinct command to each device.

#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/scenario.hpp"

#include <cstring>
#include <fmt/format.h>

namespace airmail::bench {
namespace {

connect_options device(bench_run const& r, std::size_t i) {
    connect_options o;
    o.port = r.sizes.mtls ? r.broker.place().tls_port : r.broker.place().port;
    o.client_id = device_name(i);
    if (r.sizes.mtls) {
        o.tls = r.certs->context();
        o.identity = r.certs->identity(i);
    } else {
        o.user_name = o.client_id;
    }
    return o;
}

connect_options operator_of(bench_run const& r, std::string id, bool clean) {
    connect_options o;
    o.port = r.broker.place().port;
    o.client_id = std::move(id);
    o.user_name = bench_user(0);
    o.clean = clean;
    return o;
}

/// Per device: when the heartbeats under way were sent, oldest first. PUBACKs come in order. [MQTT-4.6.0-2]
class heart {
public:
    explicit heart(std::size_t window) : sent_at_(window) {}
    bool may_beat() const { return under_way_ < sent_at_.size(); }
    void beat() { sent_at_[(first_ + under_way_++) % sent_at_.size()] = now_ns(); }
    std::int64_t acknowledged() {
        auto const took = now_ns() - sent_at_[first_];
        first_ = (first_ + 1) % sent_at_.size();
        --under_way_;
        return took;
    }

private:
    std::vector<std::int64_t> sent_at_;
    std::size_t first_ = 0, under_way_ = 0;
};

}

/// Devices send as fast as they are acknowledged, `window` under way each. The watcher's session is durable (or the broker's
/// own heartbeat plugin consumes), so with persistence on a broker that keeps its word has each heartbeat on disk before its
/// PUBACK.
figures heartbeats(bench_run& r) {
    swarm s;
    auto const n = r.sizes.devices;
    for (std::size_t i = 0; i < n; ++i) {
        s.open(device(r, i));
        s.settle_if_over(64);
    }
    if (r.sizes.watcher) {
        auto& watcher = s.open(operator_of(r, "bench-watcher", false));
        s.settle();
        s.subscribe(watcher, "devices/+/heartbeat", 1);
    }
    s.settle();
    std::vector<heart> hearts(n, heart(r.sizes.window));
    std::vector<std::string> topics;
    for (std::size_t i = 0; i < n; ++i) topics.push_back(fmt::format("devices/{}/heartbeat", device_name(i)));
    std::uint64_t acknowledged = 0, delivered = 0;
    latencies took;
    bool counting = false;
    s.on_puback = [&](peer& p, std::uint16_t) {
        auto const ns = hearts[p.index].acknowledged();
        ++acknowledged;
        if (counting) took.add(ns);
    };
    s.on_publish = [&](peer&, byte_view) { ++delivered; };
    auto work = [&](std::int64_t ns) {
        std::string beat;
        for (auto const until = now_ns() + ns; now_ns() < until;) {
            for (std::size_t i = 0; i < n; ++i)
                while (hearts[i].may_beat()) {
                    beat = fmt::format(R"({{"serial_no":"{}","model":"bench","current_firmware":"1.0.0","timestamp":{}}})", device_name(i), 1795000000 + acknowledged % 1000);
                    s.publish(s.at(i), topics[i], as_bytes(beat), 1);
                    hearts[i].beat();
                }
            s.turn(std::chrono::milliseconds(50));
        }
    };
    work(1'000'000'000);
    counting = true;
    auto const first = acknowledged, first_delivered = delivered;
    meter m(r.broker);
    work(static_cast<std::int64_t>(r.sizes.seconds * 1e9));
    double const count = static_cast<double>(acknowledged - first), cpu = m.broker_cpu(), own = m.own_cpu(), wall = m.wall();
    figures out{{"acknowledged per second", count / wall},
                {"broker CPU us per heartbeat", cpu * 1e6 / count},
                {"PUBACK p50 us", took.microseconds(0.5)},
                {"PUBACK p99 us", took.microseconds(0.99)},
                {"generator CPU us per heartbeat", own * 1e6 / count, false}};
    if (r.sizes.watcher) out.push_back({"delivered per acknowledged", static_cast<double>(delivered - first_delivered) / count, false});
    return out;
}

/// One distinct 256-byte command to each connected device at QoS 1; the time until the last has its own.
figures commands(bench_run& r) {
    swarm s;
    auto const n = r.sizes.commanded;
    for (std::size_t i = 0; i < n; ++i) {
        auto& p = s.open(device(r, i));
        s.settle_if_over(64);
        s.subscribe(p, fmt::format("devices/{}/command", device_name(i)), 1);
    }
    s.settle();
    auto& commander = s.open(operator_of(r, "bench-commander", true));
    s.settle();
    std::vector<bool> has(n);
    std::size_t received = 0, wrong = 0, unacknowledged = 0;
    s.on_publish = [&](peer& p, byte_view payload) {
        std::uint32_t to = 0;
        std::memcpy(&to, payload.data(), 4);
        if (to != p.index || has[to]) return void(++wrong);
        has[to] = true;
        ++received;
    };
    s.on_puback = [&](peer&, std::uint16_t) { --unacknowledged; };
    meter m(r.broker);
    std::size_t next = 0;
    for (auto const until = now_ns() + 60'000'000'000; received < n && now_ns() < until;) {
        for (; next < n && unacknowledged < 1000; ++next, ++unacknowledged) {
            std::uint8_t payload[256] = {};
            auto const to = static_cast<std::uint32_t>(next);
            std::memcpy(payload, &to, 4);
            s.publish(commander, fmt::format("devices/{}/command", device_name(next)), payload, 1);
        }
        s.turn(std::chrono::milliseconds(50));
    }
    double const wall = m.wall(), cpu = m.broker_cpu(), own = m.own_cpu();
    auto const count = static_cast<double>(n);
    return {{"seconds until the last has it", wall},
            {"broker CPU us per command", cpu * 1e6 / count},
            {"generator CPU us per command", own * 1e6 / count, false},
            {"lost", static_cast<double>(n - received), false},
            {"wrong or doubled", static_cast<double>(wrong), false}};
}

}
