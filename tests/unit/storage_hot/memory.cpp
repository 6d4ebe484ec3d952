#include "storage/store.hpp"
#include "rig.hpp"

using namespace airmail::storage;
using namespace airmail::storage::test;

TEST_CASE("level memory answers through the same interface and leaves no file") {
    folder f;
    rig r{f.hot()};
    r.options.in_memory = true;
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    auto a = r.one.put(to(text("t", "a"), {1}));
    auto b = r.one.put(keep("r", "b"));
    REQUIRE(r.one.fetch({a, b})[0]);
    CHECK(r.one.fetch({a, b})[1]->topic() == "r");
    CHECK(!std::filesystem::exists(f.hot()));
    r.one.put(put_state{1, 3, {4}});
    std::size_t states = 0;
    r.hot->scan_state(1, [&](std::uint64_t, std::vector<std::uint8_t>) { ++states; });
    CHECK(states == 1);

    r.one.put(settle{a, 1});
    r.one.put(keep("r", "c"));
    r.one.put(put_state{1, 3, {}});
    CHECK(!r.one.fetch({a, b})[0]);
    CHECK(!r.one.fetch({a, b})[1]);
}

TEST_CASE("level memory forgets with a dropped session what only it needed") {
    folder f;
    rig r{f.hot()};
    r.options.in_memory = true;
    REQUIRE(r.open());
    auto a = r.one.put(to(text("t", "a"), {1}));
    auto b = r.one.put(to(text("t", "b"), {1, 2}));
    r.one.put(drop_session{1});
    auto late = r.one.put(to(text("t", "late"), {1}));
    for (int i = 0; i < 3; ++i) r.one.put(put_state{1, 1, {1}});
    auto m = r.one.fetch({a, b, late});
    CHECK(!m[0]);
    CHECK(m[1]);
    CHECK(!m[2]);
}
