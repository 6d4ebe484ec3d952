// Who is next: queues, tokens, phases and their gates, and what happens by itself with time.
#include "plugins/campaign/engine_unit.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>

namespace airmail::plugins::campaign {

namespace fw = storage::firmware;

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
    // A crowd is admitted by the clock, in batches of their own; a handful at once.
    if (queues_[c.id].serials.size() > 50) ctx.timer(admission_timer, ctx.now());
    else work_.admit = true;
}

/// The larger priority first, then the older: a device that two campaigns want gets the first one's update.
void engine::admit_some() {
    std::erase_if(queues_, [this](auto& q) {
        auto* c = find(q.first);
        return !c || !c->running();
    });
    std::vector<campaign_row*> order;
    for (auto& q : queues_) order.push_back(find(q.first));
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
        return a->priority != b->priority ? a->priority > b->priority : a->created_at != b->created_at ? a->created_at < b->created_at : a->id < b->id;
    });
    int left = set_.admission_batch;
    bool more = false;
    for (auto* c : order) {
        auto& q = queues_[c->id];
        left -= admit(*c, q, left);
        more |= !q.serials.empty() && c->n.in_flight < c->max_in_flight;
    }
    crowd_ = more && left <= 0;                                       // left > 0: the rate holds us back
    if (more) ctx.timer(admission_timer, crowd_ ? ctx.now() : ctx.now() + 1000);
}

/// One batch of one campaign: read at once, signed on two threads while the rows are written, published when all are.
int engine::admit(campaign_row& c, queue& q, int most) {
    std::vector<std::string> serials;
    auto const* image = mint_.release(ctx, c.firmware_id);
    auto size = image ? image->size_bytes : 0;
    auto room = std::min<std::int64_t>(most, c.max_in_flight - c.n.in_flight);
    while (static_cast<std::int64_t>(serials.size()) < room && !q.serials.empty() && take_token(c, q, size)) {
        serials.push_back(std::move(q.serials.front()));
        q.serials.pop_front(), q.in.erase(serials.back());
    }
    if (serials.empty()) return 0;
    auto found = candidates(c, serials);
    std::vector<device_entry*> ready;
    for (auto const& serial : serials) {
        if (auto at = found.find(serial); at != found.end() && admissible(c, at->second)) ready.push_back(&at->second.d);
        else q.tokens += 1, q.bytes.level += static_cast<double>(size), bytes_.level += static_cast<double>(size);      // its token goes to another
    }
    send_batch(c, ready);
    return static_cast<int>(serials.size());
}

std::unordered_map<std::string, engine::candidate> engine::candidates(campaign_row const& c, std::vector<std::string> const& serials) {
    kit::json_array list;
    for (auto const& s : serials) list.add_text(s);
    auto names = list.str();
    std::unordered_map<std::string, candidate> out;
    for (auto& d : load_devices(ctx, "c.campaign_id = ? AND c.serial_no IN (SELECT value FROM json_each(?))", {c.id, names})) {
        auto serial = d.serial_no;
        out.emplace(std::move(serial), candidate{std::move(d)});
    }
    auto mark = [&](std::string_view sql, std::vector<sdk::sql_value> const& params, bool candidate::*what) {
        for (auto const& v : ctx.sql(sql, params))
            if (auto at = out.find(std::string{kit::text(v[0])}); at != out.end()) at->second.*what = true;
    };
    mark("SELECT serial_no FROM campaign_devices WHERE tenant = 0 AND serial_no IN (SELECT value FROM json_each(?)) AND rank BETWEEN 2 AND 50", {names},
         &candidate::busy);
    mark("SELECT d.serial_no FROM devices d JOIN campaign_poison p ON p.device_id = d.device_id AND p.to_version = ?2 "
         "WHERE d.tenant = 0 AND d.serial_no IN (SELECT value FROM json_each(?1))", {names, c.to_version}, &candidate::poisoned);
    if (!c.windows.empty()) {
        auto const general = zone::find(c.zone).value_or(zone{});
        for (auto& [serial, x] : out) x.where = general;
        // A name (zone) is better than an offset (utc_offset): it knows summer.
        for (auto const& v : ctx.sql("SELECT d.serial_no, a.value FROM devices d JOIN device_attributes a ON a.device_id = d.device_id AND a.key IN ('utc_offset', 'zone') "
                                     "WHERE d.tenant = 0 AND d.serial_no IN (SELECT value FROM json_each(?)) ORDER BY a.key", {names}))
            if (auto at = out.find(std::string{kit::text(v[0])}); at != out.end()) at->second.where = zone::find(kit::text(v[1])).value_or(at->second.where);
    }
    if (!ctx.sql("SELECT 1 FROM campaign_poison_models WHERE to_version = ? LIMIT 1", {c.to_version}).empty())
        mark("SELECT d.serial_no FROM devices d JOIN campaign_poison_models p ON p.model = d.model AND p.to_version = ?2 "
             "WHERE d.tenant = 0 AND d.serial_no IN (SELECT value FROM json_each(?1))", {names, c.to_version}, &candidate::barred);
    return out;
}

void engine::send_batch(campaign_row& c, std::vector<device_entry*> const& ready) {
    if (ready.empty()) return;
    auto const* r = mint_.release(ctx, c.firmware_id);
    if (!r) throw sdk::error("campaign " + c.id + ": its firmware " + c.firmware_id + " is gone");
    by_letter(c, r, ready, [&](device_entry& d) {
        d.row.connected = true, d.row.connection = presence_[d.serial_no];
        if (!d.row.issued) d.from_version = d.current_version;
        step(d, make(d, event_kind::admit));
    });
}

/// Rows first, commands after: the row with its command_id commits in this transaction, and what is published leaves after it.
/// @param r the image of update commands; null: cancel commands
template <class F>
void engine::by_letter(campaign_row& c, release_info const* r, std::vector<device_entry*> const& rows, F each) {
    std::vector<letter> letters(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto& d = *rows[i];
        auto& l = letters[i];
        if (d.traceparent.empty()) d.traceparent = c.traceparent;
        l.campaign_id = c.id, l.serial_no = d.serial_no, l.traceparent = d.traceparent, l.cancels = !r;
        l.command_id = r ? fw::command_id(c.id, d.device_id, d.row.attempt) : d.command_id;
        l.life_ms = r && renewable_.contains(d.serial_no) ? set_.url_life_renewable : set_.url_life;
    }
    mint_.begin(ctx, r, letters);
    try {
        for (std::size_t i = 0; i < rows.size(); ++i) letter_ = &letters[i], each(*rows[i]);
    } catch (...) {
        letter_ = nullptr, mint_.abandon();
        throw;
    }
    letter_ = nullptr;
    mint_.post(ctx, letters);
}

bool engine::take_token(campaign_row const& c, queue& q, std::int64_t image_bytes) {
    auto now = ctx.now();
    if (!bytes_.free(now, set_.rate_bytes) || !q.bytes.free(now, c.rate_bytes_s)) return false;
    if (c.rate_per_min > 0) {
        double burst = std::max(1.0, static_cast<double>(c.rate_per_min) / 60);
        if (q.tokens_at == 0) q.tokens = burst;
        else q.tokens = std::min(burst, q.tokens + static_cast<double>(now - q.tokens_at) * static_cast<double>(c.rate_per_min) / 60'000);
        q.tokens_at = now;
        if (q.tokens < 1) return false;
        q.tokens -= 1;
    }
    bytes_.level -= static_cast<double>(image_bytes), q.bytes.level -= static_cast<double>(image_bytes);
    return true;
}

/// Looks at the device as it is now; what no longer fits ends here.
bool engine::admissible(campaign_row& c, candidate& x) {
    auto& d = x.d;
    if (d.row.at != stage::waiting || !connected(d.serial_no) || d.registration != "accepted") return false;
    if (storage::firmware::compare_versions(d.current_version, d.to_version) == 0) {
        step(d, make(d, event_kind::heartbeat_new), "has it already");
        return false;
    }
    if (x.barred) return false;                                      // planned again when somebody has looked
    if (!open_at(c.windows, ctx.wall(), x.where)) return wait_for_window(c, x.where), false;
    if (x.busy) return false;                                        // planned again when the other update ends
    if (d.row.attempt == 1 && x.poisoned) {
        d.error_message = "rolled back from " + c.to_version + " before";
        step(d, make(d, event_kind::not_applicable), "poisoned");
        return false;
    }
    return true;
}

void engine::wait_for_window(campaign_row const& c, zone const& where) {
    auto opens = opens_at(c.windows, ctx.wall(), where);
    if (opens == INT64_MAX) return;
    auto due = ctx.now() + (opens - ctx.wall());
    if (due >= next_window_) return;
    next_window_ = due;
    ctx.timer(window_timer, due);
}

/// Some window has opened: whoever waits is looked at again.
void engine::windows_open() {
    next_window_ = INT64_MAX;
    for (auto const& v : ctx.sql("SELECT campaign_id FROM campaigns WHERE status = 'active' AND stage = 'running' AND windows <> ''"))
        if (auto* c = find(std::string{kit::text(v[0])})) enqueue_range(*c, 0, c->current().threshold());
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
    queues_.erase(c.id), said_.erase(c.id);
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
    auto const piece = static_cast<std::size_t>(set_.admission_batch);
    // Those under way first: they are the ones that cost something. Whoever has been asked already is marked (flag 4).
    auto asked = load_devices(ctx, "c.campaign_id = ? AND c.live = 1 AND c.rank BETWEEN 2 AND 50 AND (c.flags & 4) = 0 LIMIT ?", {c.id, static_cast<std::int64_t>(piece)});
    std::vector<device_entry*> list;
    for (auto& d : asked) list.push_back(&d);
    by_letter(c, nullptr, list, [&](device_entry& d) { step(d, make(d, event_kind::cancel)); });
    auto left = piece - asked.size();
    auto rows = load_devices(ctx, "c.campaign_id = ? AND c.live = 1 AND (c.rank = 0 OR c.rank = 110) LIMIT ?", {c.id, static_cast<std::int64_t>(left)});
    for (auto& d : rows) step(d, make(d, event_kind::cancel));
    touch(c);
    if (asked.size() + rows.size() == piece) ctx.timer(drain_timer, ctx.now());
}

}
