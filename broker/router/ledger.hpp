#pragma once
// One shard's tickets: what was given to the store, and who waits to hear that it is durable.

#include "storage/store.hpp"

#include <cassert>
#include <deque>
#include <memory>

namespace airmail::router {

/// Waits for one change. Destroyed after the call.
class waiter {
public:
    virtual ~waiter() = default;
    /// The change is durable under `at` (0 for changes without one), or was not stored.
    virtual void stored(boost::system::error_code failed, storage::lsn at) = 0;
};
using waiter_ptr = std::unique_ptr<waiter>;

/// A waiter from a closure.
template <class F> waiter_ptr when_stored(F f) {
    struct closure final : waiter {
        explicit closure(F g) : f{std::move(g)} {}
        void stored(boost::system::error_code failed, storage::lsn at) override { f(failed, at); }
        F f;
    };
    return std::make_unique<closure>(std::move(f));
}

/// Owned by: its shard. Order: changes reach the store in the order of the calls.
class ledger {
public:
    explicit ledger(storage::port& p) : port_{p} {}

    /// Gives a change to the store; `w` (may be null) hears of it later, never from inside.
    /// @return false when the ring is full: nothing was given, `w` is destroyed unheard
    bool offer(storage::change c, waiter_ptr w);
    /// The same for changes that must not be lost (settling, advancing, ending): when the ring is full they wait here, in order,
    /// and offer() refuses until they are gone. Bounded by what is in flight: one for each delivery and session.
    void insist(storage::change c, waiter_ptr w = nullptr);
    /// The port's mail. Calls the waiters in order.
    void durable(storage::durable const& d);

    storage::port& port() { return port_; }
    /// The store has no room for more publishers' messages (over 75 %, or changes wait here).
    bool busy() const { return !backlog_.empty() || port_.load() > 0.75; }
    bool relaxed() const { return backlog_.empty() && port_.load() < 0.5; }
    std::size_t waiting() const { return tickets_.size(); }

private:
    struct owed {
        storage::change what;
        waiter_ptr who;
    };
    void retry();
    void remember(storage::ticket t, waiter_ptr w);

    storage::port& port_;
    std::deque<waiter_ptr> tickets_;     // [0] is ticket first_
    storage::ticket first_ = 1;
    std::deque<owed> backlog_;
};

}
