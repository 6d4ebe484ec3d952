// One update command to each connected device, through the campaign engine of a whole airmaild: row, signature, commit, publish.
// The other brokers have nothing of the kind.

#include "bench/airmail-bench/campaign_rig.hpp"
#include "bench/airmail-bench/meter.hpp"

#include <fmt/format.h>

namespace airmail::bench {
namespace {

/// CPU seconds of the threads whose name begins so.
double cpu_of(std::vector<std::pair<std::string, double>> const& threads, std::string_view name) {
    double sum = 0;
    for (auto const& [thread, seconds] : threads)
        if (thread.starts_with(name)) sum += seconds;
    return sum;
}

}

std::string campaign_commands_config(std::string const& dir) { return campaign_config(dir) + "http_port 0\n"; }

figures campaign_commands(bench_run& r) {
    auto const socket = control_socket(r);
    auto const n = r.sizes.commanded;
    swarm s;
    register_all(r, s);
    auto const firmware = upload(r, 4096);
    control(socket, "POST", "/api/v1/campaigns", fmt::format(R"({{"campaign_id":"bench","name":"bench","phases":"none","firmware_id":"{}"}})", firmware)).answer();
    std::vector<bool> has(n);
    std::size_t received = 0, wrong = 0;
    std::size_t bytes = 0;
    s.on_puback = nullptr;
    s.on_publish = [&](peer& p, byte_view payload) {
        std::string_view const text{reinterpret_cast<char const*>(payload.data()), payload.size()};
        bool const own = text.find("\"device_id\":\"" + device_name(p.index) + "\"") != text.npos && text.find("\"command\":\"ota_update\"") != text.npos;
        if (!own || has[p.index]) return void(++wrong);
        has[p.index] = true, bytes += payload.size(), ++received;
    };
    auto const before = r.broker.threads();
    meter m(r.broker);
    control start(socket, "POST", "/api/v1/campaigns/bench/start", "{}");
    for (auto const until = now_ns() + 120'000'000'000; received < n && now_ns() < until;) s.turn(std::chrono::milliseconds(50));
    double const wall = m.wall(), cpu = m.broker_cpu(), own = m.own_cpu(), count = static_cast<double>(n);
    auto const after = r.broker.threads();
    auto us = [&](std::string_view name) { return (cpu_of(after, name) - cpu_of(before, name)) * 1e6 / count; };
    start.answer();
    s.turn(std::chrono::milliseconds(300));
    return {{"seconds until the last has it", wall},
            {"broker CPU us per command", cpu * 1e6 / count},
            {"of it lane (SQL, half of the signing) us", us("lane-"), false},
            {"of it signing thread us", us("airmail-sign"), false},
            {"of it shards us", us("airmail-shard"), false},
            {"generator CPU us per command", own * 1e6 / count, false},
            {"bytes per command", static_cast<double>(bytes) / count, false},
            {"lost", static_cast<double>(n - received), false},
            {"wrong or doubled", static_cast<double>(wrong), false}};
}

}
