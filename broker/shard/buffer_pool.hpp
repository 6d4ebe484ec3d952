#pragma once
// Buffers that connections borrow while they have something to send or an unfinished packet, and give back when idle: an
// idle connection owns none.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace airmail::shard {

/// Growing byte buffers for one shard. Owned by: the shard; not thread-safe.
class buffer_pool {
public:
    using buffer = std::unique_ptr<std::vector<std::uint8_t>>;

    /// @param reserve_bytes capacity a fresh buffer starts with
    /// @param keep_count    how many idle buffers are kept for the next borrower; more are freed
    /// @param keep_bytes    a buffer that grew beyond this is freed, not kept
    explicit buffer_pool(std::size_t reserve_bytes = 2048, std::size_t keep_count = 1024, std::size_t keep_bytes = 64 * 1024)
        : reserve_bytes_{reserve_bytes}, keep_count_{keep_count}, keep_bytes_{keep_bytes} {}

    /// An empty buffer.
    buffer borrow() {
        if (idle_.empty()) {
            auto b = std::make_unique<std::vector<std::uint8_t>>();
            b->reserve(reserve_bytes_);
            return b;
        }
        auto b = std::move(idle_.back());
        idle_.pop_back();
        return b;
    }
    /// Takes a buffer back; its contents are forgotten. Null is fine.
    void give_back(buffer b) {
        if (!b || b->capacity() > keep_bytes_ || idle_.size() >= keep_count_) return;
        b->clear();
        idle_.push_back(std::move(b));
    }
    std::size_t idle() const { return idle_.size(); }

private:
    std::size_t reserve_bytes_, keep_count_, keep_bytes_;
    std::vector<buffer> idle_;
};

}
