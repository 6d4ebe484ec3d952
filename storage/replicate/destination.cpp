#include "storage/replicate/destination.hpp"

#include <fmt/core.h>

namespace airmail::storage::replicate {

std::string destination::degraded() const {
    std::lock_guard hold(mutex_);
    return why_.empty() ? std::string() : name_ + ": " + why_;
}

/// Says it once, not at every attempt.
void destination::degrade(std::string why) {
    bool changed = false;
    {
        std::lock_guard hold(mutex_);
        changed = why_ != why;
        why_ = why;
    }
    if (changed && !why.empty()) around_.say(true, fmt::format("{} is behind: {}", name_, why));
    if (changed && why.empty()) around_.say(false, fmt::format("{} follows", name_));
}

void destination::measured(outbox::destination const& d, std::int64_t now_ms) {
    counters_.lag_rows = d.lag_rows, counters_.cursor = d.seq;
    counters_.lag_ms = d.oldest_ms == 0 ? 0 : std::max<std::int64_t>(0, now_ms - d.oldest_ms);
}

bool destination::needs_snapshot() { return around_.db.integer("SELECT needs_snapshot FROM airmail_outbox_cursors WHERE destination = ?", {name_}) != 0; }

void destination::keep_cursor(std::int64_t seq, std::int64_t folded, std::chrono::milliseconds rest) {
    seq_ = seq, folded_ = folded;
    if (kept_seq_ == seq && kept_folded_ == folded) return;
    auto const at = std::chrono::steady_clock::now();
    if (at - kept_at_ < rest) return;
    sqlite::savepoint step(around_.db, "cursor");
    around_.box.advance(name_, seq);
    around_.box.advance_folded(name_, folded);
    step.release();
    kept_seq_ = seq, kept_folded_ = folded, kept_at_ = at;
}

asio::awaitable<std::string> destination::work() {
    while (!stopping_) {
        if (needs_snapshot()) {
            counters_.filling = true;
            auto why = co_await fill();
            counters_.filling = false;
            if (!why.empty()) co_return why;
            counters_.snapshots.fetch_add(1);
            continue;
        }
        degrade({});
        backoff_.reset();
        bool idle = false;
        if (auto why = co_await stream(idle); !why.empty()) co_return why;
        if (idle) co_await sleep_for(std::chrono::milliseconds(50));
    }
    co_return std::string();
}

asio::awaitable<void> destination::run() {
    while (!stopping_) {
        std::string why;
        try {
            why = co_await connect();
            if (why.empty()) {
                counters_.connects.fetch_add(1);
                counters_.connected = true;
                why = co_await work();
            }
        } catch (std::exception const& e) { why = e.what(); }
        counters_.connected = false, counters_.filling = false;
        disconnect();
        if (stopping_) break;
        counters_.failures.fetch_add(1);
        degrade(why);
        co_await sleep_for(backoff_.next());
    }
}

}
