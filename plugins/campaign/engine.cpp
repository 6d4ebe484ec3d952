#include "plugins/campaign/engine.hpp"

#include "plugins/campaign/engine_unit.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>
#include <functional>

namespace airmail::plugins::campaign {

namespace fw = storage::firmware;

void engine::configure() {
    set_ = read_settings(ctx);
    mint_.configure(ctx, set_);
}

void engine::start() {
    unit([&] {
        for (auto& d : load_devices(ctx, "c.live = 1 AND (c.flags & 2) = 2", {})) step(d, make(d, event_kind::gone));
        ctx.timer(house_timer, ctx.now());
        ctx.timer(drain_timer, ctx.now());                         // a cancel that was cut short goes on
        next_deadline_ = INT64_MAX;
        arm(ctx.now());
    });
}

campaign_row* engine::find(std::string const& id) {
    if (auto at = work_.campaigns.find(id); at != work_.campaigns.end()) return &at->second;
    auto c = load_campaign(ctx, id);
    return c ? &work_.campaigns.emplace(id, std::move(*c)).first->second : nullptr;
}

campaign_row& engine::need(std::string const& id) {
    if (auto* c = find(id)) return *c;
    throw kit::refusal{404, "campaign.not_found", "no campaign " + id};
}

/// Writes campaigns back and lets `watch` tell what happened. Completion and gates are looked at once per hook.
void engine::flush() {
    for (auto const& serial : std::exchange(work_.replan, {})) plan(serial);
    if (std::exchange(work_.admit, false)) admit_some();
    auto dirty = work_.dirty;
    for (auto const& id : dirty) check(work_.campaigns.at(id));
    if (std::exchange(work_.admit, false)) admit_some();           // a new phase has begun
    for (auto const& id : work_.dirty) save_campaign(ctx, work_.campaigns.at(id));
    if (!work_.events || no_watch_) return;
    try {
        ctx.call("watch.flush", "{}", [](int, std::string_view) {});
    } catch (sdk::error const&) { no_watch_ = true; }              // not loaded: rows are there all the same
}

void engine::say(campaign_row& c, std::string_view what, std::string_view who, std::string_view reason) {
    touch(c);
    ctx.sql("INSERT INTO campaign_events(campaign_id, seq, at, event, to_status, stage, reason, detail) VALUES(?, ?, ?, 'campaign', ?, ?, ?, ?)",
            {c.id, ++c.seq, ctx.wall(), c.status, c.stage, kit::txt(reason), kit::json_object{}.text("what", what).text_if("by", who).str()});
    work_.events = true;
}

void engine::record(campaign_row& c, device_entry const& d, status from, std::string_view detail) {
    ctx.sql("INSERT INTO campaign_events(campaign_id, seq, at, event, device_id, serial_no, from_status, to_status, stage, reason, command_id, "
            "attempt, detail) VALUES(?, ?, ?, 'device', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            {c.id, ++c.seq, ctx.wall(), d.device_id, d.serial_no, kit::txt(name_of(from)), kit::txt(name_of(status_of(d.row.at))),
             kit::txt(name_of(d.row.at)), kit::txt(name_of(d.row.why)), kit::or_null(d.command_id), std::int64_t{d.row.attempt}, kit::txt(detail)});
    work_.events = true;
}

event engine::make(device_entry const& d, event_kind k) const {
    event e{.what = k};
    e.jitter = std::hash<std::string>{}(d.device_id);
    return e;
}

bool engine::busy_elsewhere(device_entry const& d) {
    return !ctx.sql("SELECT 1 FROM campaign_devices WHERE tenant = 0 AND serial_no = ? AND rank BETWEEN 2 AND 50 AND rowid <> ?",
                    {d.serial_no, d.rowid}).empty();
}

/// One event on one row: the row, the counters, the event's record, then the actions.
outcome engine::step(device_entry& d, event const& e, std::string_view detail) {
    auto* c = find(d.campaign_id);
    if (!c) return {.actions = stale};
    auto before = d.row;
    auto next = d.row;
    if (terminal(before)) next.connected = connected(d.serial_no);      // nobody told it meanwhile
    auto out = apply(next, e, ctx.now(), set_.t);
    // One update per device. Who admits has looked already.
    if (in_flight(next) && !in_flight(before) && e.what != event_kind::admit && busy_elsewhere(d)) return {.actions = stale};
    d.row = next;
    if (out.changed) {
        c->n.add(before, -1), c->n.add(d.row, +1), touch(*c);
        d.updated_at = ctx.wall();
        if (d.started_at == 0 && rank_of(d.row.at) >= 2) d.started_at = d.updated_at;
        d.completed_at = terminal(d.row) ? (d.completed_at ? d.completed_at : d.updated_at) : 0;
        if (d.row.attempt != before.attempt) d.error_message.clear();
        if (out.has(send_command)) d.command_id = fw::command_id(d.campaign_id, d.device_id, d.row.attempt);
        save_device(ctx, d);
        if (d.row.deadline_at > 0) arm(d.row.deadline_at);
        bool told = d.row.at == stage::delivered && before.at == stage::sent;      // nothing a person waits for: no event of its own
        bool moved = (d.row.at != before.at && !told) || d.row.why != before.why || d.row.attempt != before.attempt ||
                     d.row.cancel_requested != before.cancel_requested || d.row.installed_anyway != before.installed_anyway;
        if (moved) record(*c, d, status_of(before.at), detail);
        follow_status(d, status_of(before.at));
        weigh(*c, d.started_at, before, d.row);
        if (in_flight(before) && !in_flight(d.row)) work_.replan.insert(d.serial_no), work_.admit = true;
    }
    if (!out.changed && out.has(send_command) && d.command_id.empty()) {      // it began without our command, and is now told one
        d.command_id = fw::command_id(d.campaign_id, d.device_id, d.row.attempt);
        save_device(ctx, d);
    }
    if (out.has(stale)) ctx.metric_add("airmail_campaign_stale_events_total", 1);
    act(*c, d, out);
    return out;
}

void engine::act(campaign_row& c, device_entry& d, outcome const& o) {
    order what{.campaign_id = c.id, .command_id = d.command_id, .serial_no = d.serial_no, .traceparent = d.traceparent, .life_ms = set_.url_life};
    if (o.has(send_command)) send(c, d);
    if (o.has(send_cancel)) letter_ && letter_->cancels ? void(letter_->wanted = true) : mint_.send_cancel(ctx, what);
    if (o.has(revoke_url) && !d.command_id.empty() && revoked_.erase(d.command_id) == 0) ctx.revoke(d.command_id);
    if (o.has(send_report) && connected(d.serial_no)) mint_.send_report(ctx, d.serial_no);
    if (o.has(poison))
        ctx.sql("INSERT OR REPLACE INTO campaign_poison(device_id, to_version, serial_no, reason, at) VALUES(?, ?, ?, ?, ?)",
                {d.device_id, d.to_version, d.serial_no, kit::txt(name_of(d.row.at)), ctx.wall()});
    if (o.has(alert)) {
        bool rolled = status_of(d.row.at) == status::rollback;
        auto kind = rolled ? "rollback" : d.row.why == reason::none ? "came_back" : name_of(d.row.why);
        auto why = d.error_message.empty() ? std::string{} : ": " + d.error_message;
        raise(rolled ? "critical" : "warning", kind, c, d.serial_no,
              d.serial_no + (rolled ? " rolled back from " + d.to_version + " to " + d.from_version : " " + std::string{name_of(d.row.at)} + " " +
              std::string{name_of(d.row.why)}) + why);
        hard_stops(c, d);
    }
}

void engine::send(campaign_row& c, device_entry& d) {
    ctx.metric_add("airmail_campaign_commands_total", 1);
    if (letter_ && !letter_->cancels) return void(letter_->wanted = true);
    auto const* r = mint_.release(ctx, c.firmware_id);
    if (!r) throw sdk::error("campaign " + c.id + ": its firmware " + c.firmware_id + " is gone");
    bool renews = renewable_.contains(d.serial_no);
    mint_.send_update(ctx, *r, {.campaign_id = c.id, .command_id = d.command_id, .serial_no = d.serial_no, .traceparent = d.traceparent,
                                .life_ms = renews ? set_.url_life_renewable : set_.url_life});
}

void engine::follow_status(device_entry const& d, status before) {
    auto updating = [](status s) { return s == status::downloading || s == status::installing; };
    auto now = status_of(d.row.at);
    if (updating(before) == updating(now)) return;
    auto word = updating(now) ? "updating" : connected(d.serial_no) ? "online" : "offline";
    ctx.sql("UPDATE devices SET status = ?, updated_at = ? WHERE device_id = ? AND status <> ?", {kit::txt(word), ctx.wall(), d.device_id, kit::txt(word)});
}

void engine::raise(std::string_view severity, std::string_view kind, campaign_row const& c, std::string_view serial, std::string_view text) {
    auto params = kit::json_object{}.text("severity", severity).text("kind", kind).text("campaign_id", c.id).text_if("serial_no", serial).text("text", text).str();
    ctx.log(sdk::level::warn, text);
    try {
        ctx.call("alert.raise", params, [](int, std::string_view) {});
    } catch (sdk::error const&) {}                                 // the log has it
}

/// The timer stands at the nearest deadline; it looks for itself what is due.
void engine::arm(std::int64_t deadline) {
    if (deadline >= next_deadline_) return;
    next_deadline_ = deadline;
    ctx.timer(deadline_timer, deadline);
}

void engine::tick(std::uint64_t timer) {
    unit([&] {
        switch (timer) {
        case admission_timer: work_.admit = true; break;
        case deadline_timer: deadlines(); break;
        case house_timer: house(); break;
        case drain_timer: drain(); break;
        case delivered_timer: take_delivered(); break;
        case window_timer: windows_open(); break;
        default: break;
        }
    });
}

void engine::deadlines() {
    auto now = ctx.now();
    next_deadline_ = INT64_MAX;
    for (auto& d : load_devices(ctx, "c.deadline_at > 0 AND c.deadline_at <= ? ORDER BY c.deadline_at LIMIT 500", {now})) {
        auto before = d.row;
        step(d, make(d, event_kind::timer));
        if (before.retry_pending && d.row.at == stage::waiting) work_.replan.insert(d.serial_no), work_.admit = true;
        if (d.row.deadline_at > 0 && d.row.deadline_at <= now) arm(now + 1000);      // could not move: looked at again, not spun on
    }
    auto next = ctx.sql("SELECT min(deadline_at) FROM campaign_devices WHERE deadline_at > 0");
    std::int64_t due = next.empty() || kit::is_null(next[0][0]) ? INT64_MAX : kit::integer(next[0][0]);
    if (due != INT64_MAX) arm(std::max(due, now + 1));
}

}
