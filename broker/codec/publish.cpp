#include "broker/codec/publish.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/writer.hpp"

#include <cassert>
#include <cstring>

namespace airmail::codec {
namespace {

/// The checks and reads of one PUBLISH, straight into their place.
reason read_publish(publish_view& p, std::uint8_t flags, byte_view body, version v, sender from) {
    p.dup = flags & 0x8;
    p.qos = (flags >> 1) & 0x3;
    p.retain = flags & 0x1;
    if (p.qos == 3) return reason::malformed_packet;           // [MQTT-3.3.1-4]
    if (p.qos == 0 && p.dup) return reason::protocol_error;    // [MQTT-3.3.1-2]
    reader in{body};
    p.topic = in.utf8();                                       // [MQTT-3.3.2-1]
    if (p.qos > 0) p.packet_id = in.u16();                     // [MQTT-2.2.1-2]
    if (v == version::v5) p.raw_props = read_properties(in, p.props, allowed::publish);
    p.payload = in.rest();
    if (!in.ok()) return in.why();
    if (p.qos > 0 && p.packet_id == 0) return reason::protocol_error;  // [MQTT-2.2.1-3]
    // A client may not say which subscription a message is for. [MQTT-3.3.4-6]
    if (from == sender::client && p.props.has(prop::subscription_id)) return reason::protocol_error;
    if (p.topic.empty() && !p.props.has(prop::topic_alias)) return reason::protocol_error;  // [MQTT-4.7.3-1]
    if (has_wildcard(p.topic)) return reason::topic_name_invalid;      // [MQTT-3.3.2-2]
    return reason::success;
}

/// Bytes of the property block that a router writes, without its length.
std::size_t property_block_size(publish_parts const& p) {
    std::size_t size = p.forwarded.size() + (p.message_expiry ? 5 : 0) + (p.topic_alias ? 3 : 0);
    for (auto id : p.subscription_ids) size += 1 + varint_size(id);
    return size;
}

struct publish_sizes {
    std::size_t block = 0;      // the property block
    std::size_t remaining = 0;  // what Remaining Length says
};

publish_sizes measure(publish_parts const& p, version v) {
    publish_sizes s;
    s.remaining = 2 + p.topic.size() + (p.qos > 0 ? 2 : 0) + p.payload_size;
    if (v == version::v5) {
        s.block = property_block_size(p);
        s.remaining += varint_size(static_cast<std::uint32_t>(s.block)) + s.block;
    }
    return s;
}

std::uint8_t* put(std::uint8_t* at, byte_view b) {
    if (!b.empty()) std::memcpy(at, b.data(), b.size());
    return at + b.size();
}

std::uint8_t* put16(std::uint8_t* at, std::uint16_t v) {
    *at++ = static_cast<std::uint8_t>(v >> 8);
    *at++ = static_cast<std::uint8_t>(v);
    return at;
}

std::uint8_t* put_properties(std::uint8_t* at, publish_parts const& p, std::size_t block) {
    at = put_varint(at, static_cast<std::uint32_t>(block));  // [MQTT-2.2.2-1]
    if (p.message_expiry) {
        *at++ = static_cast<std::uint8_t>(prop::message_expiry);  // [MQTT-3.3.2-6]
        at = put16(at, static_cast<std::uint16_t>(*p.message_expiry >> 16));
        at = put16(at, static_cast<std::uint16_t>(*p.message_expiry));
    }
    if (p.topic_alias) {
        *at++ = static_cast<std::uint8_t>(prop::topic_alias);
        at = put16(at, p.topic_alias);
    }
    for (auto id : p.subscription_ids) {
        *at++ = static_cast<std::uint8_t>(prop::subscription_id);  // [MQTT-3.3.4-3] [MQTT-3.3.4-4]
        at = put_varint(at, id);
    }
    return put(at, p.forwarded);  // [MQTT-3.3.2-4] [MQTT-3.3.2-15] to [MQTT-3.3.2-20]: as they came
}

}

result<publish_view> decode_publish(std::uint8_t flags, byte_view body, version v, sender from) {
    result<publish_view> r{boost::system::in_place_value};  // filled in place: the struct is too large to copy per message
    auto const why = read_publish(*r, flags, body, v, from);
    if (why != reason::success) r = why;
    return r;
}

void encode(bytes& out, publish_view const& p, version v) {
    writer w{out};
    auto const flags = (p.dup ? 8u : 0u) | unsigned{p.qos} << 1 | (p.retain ? 1u : 0u);
    auto const packet = w.begin(packet_type::publish, static_cast<std::uint8_t>(flags));
    w.utf8(p.topic);
    if (p.qos > 0) w.u16(p.packet_id);
    if (v == version::v5) write_properties(w, p.props);
    w.raw(p.payload);
    w.close(packet);
}

std::size_t publish_size(publish_parts const& p, version v) {
    auto const remaining = measure(p, v).remaining;
    // Over the limit of the format the header's own size no longer matters; the sum stays over packet_size_max.
    return remaining + 1 + (remaining > varint_max ? 4 : varint_size(static_cast<std::uint32_t>(remaining)));
}

publish_layout encode_publish_header(bytes& out, publish_parts const& p, version v) {
    auto const s = measure(p, v);
    assert(s.remaining <= varint_max && p.topic.size() <= 65535);
    auto const header = 1 + varint_size(static_cast<std::uint32_t>(s.remaining)) + s.remaining - p.payload_size;
    auto const begin = out.size();
    out.resize(begin + header);
    auto* at = out.data() + begin;
    auto const* const first = at;

    publish_layout layout{static_cast<std::uint32_t>(header), 0};
    *at++ = static_cast<std::uint8_t>(0x30 | (p.dup ? 8 : 0) | p.qos << 1 | (p.retain ? 1 : 0));
    at = put_varint(at, static_cast<std::uint32_t>(s.remaining));
    at = put16(at, static_cast<std::uint16_t>(p.topic.size()));
    at = put(at, as_bytes(p.topic));
    if (p.qos > 0) {
        layout.packet_id_at = static_cast<std::uint32_t>(at - first);
        at = put16(at, p.packet_id);
    }
    if (v == version::v5) at = put_properties(at, p, s.block);
    assert(at == out.data() + out.size());
    return layout;
}

}
