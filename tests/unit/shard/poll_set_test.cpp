#include "broker/shard/poll_set.hpp"

#include "broker/shard/shard.hpp"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>
#include <future>
#include <optional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace airmail::shard;

namespace {

/// One end of a socket pair that a shard watches; the other end belongs to the test.
struct wire final : watcher {
    wire() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0); }
    ~wire() { ::close(ends[0]), ::close(ends[1]); }
    void ready(std::uint32_t) override {
        char c = 0;
        if (::read(ends[0], &c, 1) == 1) ++seen, ++total;
    }
    void write(std::size_t n = 1) { CHECK(::write(ends[1], std::string(n, 'x').data(), n) == static_cast<ssize_t>(n)); }
    int ends[2] = {};
    std::atomic<int> seen{0};
    int total = 0;
};

struct one_shard {
    one_shard() : all{make_shards(1)} {}
    void start() { thread = std::thread{[this] { all[0]->run(); }}; }
    ~one_shard() {
        all[0]->stop();
        if (thread.joinable()) thread.join();
    }
    shard& operator*() { return *all[0]; }
    shard* operator->() { return all[0].get(); }
    std::vector<std::unique_ptr<shard>> all;
    std::thread thread;
};

/// Waits for the value with a limit: only a lost wake-up takes so long.
bool reaches(std::atomic<int> const& value, int goal) {
    auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (value.load() < goal)
        if (std::chrono::steady_clock::now() > limit) return false;
        else std::this_thread::yield();
    return true;
}

}

TEST_CASE("a socket that stays ready is served once each turn, and mail has its turn in between") {
    one_shard s;
    wire w;
    std::string order;
    std::promise<void> end;
    s->sockets().add(w.ends[0], w, EPOLLIN);
    s->at_turn_end([&] {
        if (w.total == 0 || w.total > 3) return;
        order += std::to_string(w.total);
        s->post(0, [&] { order += 'm'; });
        if (w.total == 3) s->sockets().remove(w.ends[0]), ++w.total, s->post(0, [&] { end.set_value(); });
    });
    w.write(5);
    s.start();
    REQUIRE(end.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    CHECK(order == "1m2m3m");
}

TEST_CASE("sockets, neighbours and other threads wake a sleeper each time, with Asio beside the loop and without") {
    bool asio = false;
    SUBCASE("without") {}
    SUBCASE("with") { asio = true; }
    auto all = make_shards(2);
    wire w;
    all[0]->sockets().add(w.ends[0], w, EPOLLIN);
    if (asio) (void)all[0]->io(), (void)all[1]->io();
    std::vector<std::thread> threads;
    for (auto& s : all) threads.emplace_back([&s] { s->run(); });
    // Each asks only when it was answered, so every question finds a shard that may be falling asleep just then; no timer
    // runs that would wake it anyway.
    constexpr int rounds = 20'000;
    std::atomic<int> answered{0};
    std::thread asker{[&] {
        for (int i = 1; i <= rounds; ++i) {
            all[1]->post_external([&] { all[1]->post(0, [&] { all[0]->post(1, [&] { ++answered; }); }); });
            if (!reaches(answered, i)) return;
        }
    }};
    bool heard = true;
    for (int i = 1; i <= rounds && heard; ++i) {
        w.write();
        heard = reaches(w.seen, i);
    }
    asker.join();
    CHECK(heard);
    CHECK(answered == rounds);
    for (auto& s : all) s->stop();
    for (auto& t : threads) t.join();
}

TEST_CASE("a congested shard leaves its sockets alone, does not spin, and serves them when its mail has gone") {
    auto all = make_shards(2, {.ring_tasks = 2, .overflow_tasks = 4});
    wire w;
    std::atomic<int> turns{0};
    std::promise<void> flooded;
    all[0]->sockets().add(w.ends[0], w, EPOLLIN);
    all[0]->at_turn_end([&] { ++turns; });
    std::thread first{[&] { all[0]->run(); }};
    all[0]->post_external([&] {
        for (int i = 0; i < 20; ++i) all[0]->post(1, [] {});
        CHECK(all[0]->congested());
        flooded.set_value();
    });
    flooded.get_future().wait();
    w.write();
    auto const before = turns.load();
    CHECK(reaches(turns, before + 20));  // it looks again each millisecond: time passes, not turns
    CHECK(w.seen == 0);
    std::thread second{[&] { all[1]->run(); }};
    CHECK(reaches(w.seen, 1));
    for (auto& s : all) s->stop();
    first.join(), second.join();
}

TEST_CASE("Asio's timers and handlers run beside the shard's own, and it may be asked for in the middle") {
    one_shard s;
    s.start();
    std::promise<void> rang, posted;
    std::optional<boost::asio::steady_timer> timer;
    s->post_external([&] {
        timer.emplace(s->io(), std::chrono::milliseconds(20));
        timer->async_wait([&](boost::system::error_code) { rang.set_value(); });
        boost::asio::post(s->io(), [&] { posted.set_value(); });
    });
    CHECK(posted.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    CHECK(rang.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    std::promise<void> gone;
    s->post_external([&] { timer.reset(), gone.set_value(); });
    gone.get_future().wait();
}
