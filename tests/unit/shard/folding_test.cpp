// With little to do one thread serves every shard; with more, each serves its own again; and nothing is lost in between.

#include "broker/shard/folding.hpp"
#include "broker/shard/shard.hpp"

#include <array>
#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace airmail::shard;
using namespace std::chrono_literals;

namespace {

/// Echoes one byte, and remembers on whose thread.
struct echo final : watcher {
    echo() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0); }
    ~echo() { ::close(ends[0]), ::close(ends[1]); }
    void ready(std::uint32_t) override {
        if (inside.exchange(true)) together = true;
        char c = 0;
        if (::recv(ends[0], &c, 1, MSG_DONTWAIT) == 1) {
            by = std::this_thread::get_id();
            if (hook) hook();
            CHECK(::send(ends[0], &c, 1, MSG_DONTWAIT) == 1);
        }
        inside = false;
    }
    /// From the other end: a question and its answer. Fails after 20 s.
    bool ask() {
        timeval const limit{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        char c = 'x';
        return ::send(ends[1], &c, 1, 0) == 1 && ::recv(ends[1], &c, 1, 0) == 1;
    }
    int ends[2] = {};
    std::function<void()> hook;
    std::atomic<std::thread::id> by{};
    std::atomic<bool> inside{false}, together{false};
};

struct broker {
    explicit broker(unsigned n, shard_options o) : shards{make_shards(n, o)}, sockets(n) {
        for (unsigned i = 0; i < n; ++i) {
            sockets[i] = std::make_unique<echo>();
            REQUIRE(shards[i]->sockets().add(sockets[i]->ends[0], *sockets[i], EPOLLIN));
        }
        for (auto& s : shards) threads.emplace_back([&s] { s->run(); });
    }
    ~broker() {
        for (auto& s : shards) s->stop();
        for (auto& t : threads) t.join();
    }
    std::vector<std::unique_ptr<shard>> shards;
    std::vector<std::unique_ptr<echo>> sockets;
    std::vector<std::thread> threads;
};

/// Asks every shard until `enough`, or for 20 s.
bool asked_until(broker& b, auto enough) {
    auto const limit = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < limit) {
        for (auto& s : b.sockets)
            if (!s->ask()) return false;
        if (enough()) return true;
    }
    return false;
}

}

TEST_CASE("five calm windows fold, one busy window unfolds, and nothing happens before the watch runs") {
    folding f{2, 0.35, 0.6, 20ms};
    auto t = folding::clock::now();
    auto const window = [&](std::chrono::milliseconds first, std::chrono::milliseconds second) {
        CHECK_FALSE(f.spent(1, second, t));
        t += 20ms;
        return f.spent(0, first, t);
    };
    for (int i = 0; i < 10; ++i) CHECK_FALSE(window(1ms, 1ms));
    CHECK_FALSE(f.folded());
    f.open();
    CHECK_FALSE(window(1ms, 1ms));   // two: the one that was long, and its own
    for (int i = 0; i < 2; ++i) CHECK_FALSE(window(3ms, 3ms));
    CHECK_FALSE(f.folded());
    CHECK_FALSE(window(4ms, 4ms));   // 40 %: not calm, so it begins again
    for (int i = 0; i < 4; ++i) CHECK_FALSE(window(3ms, 3ms));
    CHECK_FALSE(f.folded());
    CHECK_FALSE(window(3ms, 3ms));
    CHECK(f.folded());
    CHECK_FALSE(window(11ms, 0ms));  // 55 %: between the two nothing changes
    CHECK(f.folded());
    CHECK(window(13ms, 0ms));
    CHECK_FALSE(f.folded());
    for (int i = 0; i < 5; ++i) CHECK_FALSE(window(0ms, 0ms));
    CHECK(f.folded());
    f.close();
    CHECK_FALSE(f.folded());
    for (int i = 0; i < 10; ++i) CHECK_FALSE(window(0ms, 0ms));
    CHECK_FALSE(f.folded());
}

TEST_CASE("with little to do one thread serves the sockets of all shards") {
    broker b{3, {.fold_below = 2, .unfold_above = 10, .fold_window_ms = 1}};
    CHECK(asked_until(b, [&] {
        auto const watch = b.sockets[0]->by.load();
        return watch == b.threads[0].get_id() && b.sockets[1]->by.load() == watch && b.sockets[2]->by.load() == watch;
    }));
}

TEST_CASE("never folded when that is switched off") {
    broker b{2, {.fold_below = 0, .fold_window_ms = 1}};
    int asked = 0;
    CHECK(asked_until(b, [&] {
        CHECK(b.sockets[0]->by.load() == b.threads[0].get_id());
        CHECK(b.sockets[1]->by.load() == b.threads[1].get_id());
        return ++asked == 500;
    }));
}

TEST_CASE("when the work grows every thread gets up again") {
    broker b{2, {.fold_below = 0.9, .unfold_above = 0.9, .fold_window_ms = 1}};
    auto const folded = [&] { return b.sockets[1]->by.load() == b.threads[0].get_id(); };
    REQUIRE(asked_until(b, folded));
    // Shard 0 now has more than it can do: mail to itself, for ever.
    std::atomic<bool> enough{false};
    std::function<void()> more = [&] {
        if (!enough) b.shards[0]->post(0, [&] { more(); });
    };
    b.shards[0]->post_external([&] { more(); });
    CHECK(asked_until(b, [&] { return b.sockets[1]->by.load() == b.threads[1].get_id(); }));
    enough = true;
    CHECK(asked_until(b, folded));
}

TEST_CASE("folding and unfolding all the time, mail and sockets crossing: one thread at a time, no answer missing") {
    // Every window is calm enough to fold and busy enough to unfold.
    broker b{3, {.fold_below = 10, .unfold_above = 0, .fold_window_ms = 1}};
    std::array<std::atomic<int>, 3> mailed{};
    for (unsigned i = 0; i < 3; ++i)
        b.sockets[i]->hook = [&, i] {
            auto const next = (i + 1) % 3;
            b.shards[i]->post(next, [&, i, next] { b.shards[next]->post(i, [&, i] { ++mailed[i]; }); });
        };
    std::vector<std::thread> askers;
    std::atomic<int> answered{0};
    for (unsigned i = 0; i < 3; ++i)
        askers.emplace_back([&, i] {
            for (int n = 0; n < 4000; ++n) answered += b.sockets[i]->ask();
        });
    for (auto& a : askers) a.join();
    CHECK(answered == 3 * 4000);
    auto const limit = std::chrono::steady_clock::now() + 20s;
    for (auto& m : mailed) {
        while (m < 4000 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
        CHECK(m == 4000);
    }
    for (auto& s : b.sockets) CHECK_FALSE(s->together.load());
}
