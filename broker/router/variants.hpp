#pragma once
// A message as bytes of PUBLISH: encoded once for each way that subscribers want it, then copied. The packet id is set in the
// copy.

#include "broker/codec/publish.hpp"
#include "broker/session/session.hpp"

#include <array>

namespace airmail::router {

/// One way: version, QoS, RETAIN, Subscription Identifiers and Topic Alias.
struct variant {
    bool v5 = false, retain = false;
    std::uint16_t skip = 0;                  // bytes of the topic that are not shown
    session::outbound_aliases::choice alias;
    std::uint8_t qos = 0;
    bool shared = false;                     // `head` has no payload: it leaves from the body
    std::vector<std::uint32_t> ids;
    bytes head;                              // the packet, or all of it but the payload
    codec::publish_layout layout;
    std::size_t wire_bytes = 0;
};

/// Owned by: one shard. Buffers keep their memory from message to message, so steady fan-out allocates nothing.
class variants {
public:
    /// The packet of `m` in that way; valid until the next call.
    /// @param skip bytes at the front of the topic that this client is not shown (mount_point)
    /// @param now stored clock: what is left of the Message Expiry Interval [MQTT-3.3.2-6]
    variant const& get(storage::message const& m, bool v5, std::uint8_t qos, bool retain, std::span<std::uint32_t const> ids, std::int64_t now,
                       std::uint16_t skip = 0, session::outbound_aliases::choice alias = {});
    /// keyed_hash of its topic, made once per message.
    std::uint64_t topic_hash(storage::message const& m);
    /// Before another message, or the same one at another time.
    void forget() { used_ = 0, of_ = nullptr, hashed_ = false; }

private:
    std::array<variant, 4> kept_;
    std::uint32_t used_ = 0, oldest_ = 0;
    storage::message const* of_ = nullptr;
    bool hashed_ = false;
    std::uint64_t hash_ = 0;
};

/// Appends a variant to a client's out-buffer.
void append(session::outlet& to, variant const& v, storage::message_ptr const& m, std::uint16_t packet_id, bool dup);

}
