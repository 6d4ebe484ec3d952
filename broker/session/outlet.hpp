#pragma once
// The way out to one connected client, as the rooms below the handlers see it. handlers::peer is one.

#include "broker/codec/bytes.hpp"
#include "storage/message.hpp"

#include <cstddef>

namespace airmail::session {

/// Where packets for a client are appended. Owned by: the shard of its session.
class outlet {
public:
    virtual ~outlet() = default;
    /// The out-buffer: encode packets to its end. Marks the connection dirty; one write per connection and turn follows.
    virtual bytes& out() = 0;
    /// A packet whose payload is large (over `shared_payload_bytes`): `head` is copied, the payload leaves from the body.
    virtual void out_shared(byte_view head, storage::message_ptr body) = 0;
    /// Bytes waiting to be written, including what the kernel has not taken.
    virtual std::size_t out_bytes() const = 0;
};

/// Payloads above this size are not copied per subscriber.
inline constexpr std::size_t shared_payload_bytes = 2048;

}
