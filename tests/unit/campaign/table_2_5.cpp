#include "plugins/campaign/device_state.hpp"

#include <doctest/doctest.h>
#include <map>
#include <string>
#include <vector>

using namespace airmail::plugins::campaign;

namespace {

constexpr std::int64_t t0 = 10'000'000;
constexpr std::uint64_t conn = 7;

/// A row as it is after the usual way to this stage.
device_row at(stage s) {
    device_row r;
    r.at = s, r.connected = true, r.connection = conn;
    r.issued = s != stage::waiting;
    r.deadline_at = rank_of(s) >= 4 && rank_of(s) < 100 ? t0 : 0;        // its timer is due at t0
    if (rank_of(s) >= 100) r.completed_at = t0 - 1000;
    if (s == stage::failed) r.why = reason::incompatible;
    if (s == stage::probation) r.heartbeats = 2, r.last_new_at = t0 - 500;
    return r;
}

std::map<std::string, event> const columns{
    {"A", {.what = event_kind::admit}},
    {"P", {.what = event_kind::puback}},
    {"D", {.what = event_kind::downloading, .command = id_match::current}},
    {"G", {.what = event_kind::verifying, .command = id_match::current}},
    {"I", {.what = event_kind::installing, .command = id_match::current}},
    {"X", {.what = event_kind::gone, .connection = conn}},
    {"HN", {.what = event_kind::heartbeat_new}},
    {"HO", {.what = event_kind::heartbeat_old, .first = true, .boot = boot::changed}},
    {"C", {.what = event_kind::completed, .command = id_match::current, .version_new = true}},
    {"C?", {.what = event_kind::completed, .command = id_match::current}},
    {"F", {.what = event_kind::failed, .command = id_match::current, .why = reason::incompatible}},
    {"R", {.what = event_kind::rollback, .command = id_match::current}},
    {"K", {.what = event_kind::cancel}},
    {"T", {.what = event_kind::timer}},
    {"Z", {.what = event_kind::supersede}},
};

std::string words(outcome const& o) {
    std::string s;
    auto add = [&](action a, char const* w) { if (o.has(a)) s += s.empty() ? w : std::string("+") + w; };
    add(send_command, "command"), add(send_cancel, "cancel"), add(revoke_url, "revoke"), add(send_report, "report");
    add(poison, "poison"), add(alert, "alert"), add(answered_too_late, "too_late"), add(stale, "stale");
    return s;
}

struct cell {
    char const *event, *stage, *actions;
};

/// "same" = the stage it was in. The rows are those of reference/ota.md 2.5, cell by cell.
std::map<std::string, std::vector<cell>> const table{
    {"waiting", {{"A", "sent", "command"}, {"P", "same", "stale"}, {"D", "downloading", ""}, {"G", "verifying", ""},
                 {"I", "installing", ""}, {"X", "same", ""}, {"HN", "already_installed", ""}, {"HO", "same", "stale"},
                 {"C", "confirmed", ""}, {"C?", "probation", "report"}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                 {"K", "failed:cancelled", "revoke"}, {"T", "same", "stale"}, {"Z", "failed:superseded", "revoke"}}},
    {"sent", {{"A", "same", "stale"}, {"P", "delivered", ""}, {"D", "downloading", ""}, {"G", "verifying", ""},
              {"I", "installing", ""}, {"X", "waiting", ""}, {"HN", "inferred", ""}, {"HO", "same", "stale"},
              {"C", "confirmed", ""}, {"C?", "probation", "report"}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
              {"K", "same", "cancel+revoke"}, {"T", "same", "command"}, {"Z", "same", "cancel+revoke"}}},
    {"delivered", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "downloading", ""}, {"G", "verifying", ""},
                   {"I", "installing", ""}, {"X", "waiting", ""}, {"HN", "inferred", ""}, {"HO", "same", "stale"},
                   {"C", "confirmed", ""}, {"C?", "probation", "report"}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                   {"K", "same", "cancel+revoke"}, {"T", "same", "command"}, {"Z", "same", "cancel+revoke"}}},
    {"downloading", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "verifying", ""},
                     {"I", "installing", ""}, {"X", "same", ""}, {"HN", "probation", ""}, {"HO", "same", "command"},
                     {"C", "confirmed", ""}, {"C?", "probation", "report"}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                     {"K", "same", "cancel+revoke"}, {"T", "failed:stalled", ""}, {"Z", "same", "cancel+revoke"}}},
    {"verifying", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                   {"I", "installing", ""}, {"X", "same", ""}, {"HN", "probation", ""}, {"HO", "same", "command"},
                   {"C", "confirmed", ""}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                   {"K", "same", "cancel+revoke"}, {"T", "failed:stalled", ""}, {"Z", "same", "cancel+revoke"}}},
    {"installing", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                    {"I", "same", "stale"}, {"X", "rebooting", ""}, {"HN", "probation", ""}, {"HO", "same", ""},
                    {"C", "confirmed", ""}, {"C?", "probation", "report"}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                    {"K", "same", "too_late"}, {"T", "failed:install_timeout", ""}, {"Z", "same", "stale"}}},
    {"rebooting", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                   {"I", "same", "stale"}, {"X", "same", ""}, {"HN", "probation", ""}, {"HO", "same", ""},
                   {"C", "confirmed", ""}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                   {"K", "same", "too_late"}, {"T", "failed:install_timeout", ""}, {"Z", "same", "stale"}}},
    {"probation", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                   {"I", "same", "stale"}, {"X", "same", ""}, {"HN", "same", ""}, {"HO", "rollback_inferred", "poison+alert"},
                   {"C", "confirmed", ""}, {"F", "failed", ""}, {"R", "reported", "poison+alert"},
                   {"K", "same", "too_late"}, {"T", "confirmed", ""}, {"Z", "same", "stale"}}},
    {"confirmed", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                   {"I", "same", "stale"}, {"X", "same", ""}, {"HN", "same", "stale"}, {"HO", "rollback_inferred", "poison+alert"},
                   {"C", "same", "stale"}, {"F", "same", "stale"}, {"R", "reported", "poison+alert"},
                   {"K", "same", "stale"}, {"T", "same", "stale"}, {"Z", "same", "stale"}}},
    {"failed", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                {"I", "same", "stale"}, {"X", "same", ""}, {"HN", "inferred", ""}, {"HO", "same", "stale"},
                {"C", "inferred", ""}, {"C?", "same", "report+stale"}, {"F", "same", "stale"}, {"R", "reported", "poison+alert"},
                {"K", "same", "stale"}, {"T", "same", "stale"}, {"Z", "same", "stale"}}},
    {"reported", {{"A", "same", "stale"}, {"P", "same", "stale"}, {"D", "same", "stale"}, {"G", "same", "stale"},
                  {"I", "same", "stale"}, {"X", "same", ""}, {"HN", "inferred", "alert"}, {"HO", "same", "stale"},
                  {"C", "same", "stale"}, {"F", "same", "stale"}, {"R", "same", "stale"},
                  {"K", "same", "stale"}, {"T", "same", "stale"}, {"Z", "same", "stale"}}},
};

}

TEST_CASE("the transition table of reference/ota.md 2.5, cell by cell") {
    for (auto const& [from, cells] : table)
        for (auto const& c : cells) {
            CAPTURE(from);
            CAPTURE(c.event);
            auto s = stage_named(from);
            REQUIRE(s.has_value());
            auto r = at(*s);
            auto before = r;
            auto out = apply(r, columns.at(c.event), t0, {});
            std::string want = c.stage, why;
            if (auto colon = want.find(':'); colon != want.npos) why = want.substr(colon + 1), want.resize(colon);
            CHECK(name_of(r.at) == (want == "same" ? from : want));
            if (!why.empty()) CHECK(name_of(r.why) == why);
            CHECK(words(out) == c.actions);
            if (!out.changed) CHECK(r == before);
            else CHECK(r.rev == before.rev + 1);
        }
}

TEST_CASE("replaying any event twice is as once") {
    for (int s = 0; s <= static_cast<int>(stage::rollback_inferred); ++s)
        for (auto const& [name, e] : columns) {
            auto once = at(static_cast<stage>(s));
            if (once.at == stage::admitted) continue;
            apply(once, e, t0, {});
            auto twice = once;
            apply(twice, e, t0, {});
            CAPTURE(name);
            CAPTURE(name_of(static_cast<stage>(s)));
            CHECK(twice == once);
        }
}

TEST_CASE("the acceptance rule") {
    device_row r = at(stage::downloading);
    SUBCASE("(b) another command's status is stale") {
        CHECK(apply(r, {.what = event_kind::failed, .command = id_match::other}, t0, {}).has(stale));
        CHECK(r.at == stage::downloading);
    }
    SUBCASE("(b) without a command_id it is matched to the current attempt") {
        apply(r, {.what = event_kind::installing}, t0, {});
        CHECK(r.at == stage::installing);
    }
    SUBCASE("(d) a smaller rank is stale") {
        r.at = stage::installing;
        CHECK(apply(r, {.what = event_kind::downloading, .progress = 99}, t0, {}).has(stale));
    }
    SUBCASE("(e) the same rank only when progress rises") {
        CHECK(apply(r, {.what = event_kind::downloading, .progress = 40}, t0, {}).changed);
        CHECK_FALSE(apply(r, {.what = event_kind::downloading, .progress = 40}, t0, {}).changed);
        CHECK_FALSE(apply(r, {.what = event_kind::downloading, .progress = 39}, t0, {}).changed);
        CHECK(apply(r, {.what = event_kind::downloading, .progress = 41}, t0, {}).changed);
        CHECK(r.progress == 41);
    }
    SUBCASE("(f) progress pushes the stall timer") {
        apply(r, {.what = event_kind::downloading, .progress = 10}, t0 + 5, {});
        CHECK(r.deadline_at == t0 + 5 + timers{}.stall);
    }
}

TEST_CASE("evidence corrects what timers and cancels said") {
    timers t;
    for (auto why : {reason::stalled, reason::no_response, reason::install_timeout}) {
        auto r = at(stage::failed);
        r.why = why;
        apply(r, {.what = event_kind::heartbeat_new}, t0, t);
        CHECK(r.at == stage::inferred);
        CHECK(r.anomaly);
    }
    auto r = at(stage::failed);
    r.why = reason::cancelled;
    apply(r, {.what = event_kind::heartbeat_new}, t0, t);
    CHECK(r.at == stage::failed);
    CHECK(r.installed_anyway);
    CHECK(apply(r, {.what = event_kind::rollback}, t0, t).has(stale));

    auto late = at(stage::confirmed);
    late.completed_at = t0 - t.rollback_window;
    CHECK(apply(late, {.what = event_kind::heartbeat_old, .first = true}, t0, t).has(stale));
    CHECK(apply(late, {.what = event_kind::rollback}, t0, t).has(stale));
    auto again = at(stage::confirmed);
    CHECK(apply(again, {.what = event_kind::rollback, .version_new = true}, t0, t).has(stale));

    auto lost = at(stage::failed);
    lost.why = reason::no_response;
    CHECK(apply(lost, {.what = event_kind::downloading}, t0, t).has(stale));            // only with the same command_id
    apply(lost, {.what = event_kind::downloading, .command = id_match::current}, t0, t);
    CHECK(lost.at == stage::downloading);
}

TEST_CASE("timers of a waiting or downloading device stand still while it is away") {
    timers t;
    device_row r;
    r.connected = true, r.connection = 1;
    apply(r, {.what = event_kind::admit}, t0, t);
    CHECK(r.deadline_at == t0 + t.ack);
    apply(r, {.what = event_kind::downloading}, t0 + 1000, t);
    apply(r, {.what = event_kind::gone, .connection = 1}, t0 + 101'000, t);
    CHECK(r.deadline_at == 0);
    CHECK(apply(r, {.what = event_kind::timer}, t0 + 90'000'000, t).has(stale));
    apply(r, {.what = event_kind::ready, .connection = 2}, t0 + 100'000'000, t);
    CHECK(r.deadline_at == t0 + 100'000'000 + t.stall - 100'000);
    apply(r, {.what = event_kind::timer}, r.deadline_at, t);
    CHECK(r.why == reason::stalled);
    CHECK(r.retry_pending);
}

TEST_CASE("no answer: the same command three times, then a new attempt with back-off") {
    timers t;
    device_row r;
    r.connected = true;
    std::int64_t now = t0;
    apply(r, {.what = event_kind::admit}, now, t);
    for (int i = 0; i < 3; ++i) {
        now = r.deadline_at;
        CHECK(apply(r, {.what = event_kind::timer}, now, t).has(send_command));
        CHECK(r.attempt == 1);
    }
    now = r.deadline_at;
    CHECK_FALSE(apply(r, {.what = event_kind::timer, .jitter = 5}, now, t).has(send_command));
    CHECK(r.why == reason::no_response);
    CHECK_FALSE(terminal(r));
    CHECK(r.deadline_at == now + t.retry + 5);
    apply(r, {.what = event_kind::timer}, r.deadline_at, t);
    CHECK(r.at == stage::waiting);
    CHECK(r.attempt == 2);
    CHECK(backoff(t, 3, 0) == 16 * t.retry);
    CHECK(backoff(t, 1, 0xffffffff) < t.retry + t.retry / 4);
}

TEST_CASE("checksum is retried once, a signature never; both are told apart") {
    timers t;
    auto r = at(stage::verifying);
    apply(r, {.what = event_kind::failed, .why = reason::checksum_mismatch}, t0, t);
    CHECK(r.retry_pending);
    apply(r, {.what = event_kind::timer}, r.deadline_at, t);
    apply(r, {.what = event_kind::admit}, t0 + 100'000, t);
    apply(r, {.what = event_kind::failed, .why = reason::checksum_mismatch}, t0 + 100'001, t);
    CHECK(terminal(r));
    auto s = at(stage::verifying);
    auto out = apply(s, {.what = event_kind::failed, .why = reason::signature_invalid}, t0, t);
    CHECK(out.has(alert));
    CHECK(terminal(s));
}

TEST_CASE("cancel is a latch") {
    timers t;
    auto r = at(stage::downloading);
    apply(r, {.what = event_kind::cancel}, t0, t);
    SUBCASE("progress does not clear it") {
        apply(r, {.what = event_kind::downloading, .progress = 80}, t0 + 1, t);
        CHECK(r.cancel_requested);
        CHECK(r.deadline_at == t0 + t.cancel);
    }
    SUBCASE("the device agrees") {
        apply(r, {.what = event_kind::cancelled}, t0 + 1, t);
        CHECK(r.why == reason::cancelled);
        CHECK(terminal(r));
    }
    SUBCASE("its broken download is the cancel's own echo") {
        apply(r, {.what = event_kind::failed, .why = reason::download_error}, t0 + 1, t);
        CHECK(r.why == reason::cancelled);
    }
    SUBCASE("nobody answers, also when it is away") {
        apply(r, {.what = event_kind::gone, .connection = conn}, t0 + 1, t);
        apply(r, {.what = event_kind::timer}, t0 + t.cancel, t);
        CHECK(r.why == reason::cancelled);
    }
    SUBCASE("it was too late: the version decides") {
        CHECK(apply(r, {.what = event_kind::installing}, t0 + 1, t).has(answered_too_late));
        CHECK(r.too_late);
        apply(r, {.what = event_kind::heartbeat_new}, t0 + 2, t);
        CHECK(r.at == stage::probation);
    }
    SUBCASE("back while latched: told again") {
        apply(r, {.what = event_kind::gone, .connection = conn}, t0 + 1, t);
        CHECK(apply(r, {.what = event_kind::ready, .connection = conn + 1}, t0 + 2, t).has(send_cancel));
    }
}

TEST_CASE("a rollback is inferred from a reboot into the old version, never from a reconnect alone") {
    timers t;
    auto r = at(stage::installing);
    r.deadline_at = t0 + t.install;
    apply(r, {.what = event_kind::gone, .connection = conn}, t0, t);
    apply(r, {.what = event_kind::ready, .connection = conn + 1}, t0 + 10, t);
    SUBCASE("boot_id changed: 60 s for the device's own word") {
        apply(r, {.what = event_kind::heartbeat_old, .first = true, .boot = boot::changed}, t0 + 20, t);
        CHECK(r.at == stage::rebooting);
        CHECK(r.deadline_at == t0 + 20 + t.rollback_grace);
        apply(r, {.what = event_kind::timer}, r.deadline_at, t);
        CHECK(r.at == stage::rollback_inferred);
    }
    SUBCASE("boot_id the same: a flap") {
        apply(r, {.what = event_kind::heartbeat_old, .first = true, .boot = boot::same}, t0 + 20, t);
        CHECK(r.deadline_at == t0 + t.install);
    }
    SUBCASE("no boot_id: asked, then judged at the install deadline") {
        CHECK(apply(r, {.what = event_kind::heartbeat_old, .first = true}, t0 + 20, t).has(send_report));
        apply(r, {.what = event_kind::timer}, t0 + t.install, t);
        CHECK(r.at == stage::rollback_inferred);
    }
    SUBCASE("four connects in ten minutes are a boot loop") {
        outcome o;
        for (std::uint64_t c = 2; c <= 4; ++c) o = apply(r, {.what = event_kind::ready, .connection = conn + c}, t0 + 10 + std::int64_t(c), t);
        CHECK(r.why == reason::boot_loop);
        CHECK(o.has(poison));
        // Every turn of the loop says the new version: no success, not for a moment.
        auto now = t0 + 100;
        for (int turn = 0; turn < 5; ++turn, now += 60'000) {
            apply(r, {.what = event_kind::heartbeat_new, .first = true}, now, t);
            apply(r, {.what = event_kind::heartbeat_new}, now + 30'000, t);
            apply(r, {.what = event_kind::completed, .command = id_match::current, .version_new = true}, now + 31'000, t);
            CHECK(r.why == reason::boot_loop);
        }
        // One session that lasts a probation is one.
        apply(r, {.what = event_kind::heartbeat_new, .first = true}, now, t);
        apply(r, {.what = event_kind::heartbeat_new}, now + t.probation - 1, t);
        CHECK(r.why == reason::boot_loop);
        apply(r, {.what = event_kind::heartbeat_new}, now + t.probation, t);
        CHECK(r.at == stage::inferred);
        CHECK(r.anomaly);
    }
}

TEST_CASE("probation needs its time and its heartbeats") {
    timers t;
    auto r = at(stage::rebooting);
    apply(r, {.what = event_kind::heartbeat_new}, t0, t);
    CHECK(status_of(r.at) == status::installing);
    SUBCASE("heartbeats missing at the end") {
        CHECK(apply(r, {.what = event_kind::timer}, t0 + t.probation, t).has(send_report));
        CHECK(r.at == stage::probation);
        apply(r, {.what = event_kind::heartbeat_new}, t0 + t.probation + 1, t);
        CHECK(r.at == stage::confirmed);
    }
    SUBCASE("silent for ever") {
        apply(r, {.what = event_kind::timer}, t0 + t.probation, t);
        apply(r, {.what = event_kind::timer}, r.deadline_at, t);
        CHECK(r.why == reason::install_timeout);
    }
    SUBCASE("probation 0 is the document's rule") {
        auto d = at(stage::rebooting);
        t.probation = 0;
        apply(d, {.what = event_kind::heartbeat_new}, t0, t);
        CHECK(d.at == stage::confirmed);
    }
}
