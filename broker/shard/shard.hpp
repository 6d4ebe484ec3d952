#pragma once
// A shard: one thread, one loop, and everything that lives on it. It knows no tenant: rooms above put their state on it by
// hooks and mail. What a shard owns only that shard touches.
//
// One turn of its loop:  epoll_wait (sleeps when nothing is left to do) -> sockets that are ready -> drain mail -> timers due
// -> turn-end hooks in order of registration (flush dirty connections) -> wake shards that got mail. `now()` is read once a
// turn. A turn makes one system call of its own.
//
// While a shard sleeps, a neighbour that has mail for it may run it for one pass (mail, timers, hooks) on its own thread,
// instead of waking it. And while all of them have little to do, shard 0's thread serves the others' sockets too (folding.hpp).
// One thread at a time, always.

#include "broker/shard/poll_set.hpp"
#include "broker/shard/task.hpp"
#include "broker/shard/timer_wheel.hpp"

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace airmail::shard {

/// Owned by broker.hpp. All members are for the shard's own thread unless said.
class shard {
public:
    virtual ~shard() = default;

    virtual unsigned index() const = 0;
    virtual unsigned count() const = 0;
    /// Device sockets, the bell, whatever has a descriptor and a `watcher`. Served unless congested().
    virtual poll_set& sockets() = 0;
    /// For rooms that need Asio (Beast, resolvers). Whoever never asks never pays: from the first call on, which is made before
    /// run() or on the shard's thread, each sleep goes through Asio and costs three system calls more.
    virtual boost::asio::io_context& io() = 0;
    virtual instant now() const = 0;
    virtual timer_wheel& timers() = 0;
    /// Scratch for one read, 64 KiB, shared by every connection of the shard; its contents die with the handler.
    virtual std::span<std::uint8_t> read_buffer() = 0;

    /// Mail to another shard (or oneself: runs later this turn). One ring per pair, 4,096 tasks; when full the task waits in
    /// the sender's overflow list (bounded, counted; above the bound `congested()` and publishers are not read).
    virtual void post(unsigned to, task t) = 0;
    /// Mail from any thread that is not a shard (writer, lanes, HTTP). Mutex-guarded, batched, one wake-up when it was empty.
    virtual void post_external(task t) = 0;
    virtual bool congested() const = 0;

    /// Runs at the end of every turn, in order of registration.
    virtual void at_turn_end(std::function<void()> hook) = 0;
    /// Asks for one more turn at once (work was left because of a budget).
    virtual void again() = 0;

    /// Runs the loop on the calling thread until stop(), which any thread may call.
    virtual void run() = 0;
    virtual void stop() = 0;
};

/// What may be tuned; the defaults are the product's.
struct shard_options {
    std::int64_t tick_ms = 100;               // resolution of timers()
    std::size_t ring_tasks = 4096;            // mail on the way from one shard to another; a power of two
    std::size_t overflow_tasks = 65536;       // waiting in the sender beyond the ring; above it congested()
    std::size_t external_tasks = 1 << 20;     // waiting from other threads; beyond it a counter tells, none is lost
    // One thread for all while the shards together are busy for less than `fold_below` of one core, until they are for more
    // than `unfold_above`, measured over windows. 0 = never.
    double fold_below = 0.35;
    double unfold_above = 0.6;
    std::int64_t fold_window_ms = 20;
};

/// Makes the shards of a broker, wired to one another. `count` 1..64. They must outlive every thread that posts to them.
std::vector<std::unique_ptr<shard>> make_shards(unsigned count, shard_options const& options = {});

}
