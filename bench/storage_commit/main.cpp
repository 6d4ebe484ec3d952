// How many durable changes a second does one disk give, and what do they cost? Question by question: one change in flight
// (the price of a sync), then 100, 1,000 and 8,000 a port, for the shapes the broker makes. And how long a start takes.
//
//   bench_storage_commit [--dir DIRECTORY] [--seconds N] [--recovery]     table on stderr, JSON on stdout
//
// Durable means after LMDB's own two syncs; nothing is switched off. CPU is of the whole process, submitting included.

#include "storage/store.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <fmt/core.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace airmail::storage;
using clock_type = std::chrono::steady_clock;

namespace {

struct settings {
    std::string directory = (std::filesystem::temp_directory_path() / fmt::format("airmail-bench-{}", ::getpid())).string();
    double seconds = 3;
    bool recovery = false;
};

double cpu_seconds() {
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    auto s = [](timeval const& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    return s(u.ru_utime) + s(u.ru_stime);
}

double seconds_since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }

std::unique_ptr<store> open_store(settings const& s, recovery const& r = {}) {
    std::string why;
    auto opened = store::open({.directory = s.directory}, r, why);
    if (!opened) {
        fmt::print(stderr, "cannot open {}: {}\n", s.directory, why);
        std::exit(74);
    }
    return std::move(*opened);
}

message_ptr body_of_200() {
    static std::vector<std::uint8_t> const payload(200, 'x');
    return message::make({.qos = 1, .topic = "devices/SN-000001/heartbeat", .payload = payload, .received_at_ms = 1, .identity = "SN-000001"});
}

session_record session(session_number n) {
    session_record s;
    s.number = n;
    s.client_id = fmt::format("client-{:06}", n);
    s.expiry_s = 3'600;
    return s;
}

/// Applies all it sees at once.
struct swallow final : consumer {
    std::atomic<lsn> last{0};
    bool committed(std::vector<std::pair<lsn, message_ptr>> const& batch) noexcept override { return last = batch.back().first, true; }
    lsn applied() const noexcept override { return last; }
};

enum class shape { consumer_only, one_reference, ten_references, retained, queue };
struct row { shape what; char const* name; };
constexpr row rows[] = {{shape::consumer_only, "put, consumer"}, {shape::one_reference, "put, 1 reference"},
                        {shape::ten_references, "put, 10 references"}, {shape::retained, "put, retained"},
                        {shape::queue, "put 1 ref + settle"}};

/// One shard: keeps `window` changes in flight and settles what the shape says.
struct load {
    port* way_in = nullptr;
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> refused{0};
    std::uint64_t submitted = 0, puts = 0;
    std::mutex lock;
    std::vector<lsn> to_settle;

    bool submit(change c) { return way_in->submit(std::move(c)).has_value() && ++submitted; }
    void on_durable(durable&& d, shape s) {
        if (d.error) refused += d.lsns.size();
        if (s == shape::queue) {
            std::lock_guard l{lock};
            for (auto at : d.lsns)
                if (at != 0) to_settle.push_back(at);
        }
        answered += d.lsns.size();
    }
    void turn(shape s, std::size_t window) {
        std::vector<lsn> settle_now;
        if (s == shape::queue) {
            std::lock_guard l{lock};
            settle_now.swap(to_settle);
        }
        for (auto at : settle_now)
            while (!submit(settle{at, 1})) std::this_thread::yield();
        while (submitted - answered < window) {
            put_message p{.body = body_of_200()};
            if (s == shape::consumer_only) p.consumers = 1;
            else if (s == shape::retained) p.retain_set = true;
            else for (session_number n = 1; n <= (s == shape::ten_references ? 10u : 1u); ++n) p.references.push_back({.session = n});
            if (!submit(std::move(p))) break;
            ++puts;
        }
        std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
};

void measure(settings const& o, row const& what, std::size_t window, bool& first) {
    std::filesystem::remove_all(o.directory);
    auto s = open_store(o);
    swallow sink;
    s->add_consumer(sink);
    load l;
    l.way_in = &s->make_port([](std::function<void()> f) { f(); }, [&](durable&& d) { l.on_durable(std::move(d), what.what); });
    s->start();
    for (session_number n = 1; n <= 10; ++n) l.submit(put_session{session(n)});
    while (l.answered < 10) std::this_thread::yield();
    auto before = s->stats();
    auto puts = l.puts;
    auto cpu = cpu_seconds();
    auto begun = clock_type::now();
    while (seconds_since(begun) < o.seconds) l.turn(what.what, window);
    while (l.answered < l.submitted) std::this_thread::sleep_for(std::chrono::microseconds{200});
    auto took = seconds_since(begun);
    cpu = cpu_seconds() - cpu;
    auto after = s->stats();
    s.reset();
    auto changes = after.changes - before.changes;
    auto commits = after.commits - before.commits;
    auto per_s = static_cast<double>(changes) / took;
    auto cpu_per_million = cpu / static_cast<double>(changes) * 1e6;
    fmt::print(stderr, "{:<20} {:>7} {:>12.0f} {:>12.0f} {:>9} {:>9.1f} {:>10.2f} {:>9}\n", what.name, window, per_s,
               static_cast<double>(l.puts - puts) / took, commits, static_cast<double>(changes) / static_cast<double>(commits), cpu_per_million, after.cleaned);
    fmt::print("{}\n  {{\"shape\": \"{}\", \"window\": {}, \"changes_per_s\": {:.0f}, \"puts_per_s\": {:.0f}, \"commits\": {}, \"syncs\": {}, "
               "\"cpu_s_per_million\": {:.3f}, \"cleaned\": {}, \"refused\": {}, \"bytes_used\": {}}}",
               first ? "" : ",", what.name, window, per_s, static_cast<double>(l.puts - puts) / took, commits, 2 * commits, cpu_per_million,
               after.cleaned, l.refused.load(), after.bytes_used);
    first = false;
}

/// 100,000 sessions with a subscription each, 1,000,000 messages with a reference each; then a start.
void measure_recovery(settings const& o) {
    std::filesystem::remove_all(o.directory);
    auto s = open_store(o);
    load l;
    l.way_in = &s->make_port([](std::function<void()> f) { f(); }, [&](durable&& d) { l.on_durable(std::move(d), shape::one_reference); });
    s->start();
    auto submit = [&](change c) {
        while (l.way_in->load() > 0.9) std::this_thread::sleep_for(std::chrono::microseconds{200});
        l.submit(std::move(c));
    };
    for (session_number n = 1; n <= 100'000; ++n) {
        submit(put_session{session(n)});
        submit(put_subscription{{n, fmt::format("devices/SN-{:06}/command", n), 1, 0}});
    }
    for (session_number i = 0; i < 1'000'000; ++i) submit(put_message{.body = body_of_200(), .references = {{.session = 1 + i % 100'000}}});
    s.reset();
    std::uint64_t sessions = 0, references = 0, subscriptions = 0;
    recovery r;
    r.on_session = [&](session_record&&) { ++sessions; };
    r.on_subscription = [&](subscription_record&&) { ++subscriptions; };
    r.on_reference = [&](lsn, reference const&, delivery_state, std::uint16_t, std::uint32_t, std::int64_t) { ++references; };
    auto begun = clock_type::now();
    s = open_store(o, r);
    auto took = seconds_since(begun);
    fmt::print(stderr, "recovery: {} sessions, {} subscriptions, {} references in {:.2f} s\n", sessions, subscriptions, references, took);
    fmt::print("{{\"recovery_s\": {:.3f}, \"sessions\": {}, \"subscriptions\": {}, \"references\": {}, \"bytes_used\": {}}}\n", took, sessions, subscriptions,
               references, s->stats().bytes_used);
}

}

int main(int argc, char** argv) {
    settings o;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--dir") == 0 && i + 1 < argc) o.directory = argv[++i];
        else if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) o.seconds = std::atof(argv[++i]);
        else if (std::strcmp(argv[i], "--recovery") == 0) o.recovery = true;
        else return fmt::print(stderr, "usage: {} [--dir DIRECTORY] [--seconds N] [--recovery]\n", argv[0]), 2;
    }
    if (o.recovery) {
        measure_recovery(o);
    } else {
        fmt::print(stderr, "{:<20} {:>7} {:>12} {:>12} {:>9} {:>9} {:>10} {:>9}\n", "shape", "window", "changes/s", "puts/s", "commits", "per commit", "CPU-s/M", "cleaned");
        fmt::print("[");
        bool first = true;
        for (auto const& what : rows)
            for (std::size_t window : {1, 100, 1'000, 8'000}) measure(o, what, window, first);
        fmt::print("\n]\n");
    }
    std::filesystem::remove_all(o.directory);
}
