#pragma once
// A bounded queue that any thread may push to without waiting (after D. Vyukov's bounded MPMC queue): each cell carries the
// turn it is good for. Shards post to lanes through it, so no lock lies where a packet walks.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace airmail::host {

template <class T>
class ring {
public:
    /// Room for at least `bound` items (rounded up to a power of two).
    explicit ring(std::size_t bound) : mask_(std::bit_ceil(bound < 2 ? 2 : bound) - 1), cells_(new cell[mask_ + 1]) {
        for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
    }

    /// Any thread, never waits. False = full, `item` is untouched.
    bool push(T&& item) {
        auto at = tail_.load(std::memory_order_relaxed);
        for (;;) {
            auto& c = cells_[at & mask_];
            auto turn = c.turn.load(std::memory_order_acquire);
            auto gap = static_cast<std::intptr_t>(turn) - static_cast<std::intptr_t>(at);
            if (gap < 0) return false;
            if (gap > 0) at = tail_.load(std::memory_order_relaxed);
            else if (tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
                c.item = std::move(item);
                c.turn.store(at + 1, std::memory_order_release);
                return true;
            }
        }
    }

    /// The one reader. False = empty.
    bool pop(T& out) {
        auto& c = cells_[head_.load(std::memory_order_relaxed) & mask_];
        auto at = head_.load(std::memory_order_relaxed);
        if (c.turn.load(std::memory_order_acquire) != at + 1) return false;
        out = std::move(c.item);
        c.item = T{};
        c.turn.store(at + mask_ + 1, std::memory_order_release);
        head_.store(at + 1, std::memory_order_release);
        return true;
    }

    /// Exact for a single writer, else a moment's guess.
    std::size_t size() const { return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire); }
    std::size_t bound() const { return mask_ + 1; }
    bool empty() const { return size() == 0; }

private:
    struct cell {
        std::atomic<std::size_t> turn;
        T item{};
    };
    std::size_t const mask_;
    std::unique_ptr<cell[]> cells_;
    alignas(64) std::atomic<std::size_t> tail_{0};
    alignas(64) std::atomic<std::size_t> head_{0};
};

}
