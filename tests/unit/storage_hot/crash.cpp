// kill -9: what was reported durable is there, whatever the moment.
#include "storage/store.hpp"
#include "rig.hpp"

#include <csignal>
#include <fcntl.h>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace airmail::storage;
using namespace airmail::storage::test;

namespace {

/// One line of the child's report: this change is durable.
struct report { std::uint64_t serial; lsn at; std::uint32_t kind; std::uint32_t pad; };

/// Submits without end: change n is a queued message (n % 4 < 2), a retained set, or a QoS 2 publish with its id.
change nth(std::uint64_t n) {
    auto payload = std::to_string(n);
    if (n % 4 == 2) return keep("topic/" + std::to_string(n % 64), payload);
    auto p = to(text("q", payload), {1, 2});
    if (n % 4 == 3) p.qos2_in = {1, static_cast<std::uint16_t>(n % 60'000 + 1)};
    return p;
}

[[noreturn]] void child(std::string const& hot, int out, std::uint64_t first) {
    auto say = [out](report const& r) {
        if (::write(out, &r, sizeof r) != sizeof r) ::_exit(3);
    };
    store_options o{.directory = hot, .map_bytes = 1ull << 30, .clean_range_bits = 6};
    std::string why;
    auto s = store::open(o, {}, why);
    if (!s) ::_exit(2);
    auto serial = first;
    port* p = nullptr;
    // The mail is run on the writer's thread: what it reports has been synced.
    p = &(*s)->make_port([](std::function<void()> f) { f(); }, [&](durable&& d) {
        for (std::size_t i = 0; i < d.lsns.size() && !d.error; ++i) say({first + d.first + i - 1 - 2, d.lsns[i], 0, 0});
    });
    (*s)->start();
    (void)p->submit(put_session{session(1, "one")});
    (void)p->submit(put_session{session(2, "two")});
    for (;;) {
        if (p->submit(nth(serial))) ++serial;
        else std::this_thread::yield();
    }
}

/// Runs a child, kills it some time after it began (to write, or with `at_birth` to open) and returns what it reported.
std::vector<report> killed_after(folder const& f, std::chrono::microseconds moment, bool at_birth, std::uint64_t first) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    auto pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ::close(pipe_ends[0]);
        child(f.hot(), pipe_ends[1], first);
    }
    ::close(pipe_ends[1]);
    std::vector<report> all;
    report r;
    auto begun = std::chrono::steady_clock::now();
    bool dead = false;
    // The pipe paces the child, so it is read while the clock runs.
    ::fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    for (;;) {
        auto n = ::read(pipe_ends[0], &r, sizeof r);
        if (n == sizeof r) {
            if (all.empty() && !at_birth) begun = std::chrono::steady_clock::now();
            all.push_back(r);
        }
        else if (n == 0) break;
        else std::this_thread::yield();
        if (!dead && (at_birth || !all.empty()) && std::chrono::steady_clock::now() - begun > moment) dead = ::kill(pid, SIGKILL) == 0;
    }
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status));
    return all;
}

}

TEST_CASE("after kill -9 at random moments everything that was reported durable is there, and order and QoS 2 ids with it") {
    folder f;
    std::mt19937 random{20261123};
    std::uint64_t first = 2;   // the two sessions have serials of their own, below
    std::map<std::uint64_t, lsn> durable_changes;
    for (int round = 0; round < 10; ++round) {
        bool at_birth = round % 5 == 3;   // in the middle of a recovery
        auto reports = killed_after(f, std::chrono::microseconds{random() % (at_birth ? 20'000 : 150'000)}, at_birth, first);
        for (auto const& r : reports)
            if (r.serial >= first && r.serial < (std::uint64_t{1} << 60)) durable_changes[r.serial] = r.at;
        rig r{f.hot()};
        REQUIRE(r.open());
        REQUIRE(r.hot->stats().records_damaged == 0);
        std::map<std::string, std::uint64_t> newest_retained;
        lsn before = 0;
        std::size_t missing = 0;
        for (auto const& [serial, at] : durable_changes) {
            if (serial % 4 == 2) {
                newest_retained["topic/" + std::to_string(serial % 64)] = serial;
                continue;
            }
            missing += !r.was.references.contains({at, 1}) || !r.was.references.contains({at, 2});
            if (serial % 4 == 3) missing += !r.was.qos2_in.contains({1, static_cast<std::uint16_t>(serial % 60'000 + 1)});
            CHECK(at > before);
            before = at;
        }
        for (auto const& [topic, serial] : newest_retained) missing += std::stoull("0" + r.was.retained[topic].second) < serial;
        CHECK(missing == 0);
        MESSAGE("round " << round << ": " << reports.size() << " reported, " << r.was.references.size() / 2 << " messages found");
        first += 1'000'000 - first % 1'000'000 + 2;   // serials of their own for the next child
    }
    CHECK(!durable_changes.empty());
}
