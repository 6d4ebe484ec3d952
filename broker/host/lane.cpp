// Posting to a lane, and its loop. Start-up: lane_start.cpp. Batches: lane_batch.cpp. Calls: lane_calls.cpp. Effects: lane_effects.cpp.
#include "broker/host/lane.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace airmail::host {

std::int64_t steady_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool lane::committed(std::vector<std::pair<storage::lsn, storage::message_ptr>> const& batch) noexcept {
    if (behind_.load(std::memory_order_acquire)) return false;
    // The writer is the only one who pushes here: what is free now only grows.
    if (durable_.bound() - durable_.size() < batch.size()) {
        counters_.spilled.fetch_add(batch.size(), std::memory_order_relaxed);
        behind_.store(true, std::memory_order_release);
        waker_.wake();
        return false;
    }
    for (auto const& [at, body] : batch) durable_.push({at, body});
    waker_.wake();
    return true;
}

bool lane::offer(storage::message_ptr const& m) {
    // Once something waits in the overflow, what may replace it goes there too: never the older one last.
    if (keeps_latest_ && latest_size_.load(std::memory_order_acquire) && keep_latest(m)) return true;
    if (loose_.push({0, m})) return waker_.wake(), true;
    if (keeps_latest_ && keep_latest(m)) return true;
    counters_.loose_dropped.fetch_add(1, std::memory_order_relaxed);
    return false;
}

bool lane::keep_latest(storage::message_ptr const& m) {
    bool keep = false;
    latest_topics_.match(m->topic(), [&](std::uint32_t) { keep = true; });
    if (!keep) return false;
    std::unique_lock lock{latest_mutex_, std::try_to_lock};    // a shard does not wait, not even here
    if (!lock) return false;
    auto at = latest_.find(std::string{m->topic()});
    if (at != latest_.end()) {
        at->second = m;
        counters_.latest_replaced.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    if (latest_.size() >= env_.options.latest_max) return false;
    latest_.emplace(m->topic(), m);
    latest_size_.store(latest_.size(), std::memory_order_release);
    waker_.wake();
    return true;
}

bool lane::offer(std::unique_ptr<event>& e) {
    bool session = std::holds_alternative<session_event>(*e), delivery = std::holds_alternative<delivery_event>(*e);
    // Acknowledgements are hints: they leave the last half of the ring to what must not be lost.
    if (delivery && events_.size() > events_.bound() / 2) return counters_.deliveries_dropped.fetch_add(1, std::memory_order_relaxed), false;
    if (events_.push(std::move(e))) return waker_.wake(), true;
    if (delivery) return counters_.deliveries_dropped.fetch_add(1, std::memory_order_relaxed), false;
    (session ? counters_.session_events_dropped : counters_.busy_answers).fetch_add(1, std::memory_order_relaxed);
    if (session) session_lost_at_.store(steady_ms());
    return false;
}

void lane::deliver(std::unique_ptr<event> e) {
    {
        std::lock_guard lock{inbox_mutex_};
        inbox_.push_back(std::move(e));
        inbox_full_.store(true, std::memory_order_release);
    }
    waker_.wake();
}

void lane::note_time(instance& i, char const* hook, std::int64_t took_ms, char const* waits) {
    if (took_ms < env_.options.hook_warn.count()) return;
    // The first and every thousandth are written, all are counted.
    if (counters_.slow_hooks.fetch_add(1, std::memory_order_relaxed) % 1000 == 0)
        log(sdk::level::warn, i.id, std::string{hook} + " took " + std::to_string(took_ms) + " ms; " + waits + " wait that long");
}

void lane::answered_inline(instance& i, std::int64_t took_ms) {
    counters_.inline_logins.fetch_add(1, std::memory_order_relaxed);
    note_time(i, "connect", took_ms, "all clients of its shard");
}

std::string lane::trouble() const {
    if (auto since = busy_since_.load(std::memory_order_acquire)) {
        auto for_ms = steady_ms() - since;
        auto const* who = busy_who_.load(std::memory_order_acquire);
        if (for_ms >= env_.options.stuck_after.count() && who)
            return "lane " + name_ + ": stuck in " + busy_hook_.load() + " of " + who->id + " for " + std::to_string(for_ms / 1000) + " s";
    }
    if (cannot_commit_.load()) return "lane " + name_ + ": cannot commit to registry.db, retrying (see the log)";
    if (auto at = session_lost_at_.load(); at && steady_ms() - at < 60'000)
        return "lane " + name_ + ": " + std::to_string(counters_.session_events_dropped.load()) + " session events lost: the lane was too slow";
    return {};
}

void lane::run() {
    while (!stopping_.load(std::memory_order_acquire)) {
        if (step()) continue;
        waker_.drowsy();
        if (!durable_.empty() || !loose_.empty() || !events_.empty() || inbox_full_.load() || stopping_.load() || behind_.load()) {
            waker_.stay_awake();
            continue;
        }
        std::int64_t wait = 1000;     // applied_lsn and deadlines are looked at once a second
        if (auto next = timers_.next()) wait = std::clamp<std::int64_t>(*next - env_.options.now_ms(), 0, wait);
        waker_.sleep(static_cast<int>(wait));
    }
    finish();
}

bool lane::step() {
    batch b;
    bool leftovers = !effects_.empty();      // what the start hooks asked for
    if (leftovers) leave();
    expire_calls();
    if (!collect(b)) return store_applied_lazily(), leftovers;
    auto wait = env_.options.retry_first;
    while (!attempt(b)) {
        if (stopping_.load()) return turn_away(b), false;  // nothing of it was applied: the next start reads the log again
        retry_wait(wait);
    }
    wait = env_.options.retry_first;
    while (!attempt_committed() && !stopping_.load()) retry_wait(wait);
    if (cannot_commit_.exchange(false)) log(sdk::level::info, {}, "commits again");
    store_applied_lazily();
    return true;
}

void lane::retry_wait(std::chrono::milliseconds& wait) {
    counters_.commit_failures.fetch_add(1, std::memory_order_relaxed);
    if (!cannot_commit_.exchange(true)) log(sdk::level::error, {}, "batch rolled back, nothing applied, retrying: " + why_);
    // Sleeping here stops this lane alone; a stop wakes it.
    waker_.drowsy();
    if (!stopping_.load()) waker_.sleep(static_cast<int>(wait.count()));
    wait = std::min(wait * 2, env_.options.retry_most);
}

bool lane::collect(batch& b) {
    auto const max = env_.options.batch_max;
    // One timer, and first: what plugins do by the clock in bulk opens the transaction (steps.hpp says why that matters).
    auto const now = env_.options.now_ms();
    auto due = timers_.take(now);
    if (due) b.events.push_back(std::make_unique<event>(timer_event{due->first, due->second, now, true}));
    if (inbox_full_.load(std::memory_order_acquire)) {
        std::lock_guard lock{inbox_mutex_};
        std::move(inbox_.begin(), inbox_.end(), std::back_inserter(b.events));
        inbox_.clear();
        inbox_full_.store(false, std::memory_order_release);
    }
    for (std::unique_ptr<event> e; b.events.size() < max && events_.pop(e);) b.events.push_back(std::move(e));
    auto room = [&] { return b.events.size() + b.messages.size() < max; };
    for (message_item m; room() && durable_.pop(m);) {
        if (m.at <= seen_lsn_ || (!b.messages.empty() && m.at <= b.messages.back().at))
            counters_.replay_skipped.fetch_add(1, std::memory_order_relaxed);
        else b.messages.push_back(std::move(m));
    }
    if (room() && behind_.load(std::memory_order_acquire) && durable_.empty()) catch_up(b);
    for (message_item m; room() && loose_.pop(m);) b.messages.push_back(std::move(m));
    if (room() && latest_size_.load(std::memory_order_acquire) && loose_.empty()) {
        std::lock_guard lock{latest_mutex_};
        while (room() && !latest_.empty()) b.messages.push_back({0, latest_.extract(latest_.begin()).mapped()});
        latest_size_.store(latest_.size(), std::memory_order_release);
    }
    return !b.events.empty() || !b.messages.empty();
}

void lane::catch_up(batch& b) {
    if (!env_.store || consumer_bit_ == ~0u) return behind_.store(false);
    auto last = b.messages.empty() ? seen_lsn_ : b.messages.back().at;
    auto more = env_.store->read(consumer_bit_, last, env_.options.batch_max);
    for (auto& [at, body] : more)
        if (at > last) b.messages.push_back({at, std::move(body)}), last = at;
    if (!more.empty()) return;
    // The flag falls first: once the store says yes, the writer may call committed() before we are back here.
    behind_.store(false, std::memory_order_release);
    if (!env_.store->caught_up(consumer_bit_, last)) behind_.store(true, std::memory_order_release);
}

void lane::finish() {
    auto until = steady_ms() + env_.options.stop_timeout.count() / 2;
    while (steady_ms() < until && (!events_.empty() || !durable_.empty() || !loose_.empty() || inbox_full_.load()) && !cannot_commit_.load()) step();
    for (auto at = seats_.rbegin(); at != seats_.rend(); ++at)
        if ((*at)->table->stop && (*at)->body) run_stop(**at);
    if (seen_lsn_ != stored_lsn_.load()) since_stored_ = ~0ull, store_applied_lazily();
    for (auto& [handle, p] : std::exchange(pending_, {})) {
        if (p.done && !p.asked) p.done(503, R"({"code":"host.stopping"})");
        if (p.http) p.http({.status = 503});
    }
    batch rest;
    for (std::unique_ptr<event> e; events_.pop(e);) rest.events.push_back(std::move(e));
    turn_away(rest);
    forget_asked(0);
    for (auto at = seats_.rbegin(); at != seats_.rend(); ++at)
        if (auto* body = std::exchange((*at)->body, nullptr)) (*at)->table->destroy(body);
}

/// Whoever waits for an answer that will not come is told so.
void lane::turn_away(batch& b) {
    for (auto& e : b.events) {
        if (auto* c = std::get_if<call_event>(e.get())) c->done(503, R"({"code":"host.stopping"})");
        if (auto* h = std::get_if<http_event>(e.get())) h->done({.status = 503});
        if (auto* l = std::get_if<connect_event>(e.get())) l->who->answer(sdk::verdict::refuse, {});
    }
}

void lane::log(sdk::level l, std::string_view plugin, std::string const& text) {
    env_.out.log(l, plugin.empty() ? std::string_view{name_} : plugin, text, {});
}

}
