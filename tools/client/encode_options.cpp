#include "tools/client/encode_options.hpp"

#include "broker/codec/connect.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/utf8.hpp"
#include "broker/codec/varint.hpp"

#include <charconv>
#include <algorithm>

namespace airmail::client {
namespace {

using codec::prop;

constexpr std::size_t user_properties_max = 1 << 20;  // bytes; keeps every packet inside the format's limit
constexpr std::size_t payload_max = codec::varint_max - (2 << 20);

bool text(std::string_view s) { return s.size() <= 65535 && codec::valid_utf8(s); }

/// Properties that borrow from a publication; `user` keeps the encoded User Properties alive.
codec::properties properties_of(publication const& p, bytes& user) {
    codec::properties out;
    auto const words = [&](prop id, std::string_view from, std::string_view& to) {
        if (from.empty()) return;
        to = from;
        out.add(id);
    };
    words(prop::content_type, p.content_type, out.content_type);
    words(prop::response_topic, p.response_topic, out.response_topic);
    if (!p.correlation_data.empty()) {
        out.correlation_data = as_bytes(p.correlation_data);
        out.add(prop::correlation_data);
    }
    if (p.payload_is_utf8) {
        out.payload_format = 1;
        out.add(prop::payload_format);
    }
    if (p.message_expiry) {
        out.message_expiry = *p.message_expiry;
        out.add(prop::message_expiry);
    }
    if (p.topic_alias) {
        out.topic_alias = p.topic_alias;
        out.add(prop::topic_alias);
    }
    for (auto const& u : p.user_properties) codec::append_user_property(user, u.key, u.value);
    if (!user.empty()) {
        out.user_properties = user;
        out.add(prop::user_property);
    }
    return out;
}

codec::will_view will_of(connect_options const& o, bytes& user) {
    auto const& w = *o.will;
    codec::will_view out{w.qos, w.retain, w.topic, as_bytes(w.payload), properties_of(w, user), {}};
    if (o.will_delay.count() > 0) {
        out.props.will_delay = static_cast<std::uint32_t>(o.will_delay.count());
        out.props.add(prop::will_delay);
    }
    return out;
}

}

bool encodable(std::span<user_property const> user) {
    std::size_t total = 0;
    for (auto const& u : user) total += u.key.size() + u.value.size();
    if (total > user_properties_max) return false;
    return std::all_of(user.begin(), user.end(), [](auto const& u) { return text(u.key) && text(u.value); });
}

bool encodable(publication const& p) {
    if (p.qos > 2 || p.payload.size() > payload_max || !text(p.topic) || codec::has_wildcard(p.topic)) return false;
    if (p.topic.empty() && p.topic_alias == 0) return false;
    if (p.response_topic.size() && (!text(p.response_topic) || !codec::valid_topic_name(p.response_topic))) return false;
    return text(p.content_type) && p.correlation_data.size() <= 65535 && encodable(p.user_properties);
}

bool encodable(connect_options const& o) {
    if (!text(o.client_id) || !encodable(o.user_properties)) return false;
    if (o.user_name && !text(*o.user_name)) return false;
    if (o.password && o.password->size() > 65535) return false;
    if (o.password && !o.user_name && o.protocol != codec::version::v5) return false;
    if (o.will && (!encodable(*o.will) || o.will->topic.empty() || o.will->topic_alias || o.will->payload.size() > 65535)) return false;
    return o.keep_alive.count() >= 0 && o.keep_alive.count() <= 65535 && o.receive_maximum > 0;
}

void encode_connect(bytes& out, connect_options const& o) {
    bytes user, will_user;
    codec::connect_view c;
    c.protocol = o.protocol;
    c.clean_start = o.clean_start;
    c.keep_alive = static_cast<std::uint16_t>(o.keep_alive.count());
    c.client_id = o.client_id;
    if (o.user_name) c.user_name = *o.user_name;
    if (o.password) c.password = as_bytes(*o.password);
    if (o.will) c.will = will_of(o, will_user);
    c.props.session_expiry = o.session_expiry;
    c.props.receive_maximum = o.receive_maximum;
    c.props.maximum_packet_size = o.maximum_packet_size;
    c.props.topic_alias_maximum = o.topic_alias_maximum;
    if (o.session_expiry) c.props.add(prop::session_expiry);
    if (o.receive_maximum != 65535) c.props.add(prop::receive_maximum);
    if (o.maximum_packet_size) c.props.add(prop::maximum_packet_size);
    if (o.topic_alias_maximum) c.props.add(prop::topic_alias_maximum);
    for (auto const& u : o.user_properties) codec::append_user_property(user, u.key, u.value);
    if (!user.empty()) {
        c.props.user_properties = user;
        c.props.add(prop::user_property);
    }
    codec::encode(out, c);
}

void encode_publish(bytes& out, publication const& p, std::uint16_t packet_id, codec::version v) {
    bytes user;
    codec::publish_view view;
    view.qos = p.qos;
    view.retain = p.retain;
    view.packet_id = packet_id;
    view.topic = p.topic;
    view.payload = as_bytes(p.payload);
    if (v == codec::version::v5) view.props = properties_of(p, user);
    codec::encode(out, view, v);
}

void encode_disconnect(bytes& out, codec::reason why, std::span<user_property const> user, codec::version v) {
    bytes encoded;
    codec::disconnect_view d{why, {}};
    for (auto const& u : user) codec::append_user_property(encoded, u.key, u.value);
    if (!encoded.empty()) {
        d.props.user_properties = encoded;
        d.props.add(prop::user_property);
    }
    codec::encode(out, d, v);
}

std::vector<user_property> to_user_properties(codec::properties const& p) {
    std::vector<user_property> out;
    codec::user_property_view u;
    for (auto rest = p.user_properties; codec::next_user_property(rest, u);) out.push_back({std::string(u.key), std::string(u.value)});
    return out;
}

std::chrono::seconds retry_after(codec::properties const& p) {
    constexpr unsigned most = 3600;
    codec::user_property_view u;
    for (auto rest = p.user_properties; codec::next_user_property(rest, u);) {
        unsigned s = 0;
        if (u.key == "retry_after_s" && std::from_chars(u.value.data(), u.value.data() + u.value.size(), s).ec == std::errc{}) return std::chrono::seconds(std::min(s, most));
    }
    return {};
}

message to_message(codec::publish_view const& p) {
    message m;
    m.topic = p.topic;
    m.payload = as_text(p.payload);
    m.qos = p.qos;
    m.retain = p.retain;
    m.dup = p.dup;
    if (p.props.has(prop::message_expiry)) m.message_expiry = p.props.message_expiry;
    m.content_type = p.props.content_type;
    m.response_topic = p.props.response_topic;
    m.correlation_data = as_text(p.props.correlation_data);
    m.user_properties = to_user_properties(p.props);
    m.subscription_ids.assign(p.props.subscription_ids.begin(), p.props.subscription_ids.begin() + p.props.subscription_id_count);
    return m;
}

}
