#pragma once
// When one thread is enough. A broker with little to do pays most for waking threads: with two shards on two cores every
// second message crosses, and its sockets wake the other thread. So while all shards together keep less than a part of one
// core busy, shard 0's thread keeps watch for all of them: the others' threads sleep, and it serves their sockets and their mail
// as a neighbour does (doorbell::borrow). When the work grows everyone gets up again, within a window.
//
//   unfolded --5 windows in a row below `fold_below`--> folded --one window above `unfold_above`--> unfolded

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

namespace airmail::shard {

/// Measures the shards of one broker and decides. Any shard's thread, except where said.
class folding {
public:
    using clock = std::chrono::steady_clock;

    /// @param below,above parts of one core: 0.35 = 35 %
    folding(unsigned shards, double below, double above, std::chrono::milliseconds window);

    /// Should who is not the watch sleep with its sockets given to the watch?
    bool folded() const noexcept { return folded_.load(); }
    /// The watch: it runs from here on, and may be given others' sockets.
    void open() noexcept { open_.store(true); }
    /// The watch ends: nobody folds any more. The caller rings all others.
    void close() noexcept;
    /// At the end of a turn: shard `i` was busy for so long. True when this ended the folding: the caller rings all others.
    [[nodiscard]] bool spent(unsigned i, clock::duration busy, clock::time_point now) noexcept;

private:
    struct alignas(64) cell {
        std::atomic<std::int64_t> busy_ns{0};   // written by its shard's thread
    };
    static constexpr unsigned calm_windows = 5;

    unsigned const shards_;
    double const below_, above_;
    clock::duration const window_;
    std::unique_ptr<cell[]> cells_;
    std::atomic<std::int64_t> window_began_ns_;
    std::mutex judging_;                        // tried, never waited for
    std::int64_t busy_before_ns_ = 0;           // the rest is the judge's
    unsigned calm_ = 0;
    std::atomic<bool> folded_{false}, open_{false};
};

}
