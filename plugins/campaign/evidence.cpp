// What devices say and what is seen of them, turned into events of the table.
#include "plugins/campaign/engine_unit.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>

namespace airmail::plugins::campaign {

namespace fw = storage::firmware;

namespace {

std::optional<event_kind> kind_of(std::string_view word) {
    static constexpr std::pair<std::string_view, event_kind> words[] = {
        {"downloading", event_kind::downloading}, {"downloaded", event_kind::downloaded}, {"verifying", event_kind::verifying},
        {"installing", event_kind::installing},   {"rebooting", event_kind::rebooting},   {"completed", event_kind::completed},
        {"failed", event_kind::failed},           {"rollback", event_kind::rollback},     {"accepted", event_kind::accepted},
        {"deferred", event_kind::deferred},       {"rejected", event_kind::rejected},     {"cancelled", event_kind::cancelled},
        {"too_late", event_kind::too_late}};
    for (auto const& [name, kind] : words)
        if (name == word) return kind;
    return std::nullopt;
}

bool same_version(std::string_view a, std::string_view b) { return !a.empty() && fw::compare_versions(a, b) == 0; }

}

void engine::ready(std::string_view serial, std::uint64_t connection) {
    unit([&] {
        presence_[std::string{serial}] = connection;
        for (auto& d : rows_of(serial, false)) {
            auto* c = find(d.campaign_id);
            if (!c || c->status == "pending") continue;
            auto e = make(d, event_kind::ready);
            e.connection = connection;
            step(d, e);
        }
        plan(serial);
        work_.admit = true;
    });
}

void engine::gone(std::string_view serial, std::uint64_t connection) {
    unit([&] {
        auto at = presence_.find(std::string{serial});
        // A session that was taken over says good-bye after the new one has come.
        if (at != presence_.end() && connection != 0 && at->second != connection) return;
        if (at != presence_.end()) presence_.erase(at);
        for (auto& d : rows_of(serial, false)) {
            auto e = make(d, event_kind::gone);
            e.connection = connection;
            step(d, e);
        }
    });
}

std::vector<device_entry> engine::rows_of(std::string_view serial, bool finished_too) {
    if (!finished_too) return load_devices(ctx, "c.serial_no = ? AND c.live = 1 ORDER BY c.rowid DESC", {kit::txt(serial)});
    return load_devices(ctx, "c.serial_no = ? AND (c.live = 1 OR c.ended_ms > ?) ORDER BY c.rowid DESC",
                        {kit::txt(serial), ctx.now() - set_.t.rollback_window});
}

int engine::take(report const& r, bool& watch) {
    return unit([&] {
        watch = false;
        if (r.kind == "status") return status_report(r);
        if (r.kind == "heartbeat") return heartbeat(r, watch), 200;
        if (r.kind == "byte") return first_byte(r), 200;
        if (r.kind == "joined") return join(r.serial_no), 200;
        if (r.kind == "removed") {
            for (auto& d : rows_of(r.serial_no, false)) step(d, make(d, event_kind::removed));
            return 200;
        }
        return 400;
    });
}

int engine::status_report(report const& r) {
    auto kind = kind_of(r.word);
    if (!kind) return 422;
    auto d = load_device(ctx, r.campaign_id, r.serial_no);
    auto* c = d ? find(d->campaign_id) : nullptr;
    if (!c || c->status == "pending") return 404;                                                   // (a)
    auto e = make(*d, *kind);
    e.command = r.command_id.empty() ? id_match::absent : r.command_id == d->command_id ? id_match::current : id_match::other;
    e.progress = static_cast<int>(std::clamp<std::int64_t>(r.progress, -1, 100)), e.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(r.bytes, 0));
    auto why = reason_named(r.reason.empty() ? r.error : r.reason);
    e.why = why && *why != reason::none && counts_as_failure(*why) ? *why : reason::unspecified;
    e.version_new = same_version(r.current_firmware.empty() ? d->current_version : r.current_firmware, d->to_version);
    bool final = *kind == event_kind::failed || *kind == event_kind::rollback || *kind == event_kind::rejected;
    if (final && e.command != id_match::other) {
        if (!r.error.empty()) d->error_message = r.error;
        if (!r.failed_firmware.empty()) d->failed_version = r.failed_firmware;
    }
    auto out = step(*d, e, r.error);
    return out.has(stale) ? 208 : 200;
}

void engine::heartbeat(report const& r, bool& watch) {
    bool newest_finished = true;                   // only the latest update speaks about what runs now
    for (auto& d : rows_of(r.serial_no, true)) {
        auto* c = find(d.campaign_id);
        if (!c || c->status == "pending") continue;
        if (terminal(d.row) && !std::exchange(newest_finished, false)) continue;
        if (in_flight(d.row)) newest_finished = false;
        // A device that lost its last status tells it again here.
        if (!r.last_command_id.empty() && r.last_command_id == d.command_id && !terminal(d.row)) {
            if (auto k = kind_of(r.last_result); k && (*k == event_kind::failed || *k == event_kind::rollback || *k == event_kind::cancelled)) {
                auto e = make(d, *k);
                e.command = id_match::current, e.why = reason::unspecified;
                step(d, e, "told in a heartbeat");
            } else if (auto why = reason_named(r.last_result); why && counts_as_failure(*why)) {
                auto e = make(d, event_kind::failed);
                e.command = id_match::current, e.why = *why;
                step(d, e, "told in a heartbeat");
            }
        }
        bool is_new = same_version(r.current_firmware, d.to_version), is_old = same_version(r.current_firmware, d.from_version);
        if (is_new || is_old) {
            auto e = make(d, is_new ? event_kind::heartbeat_new : event_kind::heartbeat_old);
            e.first = r.first;
            e.boot = r.boot == "changed" ? boot::changed : r.boot == "same" ? boot::same : boot::unknown;
            step(d, e);
        }
        watch |= d.row.at == stage::probation || (d.row.why == reason::boot_loop && is_new);
    }
    if (r.changed) join(r.serial_no);
}

void engine::delivered(std::string_view serial, std::string_view command_id) {
    if (command_id.empty() || !connected(serial)) return;
    delivered_.insert_or_assign(std::string{serial}, std::string{command_id});
    if (std::exchange(delivered_armed_, true)) return;
    delivered_since_ = ctx.now();
    ctx.timer(delivered_timer, ctx.now() + 250);
}

/// At most a thousand at once; a row that has moved on meanwhile is left alone.
void engine::take_delivered() {
    // Whoever waits to be told goes before those who have been told: this is a hint, the lane's time is theirs.
    if (crowd_ && ctx.now() - delivered_since_ < 2000) return ctx.timer(delivered_timer, ctx.now() + 250);
    delivered_armed_ = false;
    kit::json_array names;
    std::size_t n = 0;
    for (auto const& [serial, id] : delivered_)
        if (n++ < 1000) names.add_text(serial);
    if (n == 0) return;
    auto rows = load_devices(ctx, "c.live = 1 AND c.rank = 4 AND c.serial_no IN (SELECT value FROM json_each(?))", {names.str()});
    for (auto& d : rows)
        if (auto at = delivered_.find(d.serial_no); at != delivered_.end() && at->second == d.command_id) step(d, make(d, event_kind::puback));
    if (n > 1000) delivered_armed_ = true, ctx.timer(delivered_timer, ctx.now());
    // Forgotten last: what this hook wrote may be undone, and then it is asked again.
    n = 0;
    for (auto at = delivered_.begin(); at != delivered_.end() && n < 1000; ++n) at = delivered_.erase(at);
}

/// Our own file server has seen the first byte go: the device is downloading, whether it says so or not.
void engine::first_byte(report const& r) {
    for (auto& d : rows_of(r.serial_no, false)) {
        if (d.command_id != r.command_id || rank_of(d.row.at) >= 10) continue;
        auto e = make(d, event_kind::downloading);
        e.command = id_match::current;
        step(d, e, "first byte");
    }
}

/// New or changed devices, for campaigns that take late joiners.
void engine::join(std::string_view serial) {
    for (auto const& v : ctx.sql("SELECT campaign_id FROM campaigns WHERE status = 'active' AND dynamic = 1")) {
        auto* c = find(std::string{kit::text(v[0])});
        if (!c || c->stage == "draining" || materialise_one(ctx, *c, serial) == 0) continue;
        ++c->n.total, ++c->n.by_status[0], touch(*c);
        work_.replan.insert(std::string{serial}), work_.admit = true;
    }
}

void engine::request(std::string_view serial, std::string_view what, std::string_view command_id) {
    unit([&] {
        bool url = what == "url" || what == "url_refresh";
        if (!url && what != "sync") return ctx.metric_add("airmail_campaign_unknown_requests_total", 1);
        if (url && connected(serial)) renewable_.insert(std::string{serial});
        for (auto& d : rows_of(serial, false)) {
            auto* c = find(d.campaign_id);
            if (!c || !in_flight(d.row) || rank_of(d.row.at) >= 30 || d.row.cancel_requested) continue;
            if (!url) send(*c, d);                                   // the same command again, bound anew
            else if (d.command_id == command_id)
                if (auto const* rel = mint_.release(ctx, c->firmware_id))
                    mint_.send_url(ctx, *rel, {.campaign_id = c->id, .command_id = d.command_id, .serial_no = d.serial_no,
                                               .traceparent = d.traceparent, .life_ms = set_.url_life_renewable});
        }
        plan(serial);
        work_.admit = true;
    });
}

}
