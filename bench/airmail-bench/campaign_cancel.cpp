// A cancel while URLs are out and downloads are open: how long until the answer, until every socket is closed, until every device has been told.

#include "bench/airmail-bench/campaign_rig.hpp"
#include "bench/airmail-bench/downloads.hpp"
#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/meter.hpp"

#include <fmt/format.h>
#include <fstream>

namespace airmail::bench {

std::string campaign_cancel_config(std::string const& dir) {
    auto const port = free_port();
    std::ofstream(dir + "/https_port") << port;
    return campaign_config(dir) + fmt::format("http_bind 127.0.0.1\nhttp_port {0}\nhttp_certfile {1}/server.crt\nhttp_keyfile {1}/server.key\nhttp_connections_max 6000\nota_transfer_rate 2KiB\n", port, dir);
}

figures campaign_cancel(bench_run& r) {
    auto const socket = control_socket(r);
    auto const n = r.sizes.commanded, opened = n * 4 / 9;
    std::uint16_t port = 0;
    std::ifstream(r.broker.place().dir + "/https_port") >> port;
    swarm s;
    register_all(r, s);
    auto const firmware = upload(r, 4 << 20);
    std::vector<std::string> paths(n);
    std::size_t commanded = 0, cancelled = 0;
    s.on_puback = nullptr;
    s.on_publish = [&](peer& p, byte_view payload) {
        std::string_view const text{reinterpret_cast<char const*>(payload.data()), payload.size()};
        if (text.find("\"command\":\"cancel\"") != text.npos) return void(++cancelled);
        auto const at = text.find("/fw/");
        if (at == text.npos || !paths[p.index].empty()) return;
        paths[p.index] = text.substr(at, text.find('"', at) - at), ++commanded;
    };
    control(socket, "POST", "/api/v1/campaigns", fmt::format(R"({{"campaign_id":"bench","name":"bench","phases":"none","start":true,"firmware_id":"{}"}})", firmware)).answer();
    for (auto const until = now_ns() + 120'000'000'000; commanded < n && now_ns() < until;) s.turn(std::chrono::milliseconds(50));
    if (commanded < n) throw failure(fmt::format("only {} of {} devices have a command", commanded, n));
    // Opened 64 at a time and read meanwhile, devices too: one that is left alone for ten seconds is closed for that and not by the cancel.
    downloads files(r.certs->context(), port);
    std::size_t next = 0;
    for (auto const until = now_ns() + 180'000'000'000; files.opened() < opened;) {
        if (now_ns() > until) throw failure(fmt::format("only {} of {} downloads are open after three minutes", files.opened(), opened));
        while (next < opened && files.under_way() < 64) files.open(paths[next++]);
        files.turn();
        s.turn(std::chrono::nanoseconds(200'000));
    }
    auto const early = files.closed();
    meter m(r.broker);
    control asked(socket, "POST", "/api/v1/campaigns/bench/cancel", "{}");
    double answered = 0, all_closed = 0, all_told = 0;
    // The answer is waited for beside the rest: a fleet goes on while an operator waits.
    for (auto const until = now_ns() + 60'000'000'000; now_ns() < until && (answered == 0 || all_closed == 0 || all_told == 0);) {
        if (answered == 0 && asked.ready()) answered = m.wall();
        files.turn();
        s.turn(std::chrono::nanoseconds(200'000));
        if (all_closed == 0 && files.closed() == opened) all_closed = m.wall();
        if (all_told == 0 && cancelled >= n) all_told = m.wall();
    }
    auto const cpu = m.broker_cpu(), own = m.own_cpu();
    auto const answer = asked.answer();
    auto const& counts = answer.at("cancel");
    auto count = [&](char const* key) { return counts.at(key).to_number<double>(); };
    return {{"seconds until the answer", answered},
            {"seconds until all downloads are closed", all_closed},
            {"seconds until every device has the cancel", all_told},
            {"downloads open", static_cast<double>(opened - early), false},
            {"answer: asked", count("asked"), false},
            {"answer: stopped", count("stopped"), false},
            {"answer: too late", count("too_late"), false},
            {"answer: offline", count("offline"), false},
            {"cancel commands received", static_cast<double>(cancelled), false},
            {"broker CPU-s", cpu, false},
            {"generator CPU-s", own, false}};
}

}
