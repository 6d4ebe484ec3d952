#pragma once
// How mail travels: one ring per pair of shards (one writer, one reader, no lock), one guarded queue for other threads, and
// a doorbell that costs a system call only when the reader sleeps and nobody can do its work for it.
//
//   shard 0 --ring--> shard 1        push: slot, then tail        drain: everything present, then head, once
//   writer  --external queue--> shard 1

#include "broker/shard/task.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace airmail::shard {

/// A bounded queue of tasks with one producer thread and one consumer thread. Memory: 64 bytes a task, touched as it is
/// used for the first time.
class ring {
public:
    /// @param capacity a power of two
    explicit ring(std::size_t capacity);
    ring(ring const&) = delete;
    ring& operator=(ring const&) = delete;
    /// Destroys, without running, what was not drained. Neither thread may be using it.
    ~ring();

    /// Producer only. False (and `t` untouched) when full.
    bool push(task& t) noexcept;
    /// Consumer only: runs everything that was present when it began. Returns how many.
    std::size_t drain();

private:
    task* slot(std::uint64_t n) const noexcept;

    struct release {
        void operator()(void* p) const noexcept { ::operator delete(p, std::align_val_t{64}); }
    };
    std::size_t const mask_;
    std::unique_ptr<void, release> room_;
    // The producer keeps a copy of the consumer's index beside its own and looks at the real one only when the copy says
    // full, so the two cores seldom pull the same cache line.
    alignas(64) std::atomic<std::uint64_t> tail_{0};
    std::uint64_t head_seen_ = 0;
    alignas(64) std::atomic<std::uint64_t> head_{0};
};

/// Tells a sleeping shard that there is mail. One atomic read-modify-write per ring(); the eventfd is written only when it
/// sleeps. No wake-up is lost: `state_` is changed by read-modify-write only, so sender and sleeper see each other in one
/// order, and whoever comes second acts.
///
/// Waking a thread is the dearest thing a broker does with a small message: some 20 us of CPU where passing it on costs 2. So
/// a neighbour may borrow what the sleeper owns, do the work itself and give it back, while the owner goes on sleeping:
///
///   awake --sleep(lend)--> lent --borrow--> borrowed --give_back--> lent
///                                              |   rung meanwhile, or work left: the owner's thread is woken
///                                              '-- woken by a socket, the owner waits in wake() until it is given back
class doorbell {
public:
    /// Throws std::system_error when the kernel has no descriptor left (start-up).
    doorbell();
    doorbell(doorbell const&) = delete;
    doorbell& operator=(doorbell const&) = delete;
    ~doorbell();

    /// Any thread, after it has put mail down.
    void ring() noexcept;
    /// Owner: about to sleep. False when it was rung since the last wake(): look at the mail instead.
    /// @param lend a neighbour may do the work meanwhile
    /// @param alone it sleeps in sleep_alone(), not on fd()
    bool sleep(bool lend = false, bool alone = false) noexcept;
    /// Owner, after sleep(true, true): until it is woken, at most `ms` (-1 = for ever).
    void sleep_alone(int ms) noexcept;
    /// Owner: awake again, before it looks at the mail. Waits while a neighbour has borrowed.
    void wake() noexcept;
    /// A neighbour: true when the owner sleeps and lends; then everything of the owner's is the caller's until give_back().
    bool borrow() noexcept;
    /// Who has borrowed: the owner sleeps in sleep_alone(), so its sockets are nobody's for now.
    bool alone() const noexcept { return wake_fd_.load() == alone_fd_; }
    /// @param work_left the owner must go on with it: it is woken
    void give_back(bool work_left) noexcept;
    /// Readable when rung during sleep.
    int fd() const noexcept { return fd_; }

private:
    enum : int { awake, asleep, lent, rung, borrowed, borrowed_rung, awaited };
    void wake_thread() noexcept;
    std::atomic<int> state_{awake};
    int fd_, alone_fd_;
    std::atomic<int> wake_fd_;  // what the sleeper listens to; changed only while awake
};

/// Mail from threads that are not shards. Any thread posts, the owner drains. Unbounded by design: its senders (writer,
/// lanes, HTTP) answer questions that were asked of them, so their number is bounded where the questions are.
class external_queue {
public:
    /// Returns true when it was empty: then the doorbell must be rung.
    bool push(task t);
    /// Owner only: runs everything that was present when it began.
    std::size_t drain();
    /// Any thread, approximate.
    std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

private:
    std::mutex lock_;
    std::vector<task> waiting_;
    std::vector<task> running_;  // owner's; keeps its capacity
    std::atomic<std::size_t> size_{0};
};

}
