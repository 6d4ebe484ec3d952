#include "plugins/campaign/device_state.hpp"

#include <algorithm>
#include <cassert>

namespace airmail::plugins::campaign {

namespace {

/// One event applied to one row; each function is one column or one cell of the table.
class step {
public:
    step(device_row& r, event const& e, std::int64_t now, timers const& t) : r_(r), e_(e), now_(now), t_(t) {}

    outcome run() {
        switch (e_.what) {
        case event_kind::admit: admit(); break;
        case event_kind::puback: if (r_.at == stage::sent) enter(stage::delivered); else ignore(); break;
        case event_kind::ready: ready(); break;
        case event_kind::gone: gone(); break;
        case event_kind::heartbeat_new: heartbeat_new(); break;
        case event_kind::heartbeat_old: heartbeat_old(); break;
        case event_kind::cancel: case event_kind::supersede: cancel(); break;
        case event_kind::timer: timer(); break;
        case event_kind::not_applicable: withdraw(reason::not_applicable); break;
        case event_kind::removed: withdraw(reason::device_removed); break;
        default: said(); break;
        }
        if (out_.changed) ++r_.rev;
        return out_;
    }

private:
    int rank() const { return rank_of(r_.at); }
    void act(std::uint32_t a) { out_.actions |= a; }
    void ignore() { act(stale); }
    void touch() { out_.changed = true; }

    // Timers. Those of the waiting and downloading device run only while it is connected.
    bool connected_time() const { return rank() >= 2 && rank() < 30; }
    void start_timer(std::int64_t ms) {
        r_.deadline_at = r_.remaining = 0;
        if (ms <= 0) return;
        if (connected_time() && !r_.connected) r_.remaining = ms;
        else r_.deadline_at = now_ + ms;
    }
    std::int64_t timer_of(stage s) const {
        switch (s) {
        case stage::sent: return r_.resends == 0 ? t_.ack : t_.start;
        case stage::delivered: case stage::accepted: case stage::deferred: return t_.start;
        case stage::downloading: case stage::downloaded: case stage::verifying: return t_.stall;
        case stage::installing: return t_.install;
        case stage::probation: return std::max<std::int64_t>(t_.probation, 1);
        default: return 0;
        }
    }

    void enter(stage s) {
        bool was_installing = r_.at == stage::installing || r_.at == stage::rebooting;
        r_.at = s, touch();
        if (s == stage::rebooting && was_installing) return;         // the install clock goes on
        if (s == stage::rebooting) return start_timer(t_.install);
        // A latch keeps its own deadline, until the device is past the point where it could stop.
        if (r_.cancel_requested && rank() < 30) return;
        if (r_.cancel_requested && rank() < 100) r_.too_late = true;
        start_timer(timer_of(s));
    }
    void enter_probation(std::uint8_t heartbeats) {
        if (t_.probation == 0 && heartbeats > 0) return finish(stage::confirmed);
        r_.heartbeats = heartbeats, r_.suspect = r_.old_seen = false;
        enter(stage::probation);
    }

    void finish(stage s) {
        r_.at = s, r_.retry_pending = r_.suspect = false, touch();
        if (status_of(s) == status::completed) r_.why = reason::none, r_.progress = 100;
        r_.deadline_at = r_.remaining = 0, r_.completed_at = now_;
    }
    void fail(reason why) {
        finish(stage::failed);
        r_.why = why;
        if (why == reason::boot_loop) act(poison | alert), r_.heartbeats = 0;
        if (why == reason::signature_invalid) act(alert);
        if (r_.cancel_requested || static_cast<int>(r_.attempt) > retries_of(why)) return;
        r_.retry_pending = true, r_.completed_at = 0;
        r_.deadline_at = now_ + backoff(t_, r_.attempt, e_.jitter);
    }
    void roll_back(stage s) {
        finish(s);
        r_.why = reason::none;
        act(poison | alert);
    }
    reason latch_reason() const { return r_.superseded ? reason::superseded : reason::cancelled; }

    // A
    void admit() {
        if (rank() >= 2 && rank() < 100) return ignore();
        if (status_of(r_.at) == status::completed && !e_.forced) return ignore();
        if (status_of(r_.at) == status::rollback && !e_.forced) return ignore();
        if (status_of(r_.at) == status::failed && !e_.forced && !r_.retry_pending) return ignore();
        if (rank() >= 100) next_attempt();
        r_.issued = true;
        enter(stage::sent);
        act(send_command);
    }
    void next_attempt() {
        device_row fresh;
        fresh.attempt = r_.attempt + 1, fresh.rev = r_.rev;
        fresh.connected = r_.connected, fresh.connection = r_.connection;
        r_ = fresh, touch();
    }

    // The link
    void ready() {
        if (e_.connection != 0 && e_.connection == r_.connection && r_.connected) return ignore();
        r_.connection = e_.connection, r_.connected = true, touch();
        if (r_.remaining > 0) r_.deadline_at = now_ + r_.remaining, r_.remaining = 0;
        if (r_.cancel_requested && rank() >= 2 && rank() < 30) act(send_cancel);
        if (rank() >= 30 && rank() <= 50) count_connect();
    }
    void count_connect() {
        if (r_.loops == 0 || now_ - r_.loop_since > t_.boot_loop_window) r_.loops = 0, r_.loop_since = now_;
        if (++r_.loops >= t_.boot_loop_connects) fail(reason::boot_loop);
    }
    void gone() {
        if (!r_.connected || (e_.connection != 0 && r_.connection != 0 && e_.connection != r_.connection)) return ignore();
        r_.connected = false, touch();
        if (r_.deadline_at > 0 && connected_time() && !r_.cancel_requested)
            r_.remaining = std::max<std::int64_t>(r_.deadline_at - now_, 1), r_.deadline_at = 0;
        if (rank() >= 2 && rank() < 10 && !r_.cancel_requested)     // the intent stays; the command is bound again when it is back
            r_.at = stage::waiting, r_.deadline_at = r_.remaining = 0;
        else if (r_.at == stage::installing) enter(stage::rebooting);
    }

    // HN
    void heartbeat_new() {
        switch (status_of(r_.at)) {
        case status::pending: finish(r_.at == stage::waiting && !r_.issued ? stage::already_installed : stage::inferred); break;
        case status::downloading: r_.last_new_at = now_, enter_probation(1); break;
        case status::installing: r_.at == stage::probation ? count_heartbeat() : (r_.last_new_at = now_, enter_probation(1)); break;
        case status::completed: ignore(); break;
        case status::failed: r_.why == reason::boot_loop ? settles_down() : failed_yet_new(); break;
        case status::rollback: finish(stage::inferred), act(alert); break;
        }
    }
    void failed_yet_new() {
        if (!counts_as_failure(r_.why)) {
            if (r_.installed_anyway) return ignore();
            r_.installed_anyway = true;
            return touch();
        }
        r_.anomaly = true;
        finish(stage::inferred);
    }
    /// After a boot loop the new version is what each turn of the loop says. Believed once one session has lasted a probation
    /// with its heartbeats.
    void settles_down() {
        if (e_.first || r_.heartbeats == 0) {
            r_.heartbeats = 1, r_.loop_since = r_.last_new_at = now_;
            return touch();
        }
        if (r_.last_new_at == now_) return ignore();
        r_.last_new_at = now_, touch();
        if (r_.heartbeats < 255) ++r_.heartbeats;
        if (r_.heartbeats >= t_.probation_heartbeats && now_ - r_.loop_since >= t_.probation) failed_yet_new();
    }
    void count_heartbeat() {
        if (r_.last_new_at == now_ && r_.heartbeats > 0) return ignore();    // the same heartbeat again
        r_.last_new_at = now_, touch();
        if (r_.heartbeats < 255) ++r_.heartbeats;
        if (r_.heartbeats == 1 && t_.probation == 0) return finish(stage::confirmed);
        // Probation's time is over already: only heartbeats were missing.
        if (r_.suspect && r_.heartbeats >= t_.probation_heartbeats) finish(stage::confirmed);
    }

    // HO
    void heartbeat_old() {
        if (!e_.first) return ignore();                                      // normal inside the session that installs
        switch (status_of(r_.at)) {
        case status::downloading:
            if (r_.cancel_requested) return act(send_cancel);
            return act(send_command);                                        // same id; the device resumes by Range
        case status::installing: return r_.at == stage::probation ? roll_back(stage::rollback_inferred) : old_while_installing();
        case status::completed:
            if (now_ - r_.completed_at < t_.rollback_window) return roll_back(stage::rollback_inferred);
            return ignore();
        default: return ignore();
        }
    }
    void old_while_installing() {
        if (!r_.old_seen) r_.old_seen = true, touch();
        if (e_.boot == boot::unknown) return act(send_report);               // seed-pure: ask, keep waiting
        if (e_.boot == boot::same || r_.suspect) return;                     // a network flap
        r_.suspect = true, touch();
        r_.deadline_at = std::min(r_.deadline_at > 0 ? r_.deadline_at : now_ + t_.rollback_grace, now_ + t_.rollback_grace);
    }

    // Words of the device: the acceptance rule (b)-(f); (a) is the caller's.
    void said() {
        if (e_.command == id_match::other) return ignore();                                        // (b)
        switch (e_.what) {
        case event_kind::completed: return completed();
        case event_kind::failed: return failed(e_.why == reason::none ? reason::unspecified : e_.why);
        case event_kind::rejected: return failed(reason::rejected);
        case event_kind::rollback: return rolled_back();
        case event_kind::cancelled: return r_.cancel_requested && rank() < 100 ? fail(latch_reason()) : ignore();
        case event_kind::too_late: return rank() < 30 ? (act(answered_too_late), enter(stage::installing)) : ignore();
        default: return advance();
        }
    }
    stage stage_said() const {
        switch (e_.what) {
        case event_kind::accepted: return stage::accepted;
        case event_kind::deferred: return stage::deferred;
        case event_kind::downloading: return stage::downloading;
        case event_kind::downloaded: return stage::downloaded;
        case event_kind::verifying: return stage::verifying;
        case event_kind::installing: return stage::installing;
        default: return stage::rebooting;
        }
    }
    void advance() {
        stage s = stage_said();
        if (rank() >= 100) {                                                                       // (c)
            bool lost_only = r_.at == stage::failed && (r_.why == reason::no_response || r_.why == reason::stalled) && !r_.cancel_requested;
            if (!lost_only || e_.what != event_kind::downloading || e_.command != id_match::current) return ignore();
            r_.why = reason::none, r_.retry_pending = false, r_.completed_at = 0;
            r_.progress = -1;
        }
        else if (rank_of(s) < rank()) return ignore();                                             // (d)
        else if (rank_of(s) == rank() && (s == r_.at || rank() == 8)) return progress_only();      // (e)
        r_.issued = true;
        take_progress();
        if (s == stage::installing && r_.cancel_requested) act(answered_too_late);
        enter(s);                                                                                  // (f)
    }
    void progress_only() {
        if (r_.at == stage::downloading && take_progress()) {
            touch();
            if (!r_.cancel_requested) start_timer(t_.stall);
        } else ignore();
    }
    bool take_progress() {
        bool rises = e_.progress > r_.progress || e_.bytes > r_.bytes;
        r_.progress = std::max(r_.progress, std::min(e_.progress, 100)), r_.bytes = std::max(r_.bytes, e_.bytes);
        return rises;
    }

    void completed() {
        switch (status_of(r_.at)) {
        case status::completed: case status::rollback: return ignore();
        case status::failed:
            if (e_.version_new && r_.why != reason::boot_loop) return failed_yet_new();
            return act(stale | send_report);
        default:
            if (e_.version_new) return finish(stage::confirmed);
            if (r_.at == stage::probation) return r_.heartbeats > 0 ? finish(stage::confirmed) : act(stale | send_report);
            enter_probation(0);                                                                    // seen first, believed then
            return act(send_report);
        }
    }
    void failed(reason why) {
        if (rank() >= 100) return ignore();
        // We took the URL away, so a broken download is the cancel's own echo.
        bool echo = why == reason::download_error || why == reason::url_expired || why == reason::unspecified;
        fail(r_.cancel_requested && rank() < 30 && echo ? latch_reason() : why);
    }
    void rolled_back() {
        switch (status_of(r_.at)) {
        case status::rollback: return ignore();
        case status::completed:
            if (now_ - r_.completed_at >= t_.rollback_window || e_.version_new) return ignore();
            return roll_back(stage::rollback_reported);
        case status::failed:
            if (!counts_as_failure(r_.why)) return ignore();
            return roll_back(stage::rollback_reported);
        default: return roll_back(stage::rollback_reported);
        }
    }

    // K, Z
    void cancel() {
        bool newer = e_.what == event_kind::supersede;
        if (rank() >= 100) {
            if (!r_.retry_pending) return ignore();
            r_.cancel_requested = true, r_.superseded = newer;
            return fail(latch_reason());
        }
        if (rank() >= 30) {
            if (newer || r_.too_late) return act(newer ? stale : answered_too_late | stale);
            r_.cancel_requested = r_.too_late = true, touch();
            return act(answered_too_late);
        }
        if (r_.cancel_requested) return ignore();
        r_.cancel_requested = true, r_.superseded = newer;
        act(revoke_url);
        if (r_.at == stage::waiting) return fail(latch_reason());
        act(send_cancel), touch();
        r_.remaining = 0, r_.deadline_at = now_ + t_.cancel;     // wall clock: an operator waits
    }
    void withdraw(reason why) {
        if (rank() >= 100 && !r_.retry_pending) return ignore();
        if (why == reason::not_applicable && rank() >= 2 && rank() < 100) return ignore();
        if (r_.issued) act(revoke_url);
        r_.cancel_requested = true;                              // no further attempt
        fail(why);
    }

    // T
    void timer() {
        if (r_.deadline_at == 0 || now_ < r_.deadline_at) return ignore();
        if (r_.retry_pending) return next_attempt();
        if (r_.cancel_requested && rank() < 30) return fail(latch_reason());
        switch (status_of(r_.at)) {
        case status::pending: return no_answer();
        case status::downloading: return fail(reason::stalled);
        case status::installing: return r_.at == stage::probation ? probation_over() : install_over();
        default: r_.deadline_at = 0; return touch();
        }
    }
    void no_answer() {
        if (r_.resends >= t_.resends_max) return fail(reason::no_response);
        ++r_.resends, touch();
        start_timer(timer_of(r_.at));
        act(send_command);
    }
    void install_over() {
        if (r_.suspect || (r_.old_seen && r_.connected)) return roll_back(stage::rollback_inferred);
        fail(reason::install_timeout);
    }
    void probation_over() {
        if (r_.heartbeats >= t_.probation_heartbeats) return finish(stage::confirmed);
        // Time has passed, heartbeats are missing: wait for them as long as an install may take. `suspect` remembers it.
        if (r_.suspect) return fail(reason::install_timeout);
        r_.suspect = true, touch();
        r_.deadline_at = now_ + t_.install;
        act(send_report);
    }

    device_row& r_;
    event const& e_;
    std::int64_t now_;
    timers const& t_;
    outcome out_;
};

}

outcome apply(device_row& row, event const& e, std::int64_t now, timers const& t) {
    assert(now >= 0);
    return step(row, e, now, t).run();
}

}
