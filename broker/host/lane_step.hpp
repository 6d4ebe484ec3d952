#pragma once
// How a lane runs a hook: as a step that can be undone, watched by the clock. Included by the lane's own .cpp files.

#include "broker/host/lane.hpp"

#include <algorithm>

namespace airmail::host {

/// "devices/{id}/command" of a plugin, for one identity.
inline std::string ready_topic_of(instance const& i, std::string_view identity) {
    auto t = i.what.ready_topic;
    if (auto at = t.find("{id}"); at != t.npos) t.replace(at, 4, identity);
    return t;
}

template <class Hook>
void lane::timed(instance& i, char const* hook, Hook&& f) {
    bool outermost = busy_since_.load(std::memory_order_relaxed) == 0;
    auto before = steady_ms();
    if (outermost) {
        busy_who_.store(&i, std::memory_order_release), busy_hook_.store(hook, std::memory_order_release);
        busy_since_.store(before, std::memory_order_release);
        hook_thread_.store(std::this_thread::get_id(), std::memory_order_release);
    }
    f();
    if (!outermost) return;
    hook_thread_.store({}, std::memory_order_release);
    busy_since_.store(0, std::memory_order_release);
    note_time(i, hook, steady_ms() - before, "other items of its lane");
}

/// Runs `f` (true = succeeded) as one step. False: it failed, what it wrote and asked for is undone, why_ says why.
/// With broken_ set afterwards the whole batch must run again.
template <class Hook>
bool lane::run_step(instance& i, char const* hook, Hook&& f) {
    auto effects = effects_.size();
    auto asked = last_asked_;
    bool outer = std::exchange(failed_, false);
    auto outer_why = std::exchange(why_, {});
    tx_->enter();
    bool ok = false;
    timed(i, hook, [&] { ok = f(); });
    ok = ok && !failed_;
    failed_ = outer;
    try {
        tx_->leave(ok);
    } catch (storage::sqlite::error const& e) { broken(e.what()); }
    if (!ok) drop_effects(effects), forget_asked(asked + 1);
    if (ok && !broken_) why_ = std::move(outer_why);
    return ok;
}

}
