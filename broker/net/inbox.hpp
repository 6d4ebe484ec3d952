#pragma once
// The unfinished part of one peer's stream. Whole packets are handled where they were read, in the shard's buffer; only
// what is left over needs memory of its own, and gives it back when the packet is whole.

#include "broker/codec/bytes.hpp"
#include "broker/shard/buffer_pool.hpp"

#include <cstring>
#include <span>

namespace airmail::net {

/// Owned by: a connection. 8 bytes when empty. Bound: the largest packet of the listener plus one read.
class inbox {
public:
    bool empty() const noexcept { return !kept_; }
    std::size_t size() const noexcept { return kept_ ? kept_->size() : 0; }

    /// Moves a small remainder to the front of `room`, where the next read continues it. Returns its size; 0 when there is
    /// none or it is larger than small_bytes: then the read is to be append()ed.
    std::size_t move_to(std::span<std::uint8_t> room, shard::buffer_pool& pool) {
        if (!kept_ || kept_->size() > small_bytes) return 0;
        std::size_t const n = kept_->size();
        std::memcpy(room.data(), kept_->data(), n);
        pool.give_back(std::move(kept_));
        return n;
    }
    void append(byte_view more, shard::buffer_pool& pool) {
        if (!kept_) kept_ = pool.borrow();
        kept_->insert(kept_->end(), more.begin(), more.end());
    }
    byte_view view() const noexcept { return kept_ ? byte_view{*kept_} : byte_view{}; }
    /// Forgets the first `n` bytes.
    void drop(std::size_t n, shard::buffer_pool& pool) {
        if (!kept_) return;
        if (n >= kept_->size()) return pool.give_back(std::move(kept_));
        kept_->erase(kept_->begin(), kept_->begin() + static_cast<std::ptrdiff_t>(n));
    }
    void clear(shard::buffer_pool& pool) { pool.give_back(std::move(kept_)); }

    static constexpr std::size_t small_bytes = 16 * 1024;

private:
    shard::buffer_pool::buffer kept_;
};

}
