#include "storage/message.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace airmail::storage {

namespace {

std::uint8_t* append(std::uint8_t* to, void const* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
    return to + bytes;
}

}

message_ptr message::make(message_fields const& f) {
    constexpr std::size_t string_max = std::numeric_limits<std::uint16_t>::max();   // UTF-8 strings of MQTT [MQTT-1.5.4]
    constexpr std::size_t bytes_max = std::numeric_limits<std::uint32_t>::max();
    assert(f.topic.size() <= string_max && f.identity.size() <= string_max && f.client_id.size() <= string_max);
    assert(f.properties.size() <= bytes_max && f.payload.size() <= bytes_max);
    (void)string_max, (void)bytes_max;

    auto tail = f.topic.size() + f.identity.size() + f.client_id.size() + f.properties.size() + f.payload.size();
    auto* m = new (::operator new(sizeof(message) + tail)) message;
    m->tenant_ = f.tenant;
    m->qos_ = f.qos;
    m->retain_ = f.retain;
    m->expires_at_ms_ = f.expires_at_ms;
    m->received_at_ms_ = f.received_at_ms;
    m->publisher_ = f.publisher;
    m->topic_size_ = static_cast<std::uint16_t>(f.topic.size());
    m->identity_size_ = static_cast<std::uint16_t>(f.identity.size());
    m->client_id_size_ = static_cast<std::uint16_t>(f.client_id.size());
    m->properties_size_ = static_cast<std::uint32_t>(f.properties.size());
    m->payload_size_ = static_cast<std::uint32_t>(f.payload.size());
    auto* at = reinterpret_cast<std::uint8_t*>(m + 1);
    at = append(at, f.topic.data(), f.topic.size());
    at = append(at, f.identity.data(), f.identity.size());
    at = append(at, f.client_id.data(), f.client_id.size());
    at = append(at, f.properties.data(), f.properties.size());
    append(at, f.payload.data(), f.payload.size());
    return message_ptr{m, false};   // born with count 1
}

void intrusive_ptr_release(message const* m) {
    if (m->refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    m->~message();
    ::operator delete(const_cast<message*>(m));
}

}
