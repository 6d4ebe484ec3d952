#include "storage/disk_watch.hpp"
#include "storage/admit.hpp"
#include "rig.hpp"

#include <atomic>
#include <cerrno>
#include <future>
#include <sys/stat.h>

using namespace airmail::storage;
using namespace airmail::storage::test;

namespace {

constexpr std::uint64_t MiB = 1u << 20;

/// A file system of 1,000 MiB as the test says, in a folder that is real.
struct pretend {
    folder f;
    std::atomic<std::uint64_t> total{1'000 * MiB}, free{500 * MiB};
    std::atomic<bool> silent{false};
    std::atomic<std::int64_t> now{1'000'000};
    std::vector<std::string> said;   // read once the writer is gone, or without one

    disk_watch watch(disk_limits l) {
        return disk_watch(f.path(), l, [this]() -> std::optional<disk_space> {
            if (silent) return {};
            return disk_space{total, free};
        }, [this] { return now.load(); });
    }
    std::uint64_t reserve() const {
        struct stat s{};
        if (::stat((f.path() + "/reserve").c_str(), &s) != 0) return 0;
        CHECK(s.st_blocks * 512 >= s.st_size);   // not a hole
        return static_cast<std::uint64_t>(s.st_size);
    }
};

constexpr disk_limits shares{.refuse = {.percent = 10}, .readonly = {.percent = 3}, .reserve = 0};

/// A store on it. The writer looks once a second of the pretended clock.
struct watched : rig {
    pretend& on;
    disk_watch disk;

    explicit watched(pretend& p, disk_limits l = shares) : rig(p.f.hot()), on(p), disk(p.watch(l)) {}
    bool open() {
        return take([&](recovery const& r) { return open_watched(options, r, disk, why); });
    }
    /// The disk has `free` from now on, and the writer has seen it.
    void goes(std::uint64_t free, disk_level expected) {
        on.free = free;
        on.now += 1'000;
        for (int i = 0; i < 1'000 && disk.level() != expected; ++i) one.put(settle{1, 999});
        REQUIRE(disk.level() == expected);
    }
    bool takes(change c) {
        auto const t = one.submit(std::move(c));
        one.mail.run_until([&] { return one.answered(t); });
        if (one.refused.contains(t)) CHECK(one.refused[t] == errc::full);
        return one.stored.contains(t);
    }
};

/// Takes everything at once.
struct eager final : consumer {
    bool committed(std::vector<std::pair<lsn, message_ptr>> const& batch) noexcept override {
        upto = batch.back().first, taken += batch.size();
        return true;
    }
    lsn applied() const noexcept override { return upto; }
    std::atomic<lsn> upto{0};
    std::atomic<std::size_t> taken{0};
};

put_message for_plugins(std::string_view topic) {
    put_message p{.body = text(topic, "x")};
    p.consumers = 1;
    return p;
}

}

TEST_CASE("a level begins below its share of the file system, and ends a fifth above it: no flapping at the mark") {
    pretend p;
    auto w = p.watch(shares);
    std::vector<disk_level> heard;
    w.on_change = [&](disk_level l, std::string const&) { heard.push_back(l); };
    auto at = [&](std::uint64_t free) {
        p.free = free;
        w.look(0);
        return w.level();
    };
    using enum disk_level;
    CHECK(at(100 * MiB) == plenty);
    CHECK(at(99 * MiB) == refuse);
    CHECK(at(101 * MiB) == refuse);
    CHECK(at(119 * MiB) == refuse);
    CHECK(at(120 * MiB) == plenty);
    CHECK(at(100 * MiB) == plenty);
    CHECK(at(29 * MiB) == readonly);
    CHECK(at(35 * MiB) == readonly);
    CHECK(at(36 * MiB) == refuse);
    CHECK(at(29 * MiB) == readonly);
    CHECK(at(500 * MiB) == plenty);
    CHECK(heard == std::vector{refuse, plenty, readonly, refuse, readonly, plenty});
}

TEST_CASE("what has to stay free is a share, a size, or the larger of both; 0 is never") {
    pretend p;
    p.free = 50 * MiB;
    CHECK(p.watch({.refuse = {.bytes = 51 * MiB}, .readonly = {}, .reserve = 0}).level() == disk_level::refuse);
    CHECK(p.watch({.refuse = {.bytes = 50 * MiB}, .readonly = {}, .reserve = 0}).level() == disk_level::plenty);
    CHECK(p.watch({.refuse = {.percent = 1, .bytes = 51 * MiB}, .readonly = {}, .reserve = 0}).level() == disk_level::refuse);
    CHECK(p.watch({.refuse = {.percent = 6, .bytes = 1 * MiB}, .readonly = {}, .reserve = 0}).level() == disk_level::refuse);
    p.free = 0;
    CHECK(p.watch({.refuse = {}, .readonly = {}, .reserve = 0}).level() == disk_level::plenty);
    CHECK(p.watch({.refuse = {}, .readonly = {.percent = 3}, .reserve = 0}).level() == disk_level::readonly);
}

TEST_CASE("empty pages of the store count as room: its file never shrinks, and would be refused for ever once it was large") {
    pretend p;
    p.free = 5 * MiB;
    auto w = p.watch(shares);
    CHECK(w.level() == disk_level::readonly);
    w.look(200 * MiB);
    CHECK(w.level() == disk_level::plenty);
    CHECK(w.now().room == 205 * MiB);
    CHECK(w.now().free == 5 * MiB);
}

TEST_CASE("trouble names the room, the limit and the way out; a reload with a lower limit ends it") {
    pretend p;
    p.free = 50 * MiB;
    auto w = p.watch(shares);
    CHECK(w.trouble() == "room for 50 MiB of 1.0 GiB is left in " + p.f.path() + " (limit_disk_refuse 10%): make room, or write a lower limit and reload");
    p.free = 20 * MiB;
    w.look(0);
    CHECK(w.trouble().find("(limit_disk_readonly 3%)") != std::string::npos);
    w.set({.refuse = {.bytes = 10 * MiB}, .readonly = {}, .reserve = 0});
    w.look_if_due(0);   // without waiting for the next second
    CHECK(w.level() == disk_level::plenty);
    CHECK(w.trouble().empty());
}

TEST_CASE("a file system that does not answer leaves things as they were") {
    pretend p;
    p.free = 50 * MiB;
    auto w = p.watch(shares);
    p.silent = true;
    p.free = 500 * MiB;
    w.look(0);
    CHECK(w.level() == disk_level::refuse);
}

TEST_CASE("a file that would take the disk below the first limit is told so before it comes") {
    pretend p;
    p.free = 150 * MiB;
    auto w = p.watch(shares);
    CHECK(w.too_low_for(50 * MiB).empty());
    CHECK(w.too_low_for(51 * MiB).find("51 MiB more would leave less free than limit_disk_refuse 10%") == 0);
    CHECK(p.watch({.refuse = {}, .readonly = {}, .reserve = 0}).too_low_for(1'000'000 * MiB).empty());
}

TEST_CASE("the reserve is kept in a file, given up when the disk is full, and taken again when there is room") {
    pretend p;
    auto const limits = disk_limits{.refuse = {.percent = 10}, .readonly = {.percent = 3}, .reserve = 4 * MiB};
    {
        auto w = p.watch(limits);
        CHECK(p.reserve() == 4 * MiB);
        CHECK(w.now().reserve == 4 * MiB);
        w.on_reserve = [&](std::string const& line) { p.said.push_back(line); };

        p.free = 9 * MiB;           // little, and not full
        w.look(0);
        CHECK(p.reserve() == 4 * MiB);
        p.free = 7 * MiB;           // less than a transaction may write
        w.look(0);
        CHECK(p.reserve() == 0);
        CHECK(p.said.back().find("the disk is full: 4.0 MiB of limit_disk_reserve are given up") == 0);
        p.free = 11 * MiB;
        w.look(0);
        CHECK(w.now().room == 7 * MiB);   // what was given up is not room for new messages
        p.free = 35 * MiB;
        w.look(0);
        CHECK(w.level() == disk_level::readonly);
        CHECK(p.reserve() == 0);
        p.free = 400 * MiB;
        w.look(0);
        CHECK(p.reserve() == 4 * MiB);
        CHECK(p.said.back().find("limit_disk_reserve: 4.0 MiB are kept back in ") == 0);
    }
    CHECK(p.reserve() == 4 * MiB);   // it stays over a stop
    {
        p.free = 1 * MiB;
        auto w = p.watch(limits);    // a start on a full disk: the store's first commit has room
        CHECK(p.reserve() == 0);
    }
    p.free = 400 * MiB;
    {
        auto w = p.watch(limits);
        CHECK(p.reserve() == 4 * MiB);
        w.set({.refuse = {.percent = 10}, .readonly = {.percent = 3}, .reserve = 1 * MiB});
        w.look(0);
        CHECK(p.reserve() == 1 * MiB);
        w.set({.refuse = {.percent = 10}, .readonly = {.percent = 3}, .reserve = 0});
        w.look(0);
        CHECK(p.reserve() == 0);
    }
    p.total = 40 * MiB, p.free = 30 * MiB;
    auto w = p.watch(limits);
    CHECK(p.reserve() == 2 * MiB);   // a twentieth of a small file system
}

TEST_CASE("what is admitted: below the first limit nothing that waits for somebody, below the second only what frees") {
    using enum disk_level;
    auto const known = [](session_number n) { return n == 7; };
    struct { change c; bool refuse, readonly; char const* what; } const rows[] = {
        {to(text("t", "x"), {1}), false, false, "a message for a session"},
        {keep("t", "x"), false, false, "a retained message"},
        {for_plugins("devices/a/heartbeat"), true, false, "a message for plugins alone"},
        {clear("t"), true, true, "a retained message cleared"},
        {put_session{session(7, "back")}, true, true, "a session that is known"},
        {put_session{session(8, "new")}, true, false, "a session that is new"},
        {put_subscription{{.session = 7, .filter = "t"}}, true, false, "a subscription"},
        {put_state{1, 1, {1}}, true, false, "a plugin's state"},
        {put_state{1, 1, {}}, true, true, "a plugin's state removed"},
        {settle{1, 1}, true, true, "an acknowledgement"},
        {advance{.message = 1, .session = 1, .state = delivery_state::received}, true, true, "a PUBREC"},
        {forget_qos2_in{1, 1}, true, true, "a PUBREL"},
        {drop_session{1}, true, true, "a session's end"},
        {drop_subscription{1, "t"}, true, true, "an UNSUBSCRIBE"},
    };
    for (auto const& r : rows) {
        CAPTURE(r.what);
        CHECK(admitted(r.c, plenty, known));
        CHECK(admitted(r.c, refuse, known) == r.refuse);
        CHECK(admitted(r.c, readonly, known) == r.readonly);
    }
    // Both for plugins and for a session: the session's copy would wait.
    auto both = to(text("t", "x"), {1});
    both.consumers = 1;
    CHECK_FALSE(admitted(both, refuse, known));
}

TEST_CASE("the writer turns away change by change: each ticket hears its own fate, in order, and what frees goes through") {
    pretend p;
    watched r{p};
    eager lane;
    r.lanes.push_back(&lane);
    REQUIRE(r.open());
    r.one.put(put_session{session(7, "c")});
    auto const a = r.one.put(to(text("t", "a"), {7})), b = r.one.put(to(text("t", "b"), {7}));
    r.goes(50 * MiB, disk_level::refuse);

    auto const first = r.one.submit(settle{a, 7});
    auto const no = r.one.submit(to(text("t", "no"), {7}));
    auto const also_no = r.one.submit(keep("kept", "no"));
    auto const beat = r.one.submit(for_plugins("devices/a/heartbeat"));
    auto const again_no = r.one.submit(to(text("t", "no"), {7}));
    auto const last = r.one.submit(put_session{session(8, "new")});
    r.one.mail.run_until([&] { return r.one.answered(last); });
    for (auto t : {first, no, also_no, beat, again_no}) REQUIRE(r.one.answered(t));
    CHECK(r.one.stored.contains(first));
    CHECK(r.one.stored[beat] > b);
    CHECK(r.one.stored[last] > r.one.stored[beat]);
    for (auto t : {no, also_no, again_no}) CHECK(r.one.refused[t] == errc::full);
    CHECK(r.disk.now().refused == 3);
    CHECK(r.hot->trouble().empty());   // the journal is well: it was not asked

    r.goes(20 * MiB, disk_level::readonly);
    CHECK(lane.taken == 1);
    CHECK_FALSE(r.takes(for_plugins("devices/a/heartbeat")));
    CHECK_FALSE(r.takes(put_session{session(9, "newer")}));
    CHECK_FALSE(r.takes(put_subscription{{.session = 7, .filter = "t"}}));
    CHECK(r.takes(put_session{session(7, "c")}));
    CHECK(r.takes(settle{b, 7}));

    r.goes(400 * MiB, disk_level::plenty);
    auto const c = r.one.put(to(text("t", "c"), {7}));
    CHECK(c != 0);
    r.close();
    REQUIRE(r.open());
    CHECK(r.was.references.size() == 1);
    CHECK(r.was.references.contains({c, 7}));
    CHECK(r.was.retained.empty());
    CHECK(r.was.sessions.size() == 2);
}

TEST_CASE("lanes hear it too, and below the second limit the cleaner goes on") {
    pretend p;
    watched r{p};
    r.options.clean_range_bits = 4;
    REQUIRE(r.open());
    r.one.put(put_session{session(7, "c")});
    std::vector<lsn> at;
    for (int i = 0; i < 60; ++i) at.push_back(r.one.put(to(text("t", "x"), {7})));
    r.goes(20 * MiB, disk_level::readonly);
    for (auto l : at) r.takes(settle{l, 7});
    std::promise<boost::system::error_code> told;
    r.hot->submit(put_state{1, 1, {1}}, [&](boost::system::error_code ec, lsn) { told.set_value(ec); });
    CHECK(told.get_future().get() == errc::full);
    for (int i = 0; i < 10'000 && r.hot->stats().cleaned < 40; ++i) CHECK_FALSE(r.takes(to(text("t", "no"), {7})));
    CHECK(r.hot->stats().cleaned >= 40);
}

TEST_CASE("F01: a disk that fills between two looks is seen at the first write that fails") {
    pretend p;
    watched r{p};
    std::atomic<bool> full{false};
    r.options.before_commit = [&] { return full ? ENOSPC : 0; };
    REQUIRE(r.open());
    r.one.put(put_session{session(7, "c")});
    p.free = 0;       // and the clock stands still
    full = true;
    CHECK_FALSE(r.takes(to(text("t", "no"), {7})));
    CHECK(r.disk.level() == disk_level::readonly);
    full = false;
    CHECK_FALSE(r.takes(to(text("t", "no"), {7})));   // by the level now
    r.goes(400 * MiB, disk_level::plenty);
    CHECK(r.takes(to(text("t", "yes"), {7})));
}
