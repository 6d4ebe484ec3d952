#pragma once
// The messages a session is owed, oldest first: in flight ones at the front, waiting ones behind them. A ring of 32-byte
// entries; the payload is in the shared body, or only on disk (then the entry has just its LSN).

#include "storage/store.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>

namespace airmail::session {

/// How far one delivery has come. `storing`: its packet id is on the way to the disk (QoS 2). `releasing`: PUBREC was read and is
/// on the way to the disk. `received`: only PUBREL may follow. `over`: acknowledged, kept until its LSN is known so that it can
/// be settled.
enum class progress : std::uint8_t { waiting, storing, sent, releasing, received, over };

/// One message owed. Size: 32 bytes; 40 to 64 in the ring, whose capacity is a power of two.
struct entry {
    storage::message_ptr body;         // null: fetch it by `at`
    storage::lsn at = 0;               // 0 = not stored (yet)
    std::uint32_t subscription = 0;    // Subscription Identifier, or `many` + index of a set of them
    std::uint32_t share = 0;           // the shared subscription it came by (its record here + 1); 0 = an ordinary one
    std::uint16_t packet_id = 0;
    std::uint16_t size_64 = 0;         // size in units of 64 bytes, for the bound of the queue
    std::uint8_t qos = 1;              // effective QoS of this delivery
    bool retain = false;               // RETAIN bit of this delivery
    bool owed_lsn : 1 = false;         // the store is writing it: an LSN (or 0 on failure) will be told
    bool sent_before : 1 = false;      // the next PUBLISH of it carries DUP [MQTT-3.3.1-1]
    progress state = progress::waiting;

    static constexpr std::uint32_t many = 1U << 31;
};
static_assert(sizeof(entry) <= 32);

/// A ring that grows by doubling and never shrinks below 4; empty and over 64 it gives its memory back.
/// Owned by: the session. Bounds are the caller's (class outgoing).
class queue {
public:
    std::uint32_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    /// `i` 0 is the oldest.
    entry& operator[](std::uint32_t i) {
        assert(i < size_);
        return ring_[(head_ + i) & (capacity_ - 1)];
    }
    entry const& operator[](std::uint32_t i) const {
        assert(i < size_);
        return ring_[(head_ + i) & (capacity_ - 1)];
    }
    /// Entries are numbered in the order of arrival; [0] has number first().
    std::uint32_t first() const { return first_; }
    std::uint32_t push(entry&& e) {
        if (size_ == capacity_) grow();
        ring_[(head_ + size_) & (capacity_ - 1)] = std::move(e);
        return first_ + size_++;
    }
    /// The newest goes; its number is given again.
    void pop_back() {
        assert(size_ > 0);
        ring_[(head_ + --size_) & (capacity_ - 1)] = {};
    }
    /// Gives back what a queue that was long no longer needs.
    void fit() {
        if (capacity_ <= 64 || size_ > capacity_ / 4) return;
        resize(std::bit_ceil(std::max(size_, 4U)));
    }
    void pop_front() {
        assert(size_ > 0);
        ring_[head_ & (capacity_ - 1)] = {};
        ++head_, ++first_, --size_;
        if (size_ == 0 && capacity_ > 64) ring_.reset(), capacity_ = 0, head_ = 0;
    }

private:
    void grow() { resize(capacity_ ? capacity_ * 2 : 4); }
    void resize(std::uint32_t capacity) {
        auto ring = std::make_unique<entry[]>(capacity);
        for (std::uint32_t i = 0; i < size_; ++i) ring[i] = std::move((*this)[i]);
        ring_ = std::move(ring), capacity_ = capacity, head_ = 0;
    }
    std::unique_ptr<entry[]> ring_;
    std::uint32_t capacity_ = 0, head_ = 0, size_ = 0, first_ = 0;
};

}
