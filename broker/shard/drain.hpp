#pragma once
// Shutting down in order: steps that begin one after another, each with a limit, so that a step that hangs delays the end
// and does not prevent it.
//
//   readiness false -> stop accepting -> DISCONNECT 0x8B to all -> stores synced -> stop shards

#include "broker/shard/timer_wheel.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace airmail::shard {

/// A sequence of steps on one shard's wheel. Owned by whoever shuts down; must outlive its run. Not thread-safe: `done` of a
/// step must be called on that shard (post it there).
class drain {
public:
    /// Begins the step; calls `done` once, now or later. Late and second calls are ignored.
    using step = std::function<void(std::function<void()> done)>;
    /// Hears how each step ended: its name, and whether in time.
    using listener = std::function<void(std::string const& name, bool in_time)>;

    explicit drain(timer_wheel& wheel) : wheel_{wheel} {}
    drain(drain const&) = delete;
    drain& operator=(drain const&) = delete;

    /// Appends a step that may take `limit_ms`.
    void add(std::string name, std::int64_t limit_ms, step s) { steps_.push_back({std::move(name), limit_ms, std::move(s)}); }

    /// Runs them all, then calls `finished` once. A second call does nothing.
    void run(listener on_step, std::function<void()> finished) {
        if (position_) return;
        on_step_ = std::move(on_step);
        finished_ = std::move(finished);
        position_ = std::make_shared<std::size_t>(0);
        begin();
    }
    bool running() const { return position_ != nullptr; }

private:
    struct entry {
        std::string name;
        std::int64_t limit_ms;
        step run;
    };

    void begin() {
        std::size_t const at = *position_;
        if (at == steps_.size()) return finished_();
        limit_.in(wheel_, steps_[at].limit_ms, [this, at] { ended(at, false); });
        // Weak: a step may answer after this object has gone.
        steps_[at].run([this, at, alive = std::weak_ptr(position_)] {
            if (alive.lock()) ended(at, true);
        });
    }
    void ended(std::size_t at, bool in_time) {
        if (at != *position_) return;
        limit_.cancel();
        ++*position_;
        if (on_step_) on_step_(steps_[at].name, in_time);
        begin();
    }

    timer_wheel& wheel_;
    std::vector<entry> steps_;
    std::shared_ptr<std::size_t> position_;  // index of the step that runs; null before run()
    reminder limit_;
    listener on_step_;
    std::function<void()> finished_;
};

}
