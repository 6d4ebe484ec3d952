#pragma once
// One application message, as it travels through the broker and as it is kept: immutable, one allocation, counted.
// Made once from a PUBLISH; every queue, retained entry and consumer shares it. Its bytes never change, so any thread may
// read it; the count is atomic because the writer thread and other shards hold it too (once per holder, not per delivery
// of QoS 0, which copies bytes straight into the subscriber's send queue).

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <span>
#include <string_view>

namespace airmail::storage {

/// Position in the durable log: epoch (23 bits) and counter (40 bits). 0 = not stored.
using lsn = std::uint64_t;
/// A session's number: given at its birth, never reused within an epoch; what references on disk carry instead of a name.
using session_number = std::uint32_t;

class message;
using message_ptr = boost::intrusive_ptr<message const>;

/// Everything a message is made of. Views are copied by message::make.
struct message_fields {
    std::uint32_t tenant = 0;
    std::uint8_t qos = 0;
    bool retain = false;
    std::string_view topic;                         // the real name: aliases are resolved, mount points applied
    std::span<std::uint8_t const> properties;       // encoded, forwardable ones only: payload format, content type, response
                                                    // topic, correlation data, user properties in order [MQTT-3.3.2-4 ff.]
    std::span<std::uint8_t const> payload;
    std::int64_t expires_at_ms = 0;                 // stored clock, 0 = never [MQTT-3.3.2-5]
    std::int64_t received_at_ms = 0;                // stored clock
    session_number publisher = 0;                   // for no-local; 0 = the broker or a plugin
    std::string_view identity;                      // who published it: {id} of the device or user name
    std::string_view client_id;
};

/// Immutable. Size in memory: 88 bytes + topic + identity + client id + properties + payload.
class message {
public:
    /// Copies the fields into one block. Returns a pointer with count 1. Throws std::bad_alloc only.
    static message_ptr make(message_fields const& f);

    std::uint32_t tenant() const { return tenant_; }
    std::uint8_t qos() const { return qos_; }
    bool retain() const { return retain_; }
    session_number publisher() const { return publisher_; }
    std::int64_t expires_at_ms() const { return expires_at_ms_; }
    std::int64_t received_at_ms() const { return received_at_ms_; }
    std::string_view topic() const { return {tail(), topic_size_}; }
    std::string_view identity() const { return {tail() + topic_size_, identity_size_}; }
    std::string_view client_id() const { return {tail() + topic_size_ + identity_size_, client_id_size_}; }
    std::span<std::uint8_t const> properties() const { return {data() + topic_size_ + identity_size_ + client_id_size_, properties_size_}; }
    std::span<std::uint8_t const> payload() const {
        return {data() + topic_size_ + identity_size_ + client_id_size_ + properties_size_, payload_size_};
    }
    /// Bytes this message occupies on the heap, header included.
    std::size_t footprint() const { return sizeof(message) + topic_size_ + identity_size_ + client_id_size_ + properties_size_ + payload_size_; }

    friend void intrusive_ptr_add_ref(message const* m) { m->refs_.fetch_add(1, std::memory_order_relaxed); }
    friend void intrusive_ptr_release(message const* m);

private:
    message() = default;
    char const* tail() const { return reinterpret_cast<char const*>(this + 1); }
    std::uint8_t const* data() const { return reinterpret_cast<std::uint8_t const*>(this + 1); }

    mutable std::atomic<std::uint32_t> refs_{1};
    std::uint32_t tenant_ = 0;
    std::int64_t expires_at_ms_ = 0, received_at_ms_ = 0;
    session_number publisher_ = 0;
    std::uint32_t payload_size_ = 0, properties_size_ = 0;
    std::uint16_t topic_size_ = 0, identity_size_ = 0, client_id_size_ = 0;
    std::uint8_t qos_ = 0;
    bool retain_ = false;
};

}
