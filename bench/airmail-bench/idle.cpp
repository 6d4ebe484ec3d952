// Idle connections: what each costs in the broker's own memory, and what it cost to come in.

#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/scenario.hpp"

#include <thread>

namespace airmail::bench {
namespace {

/// Until the broker has been still for a moment: freed handshake memory, housekeeping after the last connect.
void until_still(broker_process const& b) {
    double before = b.cpu_seconds();
    for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(250));
        double const now = b.cpu_seconds();
        if (now - before < 0.011) return;
        before = now;
    }
}

figures idle(bench_run& r, std::size_t count, bool tls) {
    until_still(r.broker);
    auto const before = r.broker.memory_bytes();
    meter m(r.broker);
    swarm all;
    for (std::size_t i = 0; i < count; ++i) {
        connect_options o;
        o.port = tls ? r.broker.place().tls_port : r.broker.place().port;
        o.client_id = o.user_name = device_name(i);
        if (tls) {
            o.user_name.clear();  // the certificate says it
            o.tls = r.certs->context();
            o.identity = r.certs->identity(i);
        }
        all.open(o);
        all.settle_if_over(64);
    }
    all.settle();
    double const cpu = m.broker_cpu(), own = m.own_cpu();
    until_still(r.broker);
    auto const n = static_cast<double>(count);
    auto const grown = static_cast<double>(r.broker.memory_bytes()) - static_cast<double>(before);
    return {{"user memory KiB per connection", grown / 1024 / n},
            {"broker CPU ms per connect", cpu * 1e3 / n},
            {"generator CPU ms per connect", own * 1e3 / n, false}};
}

}

figures idle_plain(bench_run& r) { return idle(r, r.sizes.idle_plain, false); }
figures idle_mtls(bench_run& r) { return idle(r, r.sizes.idle_mtls, true); }

}
