#include "plugins/campaign/device_state.hpp"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <random>
#include <vector>

using namespace airmail::plugins::campaign;

// An independent model: what a conforming device truly did. Its statuses are lost, doubled and shuffled on the way; link events
// stay in order; the last heartbeat arrives. The row must end where the truth is.
namespace {

enum class truth { success, rollback, failure };

struct trace {
    truth what;
    std::vector<event> statuses;       // any order, any subset
    bool some_install_word = false;    // an `installing` or `rollback` survived
    bool failure_told = false;
};

trace draw(std::mt19937& rng) {
    trace t;
    t.what = static_cast<truth>(rng() % 3);
    std::vector<event> full{{.what = event_kind::downloading, .command = id_match::current, .progress = 10},
                            {.what = event_kind::downloading, .command = id_match::current, .progress = 90},
                            {.what = event_kind::verifying, .command = id_match::current}};
    if (t.what == truth::failure) full.push_back({.what = event_kind::failed, .command = id_match::current, .why = reason::incompatible});
    else full.push_back({.what = event_kind::installing, .command = id_match::current});
    if (t.what == truth::rollback) full.push_back({.what = event_kind::rollback, .command = id_match::current});
    if (t.what == truth::success) full.push_back({.what = event_kind::completed, .command = id_match::current});
    for (auto const& e : full) {
        if (rng() % 4 == 0) continue;                       // 25 % lost
        t.statuses.push_back(e);
        if (rng() % 4 == 0) t.statuses.push_back(e);        // doubled
    }
    std::shuffle(t.statuses.begin(), t.statuses.end(), rng);
    for (auto const& e : t.statuses) {
        t.some_install_word |= e.what == event_kind::installing || e.what == event_kind::rollback;
        t.failure_told |= e.what == event_kind::failed;
    }
    return t;
}

device_row play(trace const& tr, std::mt19937& rng) {
    timers t;
    device_row r;
    std::int64_t now = 1'000'000;
    auto give = [&](event e) { apply(r, e, now += 100, t); };
    give({.what = event_kind::ready, .connection = 1});
    give({.what = event_kind::heartbeat_old, .first = true});
    give({.what = event_kind::admit});
    bool reboots = tr.what != truth::failure;
    std::size_t before = tr.statuses.empty() ? 0 : rng() % (tr.statuses.size() + 1);
    for (std::size_t i = 0; i < before; ++i) give(tr.statuses[i]);
    if (reboots) {
        give({.what = event_kind::gone, .connection = 1});
        give({.what = event_kind::ready, .connection = 2});
    }
    bool is_new = tr.what == truth::success;
    for (std::size_t i = before; i < tr.statuses.size(); ++i) {
        auto e = tr.statuses[i];
        e.version_new = is_new && reboots;
        give(e);
    }
    auto heartbeat = [&](bool first) {
        give({.what = is_new ? event_kind::heartbeat_new : event_kind::heartbeat_old, .first = first, .boot = reboots ? boot::changed : boot::same});
    };
    heartbeat(reboots);
    // Then silence but for heartbeats: timers decide the rest. A retry that would begin anew ends the story.
    for (int i = 0; i < 40 && !terminal(r) && !r.retry_pending && r.deadline_at > 0; ++i) {
        now = std::max(now, r.deadline_at);
        heartbeat(false);
        apply(r, {.what = event_kind::timer}, now, t);
    }
    return r;
}

}

namespace {

/// What Mender's server does (reference/ota.md 2.2, 2.5): each status overwrites the one before. The control: on the same traces it must be wrong
/// at least half of the time, or the traces would prove nothing.
status last_write_wins(trace const& t) {
    auto now = status::pending;
    for (auto const& e : t.statuses) switch (e.what) {
        case event_kind::downloading: case event_kind::verifying: now = status::downloading; break;
        case event_kind::installing: now = status::installing; break;
        case event_kind::completed: now = status::completed; break;
        case event_kind::rollback: now = status::rollback; break;
        default: now = status::failed; break;
        }
    return now;
}

status wanted(truth t) { return t == truth::success ? status::completed : t == truth::rollback ? status::rollback : status::failed; }

/// 20,000; with AIRMAIL_LONG=1 the 100,000 of a release.
int traces() { return std::getenv("AIRMAIL_LONG") ? 100'000 : 20'000; }
unsigned seed() {
    auto* given = std::getenv("AIRMAIL_SEED");
    return given ? static_cast<unsigned>(std::atol(given)) : 20261123;
}

}

TEST_CASE("random traces end where the truth is; an engine in which the last write wins does not") {
    std::mt19937 rng{seed()};
    int unknowable = 0, control_wrong = 0;
    int const all = traces();
    for (int i = 0; i < all; ++i) {
        auto tr = draw(rng);
        auto r = play(tr, rng);
        control_wrong += last_write_wins(tr) != wanted(tr.what);
        CAPTURE(i);
        CAPTURE(name_of(r.at));
        CAPTURE(name_of(r.why));
        switch (tr.what) {
        case truth::success: REQUIRE(status_of(r.at) == status::completed); break;
        case truth::failure:
            REQUIRE((status_of(r.at) == status::failed || r.at == stage::waiting));
            if (tr.failure_told) REQUIRE(r.why == reason::incompatible);
            break;
        case truth::rollback:
            // When every installing and rollback status was lost no server could know (reference/ota.md 2.5, its last paragraph).
            if (!tr.some_install_word) ++unknowable;
            else REQUIRE(status_of(r.at) == status::rollback);
            break;
        }
    }
    CHECK(unknowable < all / 3 / 10);
    CHECK(control_wrong * 2 >= all);
    MESSAGE("seed " << seed() << ", " << all << " traces: ours wrong in 0 of those that can be known (" << unknowable << " cannot), last write wins wrong in " << control_wrong);
}

TEST_CASE("statuses of one attempt in another order, or each told twice, end in the same place when the last heartbeat is last") {
    std::mt19937 rng{seed() + 1};
    for (int i = 0; i < traces() / 4; ++i) {
        auto tr = draw(rng);
        if (tr.what == truth::rollback && !tr.some_install_word) continue;      // what nobody told, nobody can know in any order
        auto again = tr, twice = tr;
        std::shuffle(again.statuses.begin(), again.statuses.end(), rng);
        for (auto const& e : tr.statuses) twice.statuses.push_back(e);
        auto a = play(tr, rng), b = play(again, rng), c = play(twice, rng);
        CAPTURE(i);
        auto ends = [](device_row const& r) { return r.retry_pending || r.at == stage::waiting ? status::failed : status_of(r.at); };
        REQUIRE(ends(a) == ends(b));
        REQUIRE(ends(a) == ends(c));
    }
}

TEST_CASE("an event told again at once changes nothing") {
    std::mt19937 rng{seed() + 2};
    timers t;
    for (int n = 0; n < 3'000; ++n) {
        device_row r;
        std::int64_t now = 1'000'000;
        for (int i = 0; i < 40; ++i) {
            // Words of devices and evidence; admit and the operator's forced retry are commands, not news.
            event e{.what = static_cast<event_kind>(rng() % 22), .command = id_match::current, .why = reason::incompatible};
            e.progress = int(rng() % 100), e.connection = 1 + rng() % 5, e.first = rng() % 2;
            now += rng() % 20'000;
            apply(r, e, now, t);
            auto once = r;
            if (e.what == event_kind::admit || e.what == event_kind::timer) continue;
            apply(r, e, now, t);
            CAPTURE(static_cast<int>(e.what));
            CAPTURE(name_of(once.at));
            REQUIRE(status_of(r.at) == status_of(once.at));
            REQUIRE(r.attempt == once.attempt);
            REQUIRE(r.why == once.why);
            r = once;
        }
    }
}

TEST_CASE("any stream of events keeps the row sound") {
    std::mt19937 rng{42};
    timers t;
    for (int trace = 0; trace < 5'000; ++trace) {
        device_row r;
        std::int64_t now = 1'000'000;
        for (int i = 0; i < 60; ++i) {
            event e{.what = static_cast<event_kind>(rng() % 22), .command = static_cast<id_match>(rng() % 3), .why = static_cast<reason>(rng() % 19)};
            e.progress = int(rng() % 120) - 10, e.first = rng() % 2, e.version_new = rng() % 2, e.boot = static_cast<boot>(rng() % 3);
            e.connection = 1 + rng() % 5, e.forced = rng() % 20 == 0, e.jitter = rng();
            now += rng() % 200'000;
            auto before = r;
            auto out = apply(r, e, now, t);
            if (!out.changed) REQUIRE(r == before);
            // A terminal row never becomes pending without a new attempt.
            if (terminal(before) && status_of(r.at) == status::pending) REQUIRE(r.attempt > before.attempt);
            REQUIRE(r.attempt >= before.attempt);
            if (before.cancel_requested && r.attempt == before.attempt) REQUIRE(r.cancel_requested);
            if (terminal(r)) REQUIRE(r.deadline_at == 0);
            REQUIRE(!(r.deadline_at > 0 && r.remaining > 0));
            REQUIRE(r.progress <= 100);
            if (status_of(r.at) == status::failed) REQUIRE(r.why != reason::none);
        }
    }
}
