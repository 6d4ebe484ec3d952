// Who is next: queues, tokens, phases and their gates, and what happens by itself with time.
#include "plugins/campaign/engine_unit.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>

namespace airmail::plugins::campaign {

/// A connected device is put where a token can find it.
void engine::plan(std::string_view serial) {
    if (!connected(serial)) return;
    for (auto const& v : ctx.sql("SELECT c.campaign_id, c.bucket FROM campaign_devices c WHERE c.serial_no = ? AND c.live = 1 AND c.rank = 0 "
                                 "ORDER BY (c.flags & 1) DESC, c.rowid", {kit::txt(serial)})) {
        auto* c = find(std::string{kit::text(v[0])});
        if (c && c->running() && kit::integer(v[1]) < c->current().threshold()) enqueue(*c, std::string{serial});
    }
}

void engine::enqueue(campaign_row const& c, std::string const& serial) {
    auto& q = queues_[c.id];
    if (q.in.insert(serial).second) q.serials.push_back(serial);
}

void engine::enqueue_range(campaign_row const& c, std::int64_t low, std::int64_t high) {
    for (auto const& v : ctx.sql("SELECT serial_no FROM campaign_devices WHERE campaign_id = ? AND rank = 0 AND live = 1 AND bucket >= ? AND bucket < ? "
                                 "ORDER BY bucket", {c.id, low, high})) {
        std::string serial{kit::text(v[0])};
        if (connected(serial)) enqueue(c, serial);
    }
    work_.admit = true;
}

void engine::admit_some() {
    int left = set_.admission_batch;
    bool more = false;
    for (auto at = queues_.begin(); at != queues_.end();) {
        auto* c = find(at->first);
        if (!c || !c->running()) {
            at = queues_.erase(at);
            continue;
        }
        left -= admit(*c, at->second, left);
        more |= !at->second.serials.empty() && c->n.in_flight < c->max_in_flight;
        ++at;
    }
    if (more) ctx.timer(admission_timer, left > 0 ? ctx.now() + 1000 : ctx.now());      // left > 0: the rate holds us back
}

int engine::admit(campaign_row& c, queue& q, int most) {
    int n = 0;
    while (n < most && !q.serials.empty() && c.n.in_flight < c.max_in_flight && take_token(c, q)) {
        auto serial = std::move(q.serials.front());
        q.serials.pop_front(), q.in.erase(serial);
        auto d = load_device(ctx, c.id, serial);
        if (!d || d->row.at != stage::waiting || !connected(serial) || !admissible(c, *d)) continue;
        d->row.connected = true, d->row.connection = presence_[serial];
        if (!d->row.issued) d->from_version = d->current_version;
        if (d->traceparent.empty()) d->traceparent = c.traceparent;
        step(*d, make(*d, event_kind::admit));
        ++n;
    }
    return n;
}

bool engine::take_token(campaign_row const& c, queue& q) {
    if (c.rate_per_min <= 0) return true;
    double burst = std::max(1.0, static_cast<double>(c.rate_per_min) / 60);
    auto now = ctx.now();
    if (q.tokens_at == 0) q.tokens = burst;
    else q.tokens = std::min(burst, q.tokens + static_cast<double>(now - q.tokens_at) * static_cast<double>(c.rate_per_min) / 60'000);
    q.tokens_at = now;
    if (q.tokens < 1) return false;
    return q.tokens -= 1, true;
}

/// Looks at the device as it is now; what no longer fits ends here.
bool engine::admissible(campaign_row& c, device_entry& d) {
    if (d.registration != "accepted") return false;
    if (storage::firmware::compare_versions(d.current_version, d.to_version) == 0) {
        step(d, make(d, event_kind::heartbeat_new), "has it already");
        return false;
    }
    if (busy_elsewhere(d)) return false;                             // planned again when the other update ends
    if (d.row.attempt == 1 && !ctx.sql("SELECT 1 FROM campaign_poison WHERE device_id = ? AND to_version = ?", {d.device_id, d.to_version}).empty()) {
        d.error_message = "rolled back from " + c.to_version + " before";
        step(d, make(d, event_kind::not_applicable), "poisoned");
        return false;
    }
    return true;
}

/// After every hook that changed a campaign: is it over, may the next phase begin?
void engine::check(campaign_row& c) {
    if (!c.open()) return;
    if (c.stage == "draining") {
        if (c.n.of(status::pending) + c.n.of(status::downloading) > 0) return;
        if (ctx.sql("SELECT 1 FROM campaign_devices WHERE campaign_id = ? AND live = 1 AND rank = 110 LIMIT 1", {c.id}).empty())
            finish(c, "cancelled", "operator");
        return;
    }
    if (c.n.finished == c.n.total && !c.dynamic) return finish(c, "completed", "all_terminal");
    gates(c);
}

void engine::finish(campaign_row& c, std::string_view status, std::string_view stage) {
    c.status = status, c.stage = stage, c.completed_at = ctx.wall();
    queues_.erase(c.id);
    say(c, status, {}, c.reason);
}

void engine::gates(campaign_row& c) {
    for (int guard = 0; guard < 100 && c.running() && !c.last_phase(); ++guard) {
        auto at = queues_.find(c.id);
        gate_facts f{.in_flight = c.n.in_flight, .queued = at == queues_.end() ? 0 : static_cast<std::int64_t>(at->second.serials.size())};
        if (f.in_flight > 0) return;
        auto rows = ctx.sql("SELECT count(*) FROM campaign_devices WHERE campaign_id = ? AND bucket < ?", {c.id, c.current().threshold()});
        f.targets = kit::integer(rows.at(0).at(0));
        f.completed = c.n.of(status::completed), f.counted = c.n.counted();
        f.since = c.phase_since, f.now = ctx.now(), f.minimum = set_.phase_min;
        switch (judge(c.current(), f)) {
        case gate::pass: begin_phase(c, c.phase + 1); break;
        case gate::stop: return halt(c, "too many failures in the phase of " + std::to_string(static_cast<int>(c.current().percent)) + " %");
        case gate::wait:
            if (f.counted > 0 && f.now - f.since < c.current().soak_ms) ctx.timer(house_timer, f.since + c.current().soak_ms);
            return;
        }
    }
}

void engine::begin_phase(campaign_row& c, std::int64_t n) {
    auto low = n == 0 ? 0 : c.phases[static_cast<std::size_t>(n) - 1].threshold();
    c.phase = n, c.phase_since = ctx.now();
    say(c, "phase", {}, std::to_string(n + 1) + " of " + std::to_string(c.phases.size()));
    enqueue_range(c, low, c.current().threshold());
}

/// Scheduled starts, expiries, gates that waited for time, and queues that a dropped timer left standing. Every minute at least.
void engine::house() {
    auto now = ctx.now(), wall = ctx.wall();
    std::int64_t next = now + 60'000;
    for (auto const& v : ctx.sql("SELECT campaign_id FROM campaigns WHERE status IN ('pending', 'active')")) {
        auto& c = *find(std::string{kit::text(v[0])});
        if (c.status == "pending") {
            if (c.stage != "scheduled") continue;
            if (c.start_at > wall) next = std::min(next, now + (c.start_at - wall));
            else begin(c, "schedule");
            continue;
        }
        if (c.expires_at > 0 && c.expires_at <= wall && c.stage != "draining") expire(c);
        else if (c.expires_at > wall) next = std::min(next, now + (c.expires_at - wall));
        touch(c);                                                    // check() looks at its gate
        if (c.running() && !c.last_phase() && c.phase_since + c.current().soak_ms > now) next = std::min(next, c.phase_since + c.current().soak_ms);
    }
    work_.admit = true;
    ctx.timer(house_timer, next);
}

/// Waiting devices end as not_applicable, those under way go on; then it completes as `expired`.
void engine::expire(campaign_row& c) {
    for (auto& d : load_devices(ctx, "c.campaign_id = ? AND c.live = 1 AND (c.rank = 0 OR c.rank = 110) LIMIT 2000", {c.id}))
        step(d, make(d, event_kind::not_applicable), "expired");
    if (c.n.of(status::pending) > c.n.in_flight) ctx.timer(house_timer, ctx.now());
}

/// A cancel's long tail: devices that wait are ended in pieces, so that the lane stays quick.
void engine::drain() {
    for (auto const& v : ctx.sql("SELECT campaign_id FROM campaigns WHERE status = 'active' AND stage = 'draining'"))
        drain(*find(std::string{kit::text(v[0])}));
}

void engine::drain(campaign_row& c) {
    constexpr std::size_t piece = 2000;
    auto rows = load_devices(ctx, "c.campaign_id = ? AND c.live = 1 AND (c.rank = 0 OR c.rank = 110) LIMIT ?", {c.id, std::int64_t{piece}});
    for (auto& d : rows) step(d, make(d, event_kind::cancel));
    touch(c);
    if (rows.size() == piece) ctx.timer(drain_timer, ctx.now());
}

}
