#pragma once
// All timers of one shard: a hierarchical wheel of intrusive timers. Arming, cancelling and firing cost O(1) and allocate
// nothing; an asio::steady_timer per connection would cost a heap block and a place in a queue.
//
//   level 0: 64 slots of 1 tick      a timer sits in the level where its distance fits; when a higher slot
//   level 1: 64 slots of 64 ticks    comes round, its timers move down ("cascade") until they are due
//   level 2, 3: ... (64^4 ticks in all; what lies beyond waits in the last level and is looked at again)
//
// Time comes from the caller (`advance`), so tests own the clock. Owned by: one shard; no member is thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace airmail::shard {

/// Monotonic milliseconds since start of the process.
using instant = std::int64_t;

namespace detail {
/// A ring of timers: heads and timers alike.
struct timer_link {
    timer_link* prev = nullptr;
    timer_link* next = nullptr;
};
}

/// One timer, embedded in what it watches (32 bytes). Fires once; re-arm it as often as you like, also from its action.
/// Must not be destroyed while the wheel is gone and it is armed; its own destruction cancels it.
class timer : detail::timer_link {
public:
    /// Called by advance(), with the timer no longer armed. It may destroy the timer.
    using action = void (*)(timer&);

    explicit timer(action a) noexcept : action_{a} {}
    timer(timer const&) = delete;
    timer& operator=(timer const&) = delete;
    ~timer() { cancel(); }

    bool armed() const noexcept { return next != nullptr; }
    /// When it fires; only of use while armed.
    instant due() const noexcept { return due_; }
    /// O(1); nothing happens when it is not armed.
    void cancel() noexcept;

private:
    friend class timer_wheel;
    instant due_ = 0;
    action action_;
};

/// See the head of this file.
class timer_wheel {
public:
    /// @param now   the time to start from
    /// @param tick  resolution in milliseconds, 1..60000; a timer fires at the first advance() at or after its due time,
    ///              rounded up to a whole tick, never early
    explicit timer_wheel(instant now = 0, std::int64_t tick = 100);
    timer_wheel(timer_wheel const&) = delete;
    timer_wheel& operator=(timer_wheel const&) = delete;
    /// Disarms what is left, without firing.
    ~timer_wheel();

    /// Arms, or moves, a timer. A time that has passed fires at the next tick.
    void arm(timer& t, instant due) noexcept;
    /// The same, counted from the last advance().
    void arm_in(timer& t, std::int64_t ms) noexcept { arm(t, now_ + ms); }

    /// Moves time forward (never back: an earlier time is ignored) and fires what became due, in order of tick.
    /// @return how many fired
    std::size_t advance(instant now);
    /// When advance() next has something to do (fire or cascade); `never` when nothing is armed. O(levels).
    instant next_wake() const noexcept;
    instant now() const noexcept { return now_; }

    static constexpr instant never = INT64_MAX;

private:
    static constexpr unsigned bits = 6, slots = 1U << bits, levels = 4;
    using head = detail::timer_link;

    void place(timer& t, std::int64_t earliest) noexcept;
    void cascade(unsigned level);
    std::size_t fire(head& slot);
    static void splice(head& from, head& to) noexcept;

    std::int64_t tick_;
    instant now_;
    std::int64_t current_;  // ticks that have been processed
    std::array<std::array<head, slots>, levels> wheel_;
    // Bit n = slot n may hold timers. Cancelling does not clear it (a timer does not know its wheel); looking does.
    mutable std::array<std::uint64_t, levels> used_{};
};

/// A timer with a closure, for rooms that have few of them. Destroying it cancels it.
class reminder : timer {
public:
    reminder() noexcept : timer{&reminder::ring} {}
    /// Calls `f` once at `due`; replaces what was armed before.
    void at(timer_wheel& w, instant due, std::function<void()> f) {
        f_ = std::move(f);
        w.arm(*this, due);
    }
    /// Calls `f` once in `ms` milliseconds.
    void in(timer_wheel& w, std::int64_t ms, std::function<void()> f) { at(w, w.now() + ms, std::move(f)); }
    using timer::armed;
    using timer::cancel;

private:
    static void ring(timer& t) {
        // Moved out first: the closure may re-arm or destroy this reminder.
        auto f = std::move(static_cast<reminder&>(t).f_);
        f();
    }
    std::function<void()> f_;
};

}
