#include "broker/shard/timer_wheel.hpp"

#include <doctest/doctest.h>
#include <map>
#include <memory>
#include <random>
#include <vector>

using namespace airmail::shard;

namespace {
struct probe : timer {
    probe() : timer{[](timer& t) { static_cast<probe&>(t).fired(); }} {}
    void fired() {
        ++count;
        if (on_fire) on_fire();
    }
    int count = 0;
    std::function<void()> on_fire;
};
}

TEST_CASE("a timer fires at its time rounded up to a tick, once, never early") {
    timer_wheel w{1000, 100};
    probe p;
    w.arm(p, 1250);
    CHECK(w.next_wake() == 1300);
    CHECK(w.advance(1299) == 0);
    CHECK(p.armed());
    CHECK(w.advance(1300) == 1);
    CHECK(w.advance(100000) == 0);
    CHECK(p.count == 1);
    CHECK(w.next_wake() == timer_wheel::never);
}

TEST_CASE("a cancelled or destroyed timer does not fire, even from a neighbour's action in the same slot") {
    timer_wheel w;
    probe a, b;
    auto c = std::make_unique<probe>();
    a.on_fire = [&] { b.cancel(), c.reset(); };
    w.arm(a, 100), w.arm(b, 100), w.arm(*c, 100);
    CHECK(w.advance(100) == 1);
    CHECK(b.count == 0);
}

TEST_CASE("a timer may re-arm and destroy itself in its action") {
    timer_wheel w;
    probe p;
    p.on_fire = [&] { w.arm_in(p, 100); };
    w.arm(p, 100);
    for (int t = 100; t <= 1000; t += 100) w.advance(t);
    CHECK(p.count == 10);
    auto* self = new probe;
    self->on_fire = [&] { p.cancel(); };
    w.arm_in(*self, 50);
    w.advance(2000);
    delete self;
    CHECK_FALSE(p.armed());
}

TEST_CASE("a reminder calls its closure once and can be set again from it") {
    timer_wheel w;
    reminder a;
    int n = 0;
    a.in(w, 100, [&] { ++n, a.in(w, 100, [&] { n += 10; }); });
    w.advance(100);
    CHECK(n == 1);
    w.advance(200);
    CHECK(n == 11);
}

TEST_CASE("ten thousand timers agree with a sorted map over random arms, cancels and jumps of time") {
    for (unsigned seed : {1U, 2U, 3U}) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        std::int64_t const tick = seed == 2 ? 1 : 100;
        timer_wheel w{0, tick};
        std::vector<std::unique_ptr<probe>> timers(2000);
        for (auto& t : timers) t = std::make_unique<probe>();
        std::vector<instant> model(timers.size(), -1);  // due, -1 = not armed
        instant now = 0;
        for (int round = 0; round < 3000; ++round) {
            for (int k = 0; k < 20; ++k) {
                auto i = random() % timers.size();
                if (random() % 4 == 0) timers[i]->cancel(), model[i] = -1;
                else {
                    // Distances over all levels, some beyond the horizon of 64^4 ticks.
                    auto far = static_cast<instant>(random()) % (tick << (random() % 26));
                    w.arm(*timers[i], now + far), model[i] = now + far;
                }
            }
            now += static_cast<instant>(random() % (round % 50 == 0 ? tick * 1000000 : tick * 70));
            for (auto& t : timers) t->count = 0;
            w.advance(now);
            for (std::size_t i = 0; i < timers.size(); ++i) {
                bool const due = model[i] >= 0 && (model[i] + tick - 1) / tick <= now / tick;
                bool const fired = timers[i]->count == 1;
                // Armed for a time that had passed in the tick that was already processed: fires one tick later.
                if (due && !fired) REQUIRE(model[i] / tick + 1 >= now / tick);
                if (fired) {
                    REQUIRE(due);
                    model[i] = -1;
                }
                REQUIRE(timers[i]->armed() == (model[i] >= 0));
            }
        }
    }
}
