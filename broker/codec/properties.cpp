#include "broker/codec/properties.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

/// A byte that may only be 0 or 1.
std::uint8_t flag(reader& in) {
    auto const v = in.u8();
    if (v > 1) in.fail(reason::protocol_error);
    return v;
}

/// A number whose 0 means something is wrong.
template <class Number> Number positive(reader& in, Number v, reason otherwise = reason::protocol_error) {
    if (v == 0) in.fail(otherwise);
    return v;
}

void read_subscription_id(reader& in, properties& p) {
    auto const id = positive(in, in.varint());
    if (p.subscription_id_count < p.subscription_ids.size()) p.subscription_ids[p.subscription_id_count++] = id;
}

void read_response_topic(reader& in, properties& p) {
    p.response_topic = in.utf8();                                                          // [MQTT-3.3.2-13]
    if (in.ok() && !valid_topic_name(p.response_topic)) in.fail(reason::protocol_error);  // [MQTT-3.3.2-14]
}

void read_user_property(reader& in, properties& p, std::uint8_t const* id_at) {
    in.utf8();  // [MQTT-1.5.7-1]
    in.utf8();
    auto const* const begin = p.user_property_count ? p.user_properties.data() : id_at;
    if (p.user_property_count < 65535) ++p.user_property_count;
    if (in.ok()) p.user_properties = {begin, in.at()};
}

/// The value of one property, whose identifier stood at `id_at`.
void read_value(reader& in, properties& p, prop id, std::uint8_t const* id_at) {
    switch (id) {
    case prop::payload_format: p.payload_format = flag(in); return;
    case prop::message_expiry: p.message_expiry = in.u32(); return;
    case prop::content_type: p.content_type = in.utf8(); return;  // [MQTT-3.3.2-19]
    case prop::response_topic: return read_response_topic(in, p);
    case prop::correlation_data: p.correlation_data = in.binary(); return;
    case prop::subscription_id: return read_subscription_id(in, p);
    case prop::session_expiry: p.session_expiry = in.u32(); return;
    case prop::assigned_client_id: p.assigned_client_id = in.utf8(); return;
    case prop::server_keep_alive: p.server_keep_alive = in.u16(); return;
    case prop::auth_method: p.auth_method = in.utf8(); return;
    case prop::auth_data: p.auth_data = in.binary(); return;
    case prop::request_problem_info: p.request_problem_info = flag(in); return;
    case prop::will_delay: p.will_delay = in.u32(); return;
    case prop::request_response_info: p.request_response_info = flag(in); return;
    case prop::response_info: p.response_info = in.utf8(); return;
    case prop::server_reference: p.server_reference = in.utf8(); return;
    case prop::reason_string: p.reason_string = in.utf8(); return;
    case prop::receive_maximum: p.receive_maximum = positive(in, in.u16()); return;
    case prop::topic_alias_maximum: p.topic_alias_maximum = in.u16(); return;
    case prop::topic_alias: p.topic_alias = positive(in, in.u16(), reason::topic_alias_invalid); return;  // [MQTT-3.3.2-8]
    case prop::maximum_qos: p.maximum_qos = flag(in); return;
    case prop::retain_available: p.retain_available = flag(in); return;
    case prop::user_property: return read_user_property(in, p, id_at);
    case prop::maximum_packet_size: p.maximum_packet_size = positive(in, in.u32()); return;
    case prop::wildcard_available: p.wildcard_available = flag(in); return;
    case prop::subscription_ids_available: p.subscription_ids_available = flag(in); return;
    case prop::shared_available: p.shared_available = flag(in); return;
    }
    in.fail(reason::malformed_packet);
}

/// Reads properties until the block ends. `in` is the block alone.
void read_block(reader& in, properties& p, prop_set allowed) {
    // Only a PUBLISH allows an alias, and only there may Subscription Identifiers be repeated. [MQTT-3.3.4-4]
    auto const repeatable = bit(prop::user_property) | (allowed & bit(prop::topic_alias) ? bit(prop::subscription_id) : 0);
    while (in.left() != 0) {
        auto const* const id_at = in.at();
        auto const id = in.u8();
        auto const mask = id < 64 ? prop_set{1} << id : 0;
        if (!(allowed & mask)) return in.fail(reason::malformed_packet);
        if (p.present & mask & ~repeatable) return in.fail(reason::protocol_error);
        p.present |= mask;
        read_value(in, p, static_cast<prop>(id), id_at);
    }
}

}

byte_view read_properties(reader& in, properties& out, prop_set allowed) {
    auto const block = in.take(in.varint());
    if (block.empty()) return block;
    reader inner{block};
    read_block(inner, out, allowed);
    if (!inner.ok()) in.fail(inner.why());
    if (out.has(prop::auth_data) && !out.has(prop::auth_method)) in.fail(reason::protocol_error);
    return block;
}

properties decode_forwardable(byte_view block) {
    properties p;
    reader in{block};
    read_block(in, p, allowed::forwarded);
    return in.ok() ? p : properties{};
}

void write_properties(writer& out, properties const& p) {
    auto const begin = out.open();  // [MQTT-2.2.2-1] 0 when nothing follows
    auto const u8 = [&](prop id, std::uint8_t v) { if (p.has(id)) out.u8(std::uint8_t(id)), out.u8(v); };
    auto const u16 = [&](prop id, std::uint16_t v) { if (p.has(id)) out.u8(std::uint8_t(id)), out.u16(v); };
    auto const u32 = [&](prop id, std::uint32_t v) { if (p.has(id)) out.u8(std::uint8_t(id)), out.u32(v); };
    auto const text = [&](prop id, std::string_view v) { if (p.has(id)) out.u8(std::uint8_t(id)), out.utf8(v); };
    auto const data = [&](prop id, byte_view v) { if (p.has(id)) out.u8(std::uint8_t(id)), out.binary(v); };
    u8(prop::payload_format, p.payload_format);
    u32(prop::message_expiry, p.message_expiry);
    text(prop::content_type, p.content_type);
    text(prop::response_topic, p.response_topic);
    data(prop::correlation_data, p.correlation_data);
    for (std::size_t i = 0; p.has(prop::subscription_id) && i < p.subscription_id_count; ++i) {
        out.u8(std::uint8_t(prop::subscription_id));
        out.varint(p.subscription_ids[i]);
    }
    u32(prop::session_expiry, p.session_expiry);
    text(prop::assigned_client_id, p.assigned_client_id);
    u16(prop::server_keep_alive, p.server_keep_alive);
    text(prop::auth_method, p.auth_method);
    data(prop::auth_data, p.auth_data);
    u8(prop::request_problem_info, p.request_problem_info);
    u32(prop::will_delay, p.will_delay);
    u8(prop::request_response_info, p.request_response_info);
    text(prop::response_info, p.response_info);
    text(prop::server_reference, p.server_reference);
    text(prop::reason_string, p.reason_string);
    u16(prop::receive_maximum, p.receive_maximum);
    u16(prop::topic_alias_maximum, p.topic_alias_maximum);
    u16(prop::topic_alias, p.topic_alias);
    u8(prop::maximum_qos, p.maximum_qos);
    u8(prop::retain_available, p.retain_available);
    u32(prop::maximum_packet_size, p.maximum_packet_size);
    u8(prop::wildcard_available, p.wildcard_available);
    u8(prop::subscription_ids_available, p.subscription_ids_available);
    u8(prop::shared_available, p.shared_available);
    user_property_view user;
    for (auto rest = p.user_properties; p.has(prop::user_property) && next_user_property(rest, user);) {
        out.u8(std::uint8_t(prop::user_property));
        out.utf8(user.key);
        out.utf8(user.value);
    }
    out.close(begin);
}

}
