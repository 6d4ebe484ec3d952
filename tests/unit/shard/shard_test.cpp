#include "broker/shard/shard.hpp"

#include "broker/shard/buffer_pool.hpp"
#include "broker/shard/drain.hpp"

#include <array>
#include <atomic>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>
#include <future>
#include <thread>

using namespace airmail::shard;

namespace {
/// Runs shards on threads of their own and stops them at the end.
struct running {
    explicit running(unsigned n, shard_options o = {}) : shards{make_shards(n, o)} {}
    void start() {
        for (auto& s : shards) threads.emplace_back([&s] { s->run(); });
    }
    ~running() {
        for (auto& s : shards) s->stop();
        for (auto& t : threads) t.join();
    }
    shard& operator[](unsigned i) { return *shards[i]; }
    std::vector<std::unique_ptr<shard>> shards;
    std::vector<std::thread> threads;
};
}

TEST_CASE("two shards send each other a million messages: none lost, each direction in order, rings overflowing") {
    constexpr std::uint64_t total = 1'000'000;
    running r{2, {.ring_tasks = 1024, .overflow_tasks = 4096}};
    std::array<std::uint64_t, 2> next{};
    std::array<bool, 2> in_order{true, true};
    std::array<std::uint64_t, 2> sent{};
    std::array<std::promise<void>, 2> done;
    std::atomic<bool> was_congested{false};
    for (unsigned me : {0U, 1U})
        r[me].at_turn_end([&, me] {
            for (int k = 0; k < 1000 && sent[me] < total && !r[me].congested(); ++k) {
                r[me].post(1 - me, [&, me, i = sent[me]] {
                    in_order[1 - me] = in_order[1 - me] && next[1 - me] == i;
                    if (++next[1 - me] == total) done[1 - me].set_value();
                });
                ++sent[me];
            }
            if (r[me].congested()) was_congested = true;
            // A congested shard looks again by itself, a millisecond later; spinning would only keep the receiver from running.
            if (sent[me] < total && !r[me].congested()) r[me].again();
        });
    for (unsigned me : {0U, 1U}) r[me].again();  // nobody else would wake them for their first turn
    r.start();
    for (auto& d : done) CHECK(d.get_future().wait_for(std::chrono::seconds(100)) == std::future_status::ready);
    CHECK(in_order[0]);
    CHECK(in_order[1]);
    CHECK(next[0] == total);
    MESSAGE("congested at least once: " << was_congested.load());
}

TEST_CASE("a sleeping shard is woken by external mail, by a neighbour, by a timer and by stop") {
    running r{2};
    std::promise<void> neighbour, timed;
    reminder a;
    r.start();
    r[0].post_external([&] {
        r[0].post(1, [&] { neighbour.set_value(); });
        a.in(r[0].timers(), 50, [&] { timed.set_value(); });
    });
    CHECK(neighbour.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    CHECK(timed.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    // Ping-pong with long waits between: each hop must wake a sleeper.
    std::promise<void> over;
    std::function<void(int)> hop = [&](int n) {
        if (n == 2000) return over.set_value();
        r[n % 2].post((n + 1) % 2, [&, n] { hop(n + 1); });
    };
    r[0].post_external([&] { hop(0); });
    CHECK(over.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    std::promise<void> gone;
    r[0].post_external([&] { a.cancel(), gone.set_value(); });
    gone.get_future().wait();
}

TEST_CASE("a turn runs handlers, then mail, then hooks in their order") {
    running r{1};
    std::string order;
    std::promise<void> end;
    auto& s = r[0];
    s.at_turn_end([&] {
        if (!order.empty()) order += 'h';
    });
    s.at_turn_end([&] {
        if (order.empty()) return;
        order += 'H';
        if (order.size() == 4) end.set_value();
    });
    boost::asio::post(s.io(), [&] {
        s.post(0, [&] { order += 'm'; });
        order += 'a';
    });
    r.start();
    end.get_future().wait();
    // A turn more may follow before stop() is seen; its hooks run in the same order.
    CHECK(order.substr(0, 4) == "amhH");
    for (std::size_t i = 4; i < order.size(); ++i) CHECK(order[i] == "hH"[i % 2]);
}

TEST_CASE("mail from many threads arrives, each thread's in its order") {
    running r{1};
    r.start();
    constexpr int threads = 4, each = 50'000;
    std::array<int, threads> next{};
    bool in_order = true;
    int count = 0;
    std::promise<void> end;
    std::vector<std::thread> senders;
    for (int t = 0; t < threads; ++t)
        senders.emplace_back([&, t] {
            for (int i = 0; i < each; ++i)
                r[0].post_external([&, t, i] {
                    in_order = in_order && next[t]++ == i;
                    if (++count == threads * each) end.set_value();
                });
        });
    end.get_future().wait();
    for (auto& t : senders) t.join();
    CHECK(in_order);
}

TEST_CASE("the pool gives idle buffers again and forgets what grew too big") {
    buffer_pool pool{16, 2, 1000};
    auto a = pool.borrow();
    a->resize(100);
    auto* was = a.get();
    pool.give_back(std::move(a));
    CHECK(pool.idle() == 1);
    auto b = pool.borrow();
    CHECK(b.get() == was);
    CHECK(b->empty());
    b->resize(5000);
    pool.give_back(std::move(b));
    CHECK(pool.idle() == 0);
}

TEST_CASE("a drain goes through its steps in order and past one that never answers") {
    timer_wheel w;
    drain d{w};
    std::string story;
    std::function<void()> late;
    d.add("one", 1000, [&](auto done) { story += "1", done(), done(); });
    d.add("hangs", 1000, [&](auto done) { story += "2", late = done; });
    d.add("three", 1000, [&](auto done) { story += "3", done(); });
    d.run([&](auto const& name, bool in_time) { story += in_time ? "" : "(" + name + ")"; }, [&] { story += "."; });
    CHECK(story == "12");
    w.advance(1000);
    CHECK(story == "12(hangs)3.");
    late();
    CHECK(story == "12(hangs)3.");
}
