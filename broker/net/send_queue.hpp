#pragma once
// What waits to be sent to one peer. Small packets gather in a borrowed buffer; full buffers and shared bodies queue behind
// one another; an idle peer owns nothing.
//
//   sent_|           backlog (when there is more than one buffer)                  | tail
//   [ chunk 16 KiB ][ chunk: head of a PUBLISH ][ body, shared with others ][ chunk ] [ being filled ]

#include "broker/codec/bytes.hpp"
#include "broker/net/channel.hpp"
#include "broker/shard/buffer_pool.hpp"
#include "storage/message.hpp"

#include <deque>
#include <memory>
#include <span>

namespace airmail::net {

/// Owned by: a connection. 32 bytes when idle. Unbounded itself: the connection compares bytes() with its limits.
class send_queue {
public:
    /// Where the next packet is encoded. The reference holds until the next call of any member.
    bytes& tail(shard::buffer_pool& pool);
    /// `head` is copied, the body's payload is sent from where it lies.
    void append_shared(byte_view head, storage::message_ptr body, shard::buffer_pool& pool);
    /// Bytes not yet taken by the kernel (TLS: by OpenSSL).
    std::size_t bytes_waiting() const noexcept { return sealed_bytes_ + (tail_ ? tail_->size() : 0) - sent_; }
    bool empty() const noexcept { return bytes_waiting() == 0; }

    /// Sends what the kernel takes: plain in one gathered write, TLS packed into records of 16 KiB.
    /// @param record  scratch of record_bytes for TLS
    /// @return done: all was sent; wait_write: the rest waits; failed. `bytes` tells how many were taken, `writes` counts calls.
    step_result flush(channel& to, shard::buffer_pool& pool, std::span<std::uint8_t> record, unsigned& writes);

    /// The first bytes that wait, at most 16 of them, if nothing was ever sent from the front buffer; for looking at CONNACK.
    byte_view front() const noexcept;
    /// Forgets all and gives the buffers back.
    void clear(shard::buffer_pool& pool);

    static constexpr std::size_t chunk_bytes = 16 * 1024, record_bytes = 16 * 1024;

private:
    struct piece {
        shard::buffer_pool::buffer chunk;  // or
        storage::message_ptr body;
        byte_view view() const { return chunk ? byte_view{*chunk} : byte_view{body->payload()}; }
    };

    void seal();
    void advance(std::size_t n, shard::buffer_pool& pool);
    step_result flush_plain(channel& to, shard::buffer_pool& pool, unsigned& writes);
    step_result flush_tls(channel& to, shard::buffer_pool& pool, std::span<std::uint8_t> record, unsigned& writes);

    shard::buffer_pool::buffer tail_;
    std::unique_ptr<std::deque<piece>> backlog_;
    std::size_t sealed_bytes_ = 0;  // in backlog_, including what of its first piece was sent
    std::size_t sent_ = 0;          // of the first piece (of the tail when there is no backlog)
};

}
