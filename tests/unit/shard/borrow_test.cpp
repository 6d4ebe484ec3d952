// A shard that sleeps may be run by a neighbour that has mail for it: always one thread at a time, and nothing is lost.

#include "broker/shard/shard.hpp"

#include "broker/shard/mailbox.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <doctest/doctest.h>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace airmail::shard;

namespace {

struct running {
    explicit running(unsigned n) : shards{make_shards(n)} {}
    void start() {
        for (auto& s : shards) threads.emplace_back([&s] { s->run(); });
    }
    void stop() {
        for (auto& s : shards) s->stop();
        for (auto& t : threads) t.join();
        threads.clear();
    }
    ~running() { stop(); }
    shard& operator[](unsigned i) { return *shards[i]; }
    std::vector<std::unique_ptr<shard>> shards;
    std::vector<std::thread> threads;
};

bool reaches(std::atomic<int> const& value, int goal) {
    auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (value.load() < goal)
        if (std::chrono::steady_clock::now() > limit) return false;
        else std::this_thread::yield();
    return true;
}

}

TEST_CASE("a doorbell is lent once, and who rings meanwhile or leaves work wakes the owner") {
    doorbell b;
    auto const written = [&] {
        std::uint64_t n = 0;
        return ::read(b.fd(), &n, sizeof n) == sizeof n;
    };
    CHECK_FALSE(b.borrow());  // awake
    CHECK(b.sleep());
    CHECK_FALSE(b.borrow());  // asleep, but it does not lend
    b.wake();
    CHECK(b.sleep(true));
    CHECK(b.borrow());
    CHECK_FALSE(b.borrow());
    b.give_back(false);
    CHECK_FALSE(written());
    CHECK(b.borrow());
    b.ring();
    CHECK_FALSE(written());  // not yet: the neighbour is still at it
    b.give_back(false);
    CHECK(written());
    CHECK_FALSE(b.borrow());
    b.wake();
    CHECK(b.sleep(true));
    CHECK(b.borrow());
    b.give_back(true);
    CHECK(written());
    b.wake();
    CHECK(b.sleep(true));
    b.ring();
    CHECK(written());
}

TEST_CASE("an owner that is woken by a socket waits until it has everything back") {
    doorbell b;
    CHECK(b.sleep(true));
    CHECK(b.borrow());
    int owned = 0;  // plain: the thread sanitizer tells if both touch it at once
    std::thread owner{[&] {
        b.wake();
        ++owned;
    }};
    for (int i = 0; i < 1000; ++i) ++owned, std::this_thread::yield();
    b.give_back(false);
    owner.join();
    CHECK(owned == 1001);
}

TEST_CASE("a sleeper's mail is run on the sender's thread, never on two at once, and no answer is missing") {
    running r{3};
    std::array<std::atomic<bool>, 3> inside{};
    std::array<std::set<std::thread::id>, 3> by;   // each is its shard's
    std::atomic<bool> together{false};
    std::atomic<int> answered{0};
    for (unsigned me : {0U, 1U, 2U})
        r[me].at_turn_end([&, me] {
            if (inside[me].exchange(true)) together = true;
            by[me].insert(std::this_thread::get_id());
            inside[me] = false;
        });
    r.start();
    // Three askers whose questions cross: 0 asks 1, 1 asks 2, 2 asks 0, all at once.
    constexpr int rounds = 5000;
    std::array<std::atomic<int>, 3> done{};
    std::vector<std::thread> askers;
    for (unsigned me : {0U, 1U, 2U})
        askers.emplace_back([&, me] {
            auto const next = (me + 1) % 3;
            for (int i = 1; i <= rounds; ++i) {
                r[me].post_external([&, me, next] { r[me].post(next, [&, me, next] { r[next].post(me, [&, me] { ++done[me], ++answered; }); }); });
                if (!reaches(done[me], i)) return;
            }
        });
    for (auto& a : askers) a.join();
    r.stop();
    CHECK(answered == 3 * rounds);
    CHECK_FALSE(together);
    std::size_t most = 0;
    for (auto const& ids : by) most = std::max(most, ids.size());
    CHECK(most > 1);  // some shard was run by a neighbour
}

TEST_CASE("a socket that leaves while a neighbour runs its shard is not served afterwards") {
    struct watched final : watcher {
        watched() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0); }
        ~watched() { ::close(ends[0]), ::close(ends[1]); }
        void ready(std::uint32_t) override {
            char c = 0;
            if (left) served_after = true;
            [[maybe_unused]] auto const n = ::read(ends[0], &c, 1);
        }
        int ends[2] = {};
        bool left = false, served_after = false;
    };
    running r{2};
    r.start();
    std::atomic<int> ready{0}, gone{0};
    for (int i = 1; i <= 3000; ++i) {
        auto const w = std::make_shared<watched>();
        r[1].post_external([&, w] { r[1].sockets().add(w->ends[0], *w, EPOLLIN), ++ready; });
        REQUIRE(reaches(ready, i));
        // Both at once: a byte wakes shard 1's thread, and shard 0 has mail that takes the socket away.
        r[0].post_external([&, w] {
            r[0].post(1, [&, w] {
                r[1].sockets().remove(w->ends[0]);
                w->left = true;
                r[1].post(1, [&, w] { ++gone; });
            });
        });
        CHECK(::write(w->ends[1], "x", 1) == 1);
        REQUIRE(reaches(gone, i));
        std::atomic<int> looked{0};
        bool bad = false;
        r[1].post_external([&, w] { bad = w->served_after, ++looked; });
        REQUIRE(reaches(looked, 1));
        CHECK_FALSE(bad);
    }
}

TEST_CASE("who was rung does not sleep, and is not lent meanwhile") {
    doorbell b;
    b.ring();
    CHECK_FALSE(b.sleep(true));
    CHECK_FALSE(b.borrow());
    b.wake();
    CHECK(b.sleep(true, true));
    CHECK(b.borrow());
    CHECK(b.alone());
    b.give_back(false);
    b.wake();
    CHECK(b.sleep(true));
    CHECK(b.borrow());
    CHECK_FALSE(b.alone());
}
