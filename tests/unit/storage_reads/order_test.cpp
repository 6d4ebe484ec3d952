#include "storage/reads/order.hpp"

#include "storage/reads/memory.hpp"

#include <doctest/doctest.h>

using namespace airmail::storage::reads;
using namespace std::chrono_literals;

TEST_CASE("replicate_reads names sources first to last, with blanks or commas") {
    std::vector<place> out;
    CHECK(parse_order("memory redis, sqlite  postgres", out) == "");
    CHECK(out == std::vector{place::memory, place::redis, place::sqlite, place::postgres});
    CHECK(parse_order("postgres", out) == "");
    CHECK(out == std::vector{place::postgres});
}

TEST_CASE("an order that could lose a question is refused with what to do") {
    std::vector<place> out;
    CHECK(parse_order("", out).find("must end with sqlite or postgres") != std::string::npos);
    CHECK(parse_order("sqlite redis", out).find("must end with sqlite or postgres") != std::string::npos);
    CHECK(parse_order("sqlite sqlite", out) == "names sqlite twice");
    CHECK(parse_order("memcached sqlite", out) == "knows memory, redis, sqlite and postgres, not \"memcached\"");
}

TEST_CASE("memory forgets by age, and the older half when it is full") {
    memory m(1s, 2);
    auto const t = memory::clock::time_point{} + 1h;
    std::string json;
    m.keep("a", "1", t);
    CHECK(m.find("a", t + 999ms, json));
    CHECK(json == "1");
    CHECK_FALSE(m.find("a", t + 1s, json));
    m.keep("a", "2", t + 1s);
    for (auto const* more : {"b", "c"}) m.keep(more, "x", t + 1s);
    CHECK(m.find("a", t + 1s, json));                  // of the generation before
    CHECK(json == "2");
    for (auto const* more : {"d", "e", "f"}) m.keep(more, "x", t + 1s);
    CHECK_FALSE(m.find("a", t + 1s, json));
    CHECK(m.find("f", t + 1s, json));
}
