#include "broker/shard/mailbox.hpp"

#include <array>
#include <doctest/doctest.h>
#include <thread>
#include <unistd.h>

using namespace airmail::shard;

TEST_CASE("a task keeps small closures inline, moves, and destroys its captures once") {
    auto alive = std::make_shared<int>(0);
    {
        task a{[alive] { ++*alive; }};
        task b{std::move(a)};
        CHECK_FALSE(static_cast<bool>(a));
        b();
        task big{[alive, pad = std::array<char, 100>{}] { *alive += 10 + pad[0]; }};
        task moved;
        moved = std::move(big);
        moved();
        CHECK(*alive == 11);
        CHECK(alive.use_count() == 3);
    }
    CHECK(alive.use_count() == 1);
    struct small { std::array<char, 56> c; void operator()() {} };
    struct large { std::array<char, 57> c; void operator()() {} };
    CHECK(task::fits<small>);
    CHECK_FALSE(task::fits<large>);
}

TEST_CASE("a ring refuses what does not fit and destroys what was never drained") {
    auto alive = std::make_shared<int>(0);
    {
        ring r{4};
        for (int i = 0; i < 4; ++i) {
            task t{[alive] {}};
            CHECK(r.push(t));
        }
        task fifth{[alive] {}};
        CHECK_FALSE(r.push(fifth));
        CHECK(static_cast<bool>(fifth));
        CHECK(r.drain() == 4);
        CHECK(r.push(fifth));
    }
    CHECK(alive.use_count() == 1);
}

TEST_CASE("a million messages cross a ring in order and without loss") {
    constexpr std::uint64_t total = 1'000'000;
    ring r{1024};
    std::uint64_t expected = 0;
    bool in_order = true;
    std::thread producer{[&] {
        for (std::uint64_t i = 0; i < total;) {
            task t{[i, &expected, &in_order] { in_order = in_order && expected == i, ++expected; }};
            while (!r.push(t)) std::this_thread::yield();
            ++i;
        }
    }};
    std::uint64_t drained = 0;
    while (drained < total)
        if (auto n = r.drain()) drained += n;
        else std::this_thread::yield();
    producer.join();
    CHECK(expected == total);
    CHECK(in_order);
}

TEST_CASE("a doorbell that was rung refuses sleep, and rung in sleep it makes its descriptor readable") {
    doorbell b;
    CHECK(b.sleep());
    b.wake();
    b.ring();
    CHECK_FALSE(b.sleep());
    b.wake();
    CHECK(b.sleep());
    b.ring();
    std::uint64_t n = 0;
    CHECK(::read(b.fd(), &n, sizeof n) == sizeof n);
}
