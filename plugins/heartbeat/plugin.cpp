#include "plugins/heartbeat/plugin.hpp"

#include "plugins/kit/duration.hpp"
#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>
#include <unordered_set>

namespace airmail::plugins {

using heartbeat::hash_text, heartbeat::slot;

/// The fields we read; views into the payload, or into `held` when a text had escapes.
struct heartbeat_plugin::beat {
    std::string serial_no, model, current_firmware, last_command_id, last_result, boot_id;
    std::uint64_t extra = 14695981039346656037ull;     // boot_slot, keys_version, counter: kept by the registry too
    std::int64_t timestamp = 0;
    bool good = false;

    explicit beat(std::string_view json) {
        good = kit::each_field(json, [&](std::string_view name, kit::field const& f) {
            if (name == "serial_no" && f.word()) serial_no = *f.word();      // 12345 and "12345" are one serial number
            else if (name == "model" && f.is_string()) model = f.text;
            else if (name == "current_firmware" && f.is_string()) current_firmware = f.text;
            else if (name == "timestamp") timestamp = f.integer().value_or(0);
            else if (name == "last_command_id" && f.is_string()) last_command_id = f.text;
            else if (name == "last_result" && f.is_string()) last_result = f.text;
            else if (name == "boot_id" && f.word()) boot_id = *f.word();
            else if (name == "boot_slot" || name == "keys_version" || name == "counter") extra = hash_text(f.text, hash_text(name, extra));
        });
        good = good && !serial_no.empty() && !model.empty() && !current_firmware.empty() && model.size() <= 128 && current_firmware.size() <= 128;
    }
};

sdk::declaration heartbeat_plugin::declare() {
    sdk::declaration d;
    d.ready_topic = "devices/{id}/command", d.after = {"ota.registry"};
    d.topics = {{.filter = "devices/{id}/heartbeat", .durable = true, .overflow = "latest"}};
    d.methods = {{"heartbeat.forget", "admin", "", "", "A device was removed; for other plugins.", false}};
    d.metrics = {{"airmail_heartbeat_received_total", "heartbeats"}, {"airmail_heartbeat_unchanged_total", "heartbeats that said nothing new"}, {"airmail_heartbeat_invalid_total", "heartbeats that are not what the contract says"},
                 {"airmail_heartbeat_impostors_total", "heartbeats whose serial_no is not the topic's"}, {"airmail_heartbeat_skew_seconds", "device clock minus ours, latest", "gauge"},
                 {"airmail_heartbeat_known_devices", "devices ever heard", "gauge"}, {"airmail_heartbeat_offline_devices", "active devices past three times their rhythm", "gauge"}};
    return d;
}

void heartbeat_plugin::configure() {
    checkpoint_ms_ = std::max<std::int64_t>(kit::duration_option(ctx, "ota_heartbeat_checkpoint", checkpoint_ms_), 100);
    flush_ms_ = std::max<std::int64_t>(kit::duration_option(ctx, "ota_last_seen_flush", flush_ms_), 100);
    offline_percent_ = kit::count_option(ctx, "ota_alert_offline_percent", offline_percent_, 0, 100);
}

void heartbeat_plugin::start() {
    std::size_t damaged = 0;
    ctx.state_scan([&](std::uint64_t chunk, std::string_view bytes) { damaged += slots_.load(chunk, bytes) ? 0 : 1; });
    if (damaged) ctx.log(sdk::level::warn, "heartbeat: " + std::to_string(damaged) + " damaged chunks; their devices are registered anew");
    // What the registry does not know, it must be told.
    std::unordered_set<std::string> known;
    for (auto const& v : ctx.sql("SELECT serial_no FROM devices WHERE ever_seen = 1")) known.emplace(kit::text(v[0]));
    for (auto& s : slots_.all())
        if (!known.contains(s.serial)) s.content = 0;
    for (auto const& v : ctx.sql("SELECT serial_no FROM campaign_devices WHERE stage = 'probation'")) slots_.of(kit::text(v[0])).watched = true;
    slots_.take_changed();
    ctx.timer(checkpoint_timer, ctx.now() + checkpoint_ms_);
    ctx.timer(flush_timer, ctx.now() + flush_ms_);
    ctx.timer(offline_timer, ctx.now() + 60'000);
}

void heartbeat_plugin::stop() {
    flush_last_seen(SIZE_MAX);
    checkpoint();
}

void heartbeat_plugin::session(sdk::session_view const& s) {
    if (s.change == sdk::session_change::ready) slots_.of(s.identity).first = true;
}

sdk::verdict heartbeat_plugin::message(sdk::message_view const& m) {
    ++received_;
    auto id = m.topic.substr(8, m.topic.size() - 8 - 10);          // between "devices/" and "/heartbeat"
    beat b{m.payload};
    if (!b.good) {
        ctx.metric_add("airmail_heartbeat_invalid_total", 1);
        ctx.log(sdk::level::debug, "heartbeat not understood", kit::json_object{}.text("serial_no", id).str());
        return sdk::verdict::ok;
    }
    if (b.serial_no != id) return impostor(id, b.serial_no);
    auto& s = slots_.of(id);
    auto content = hash_text(b.current_firmware, hash_text(b.model, b.extra)) | 1;
    auto boot = b.boot_id.empty() ? 0 : hash_text(b.boot_id) | 1;
    auto result = b.last_command_id.empty() ? 0 : hash_text(b.last_result, hash_text(b.last_command_id)) | 1;
    bool changed = content != s.content, rebooted = boot != 0 && s.boot != 0 && boot != s.boot;
    learn(s, ctx.wall() - std::max<std::int64_t>(ctx.now() - m.received, 0));
    if (b.timestamp > 0) ctx.metric_set("airmail_heartbeat_skew_seconds", static_cast<double>(b.timestamp - s.last_seen / 1000));
    if (!changed && !rebooted && !s.first && !s.watched && (result == 0 || result == s.result)) {
        ++unchanged_;
        return sdk::verdict::ok;
    }
    if (changed && !tell_registry(m.payload)) return sdk::verdict::ok;      // refused: asked again with the next heartbeat
    evidence(s, b, boot == 0 || s.boot == 0 ? "unknown" : rebooted ? "changed" : "same", changed);
    s.content = content, s.first = false;
    if (boot) s.boot = boot;
    if (result) s.result = result;
    slots_.changed(s);
    return sdk::verdict::ok;
}

sdk::verdict heartbeat_plugin::impostor(std::string_view id, std::string_view claimed) {
    ctx.metric_add("airmail_heartbeat_impostors_total", 1);
    auto text = "device " + std::string{id} + " calls itself " + std::string{kit::clip(claimed, 64)};
    ctx.log(sdk::level::warn, text);
    try {
        ctx.call("alert.raise", kit::json_object{}.text("severity", "warning").text("kind", "impostor").text("serial_no", id).text("text", text).str(), [](int, std::string_view) {});
    } catch (sdk::error const&) {}
    return sdk::verdict::refuse;
}

bool heartbeat_plugin::tell_registry(std::string_view payload) {
    bool ok = true;
    ctx.call("registry.seen", payload, [&ok](int status, std::string_view) { ok = status < 400; });
    return ok;
}

void heartbeat_plugin::evidence(slot& s, beat const& b, char const* boot, bool changed) {
    kit::json_object o;
    o.text("kind", "heartbeat").text("serial_no", s.serial).text("current_firmware", b.current_firmware).flag("first", s.first).flag("changed", changed);
    o.text("boot", boot).text_if("last_command_id", b.last_command_id).text_if("last_result", b.last_result);
    bool watch = false;
    try {
        ctx.call("campaign.report", o.str(), [&watch](int, std::string_view json) { watch = json.find("true") != json.npos; });
    } catch (sdk::error const&) {}                                 // no campaign plugin: nobody needs evidence
    s.watched = watch;
}

/// Receive time is what counts; the device's own clock is advisory (DECISIONS, Names).
void heartbeat_plugin::learn(slot& s, std::int64_t at) {
    if (s.last_seen > 0 && at > s.last_seen && !s.first) {
        auto gap = std::min<std::int64_t>(at - s.last_seen, 86'400'000);
        s.rhythm = s.rhythm == 0 ? static_cast<std::uint32_t>(gap) : static_cast<std::uint32_t>((std::int64_t{s.rhythm} * 7 + gap) / 8);
    }
    s.last_seen = std::max(s.last_seen, at);
    slots_.changed(s);
    if (!s.dirty) s.dirty = true, dirty_.push_back(s.serial);
}

void heartbeat_plugin::tick(std::uint64_t timer, sdk::instant now) {
    if (timer == checkpoint_timer) {
        checkpoint();
        ctx.timer(checkpoint_timer, now + checkpoint_ms_);
    } else if (timer == flush_timer) {
        flush_last_seen(2000);                                     // per second at most: folded, so a late one is only newer
        ctx.timer(flush_timer, now + (dirty_.empty() ? flush_ms_ : std::min<std::int64_t>(flush_ms_, 1000)));
    } else {
        offline_rate();
        ctx.timer(offline_timer, now + 60'000);
    }
}

void heartbeat_plugin::checkpoint() {
    for (auto chunk : slots_.take_changed()) ctx.state_put(chunk, slots_.save(chunk));
}

std::size_t heartbeat_plugin::flush_last_seen(std::size_t most) {
    std::size_t n = 0;
    for (; n < most && !dirty_.empty(); ++n) {
        if (auto* s = slots_.find(dirty_.front())) {
            s->dirty = false;
            ctx.sql("UPDATE devices SET last_seen = ?1 WHERE tenant = 0 AND serial_no = ?2 AND last_seen < ?1 AND ever_seen = 1", {s->last_seen, s->serial});
        }
        dirty_.pop_front();
    }
    return n;
}

/// Active: heard within a day. Offline: silent for three times its own rhythm (five minutes until one is learnt).
void heartbeat_plugin::offline_rate() {
    auto wall = ctx.wall();
    std::int64_t active = 0, away = 0;
    for (auto const& s : slots_.all()) {
        if (s.last_seen == 0 || wall - s.last_seen > 86'400'000) continue;
        ++active;
        away += wall - s.last_seen > 3 * std::int64_t{s.rhythm ? std::max(s.rhythm, 10'000u) : 300'000u};
    }
    ctx.metric_set("airmail_heartbeat_known_devices", static_cast<double>(slots_.all().size()));
    ctx.metric_set("airmail_heartbeat_offline_devices", static_cast<double>(away));
    if (active < 20 || offline_percent_ == 0 || away * 100 <= active * offline_percent_) return;
    auto text = std::to_string(away) + " of " + std::to_string(active) + " active devices are offline";
    try {
        ctx.call("alert.raise", kit::json_object{}.text("severity", "critical").text("kind", "offline_rate").text("text", text).str(), [](int, std::string_view) {});
    } catch (sdk::error const&) {}
}

void heartbeat_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int&) -> std::string {
        kit::params p{c.params};
        if (auto* s = slots_.find(p.required("serial_no"))) s->content = 0, slots_.changed(*s);
        return "{}";
    });
}

void heartbeat_plugin::committed() {
    if (received_) ctx.metric_add("airmail_heartbeat_received_total", static_cast<double>(std::exchange(received_, 0)));
    if (unchanged_) ctx.metric_add("airmail_heartbeat_unchanged_total", static_cast<double>(std::exchange(unchanged_, 0)));
}

}
