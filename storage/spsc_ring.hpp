#pragma once
// One producer, one consumer, no lock: changes on their way from a shard to the writer. Each side keeps a copy of the
// other's index and looks at the real one only when the copy says full or empty; the sides sit on cache lines of their own.
// What is read stays in the ring until released, so the writer can commit it a second time.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace airmail::storage {

template <class Value, std::size_t Capacity>
class spsc_ring {
    static_assert((Capacity & (Capacity - 1)) == 0, "a power of two");

public:
    static constexpr std::size_t capacity = Capacity;

    spsc_ring() : slots_(std::make_unique<Value[]>(Capacity)) {}

    // Producer.

    /// False when full; `v` is untouched then.
    bool push(Value&& v) {
        auto tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_seen_ == Capacity) {
            head_seen_ = head_.load(std::memory_order_acquire);
            if (tail - head_seen_ == Capacity) return false;
        }
        slots_[tail & (Capacity - 1)] = std::move(v);
        // Sequentially consistent: ordered before the look at whether the other side sleeps.
        tail_.store(tail + 1, std::memory_order_seq_cst);
        return true;
    }
    /// Values ever pushed. Producer only.
    std::uint64_t pushed() const { return tail_.load(std::memory_order_relaxed); }
    /// How many are in the ring; from a third thread only about. The head is read first: it never passes a later tail.
    std::size_t size() const {
        auto head = head_.load(std::memory_order_acquire);
        return static_cast<std::size_t>(tail_.load(std::memory_order_acquire) - head);
    }

    // Consumer.

    /// How many can be read.
    std::size_t ready() const { return static_cast<std::size_t>(tail_.load(std::memory_order_seq_cst) - head_.load(std::memory_order_relaxed)); }
    /// The i-th that can be read.
    Value& at(std::size_t i) { return slots_[(head_.load(std::memory_order_relaxed) + i) & (Capacity - 1)]; }
    /// Values ever released.
    std::uint64_t released() const { return head_.load(std::memory_order_relaxed); }
    /// Gives back the first `count`.
    void release(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) at(i) = Value{};
        head_.store(head_.load(std::memory_order_relaxed) + count, std::memory_order_release);
    }

private:
    std::unique_ptr<Value[]> slots_;
    alignas(64) std::atomic<std::uint64_t> tail_{0};
    std::uint64_t head_seen_ = 0;
    alignas(64) std::atomic<std::uint64_t> head_{0};
    char padding_[64 - sizeof(std::uint64_t)]{};
};

}
