// The packets of a link: what each side says, in the other side's words.

#include "broker/bridge/link.hpp"
#include "broker/bridge/metrics.hpp"
#include "broker/bridge/remap.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/suback.hpp"
#include "broker/codec/subscribe.hpp"
#include "broker/codec/unsubscribe.hpp"
#include "broker/codec/writer.hpp"
#include "broker/log/log.hpp"

#include <boost/asio/post.hpp>

namespace airmail::bridge {
namespace {

using codec::packet_type;
using codec::version;

// Ids of our own requests, in the space that local sessions use last (they count from 1 through their window).
constexpr std::uint16_t subscribe_id = 65534, unsubscribe_id = 65533, state_id = 65535;

/// Topic mapped, everything else as it came. @return whole packet size; nothing is appended above `most`
bool forward(bytes& out, codec::publish_view const& p, std::string_view topic, std::uint8_t qos, bool retain, version v, std::size_t most, bytes& scratch) {
    codec::publish_parts parts;
    parts.qos = qos, parts.dup = p.dup && qos > 0, parts.retain = retain;
    parts.packet_id = p.packet_id, parts.topic = topic;
    if (v == version::v5) {
        if (p.props.present) parts.forwarded = codec::forwardable_properties(p.raw_props, p.props.present, scratch);
        if (p.props.has(codec::prop::message_expiry)) parts.message_expiry = p.props.message_expiry;
    }
    parts.payload_size = p.payload.size();
    if (codec::publish_size(parts, v) > most) return false;
    codec::encode_publish_header(out, parts, v);
    out.insert(out.end(), p.payload.begin(), p.payload.end());
    return true;
}

}

void link::hello() {
    codec::connect_view c;
    auto const v = version_of(settings_);
    c.protocol = v;
    c.clean_start = settings_.clean_session;
    c.keep_alive = static_cast<std::uint16_t>(settings_.keep_alive.count());
    c.client_id = remote_id_;
    if (!settings_.remote_user.empty()) c.user_name = settings_.remote_user;
    if (settings_.has_remote_password) c.password = as_bytes(settings_.remote_password);
    if (settings_.notifications && !settings_.notifications_local_only) {
        codec::will_view w;
        w.qos = 1, w.retain = true, w.topic = state_topic_, w.payload = as_bytes(std::string_view{"0"});
        c.will = w;
    }
    if (v == version::v5) {
        auto const say = [&](codec::prop p, auto& field, auto value) { c.props.add(p), field = value; };
        if (!settings_.clean_session) say(codec::prop::session_expiry, c.props.session_expiry, settings_.session_expiry);
        if (settings_.receive_maximum) say(codec::prop::receive_maximum, c.props.receive_maximum, settings_.receive_maximum);
        if (settings_.maximum_packet_size) say(codec::prop::maximum_packet_size, c.props.maximum_packet_size, settings_.maximum_packet_size);
    }
    c.bridge = private_ && v != version::v5;
    codec::encode(remote_->out(), c);
    flush();
}

void link::from_remote(codec::frame const& f) {
    if (stage_ == stage::greeting) return f.type == packet_type::connack ? on_connack(f) : lost("the other broker does not begin with CONNACK");
    switch (f.type) {
    case packet_type::publish: return remote_publish(f);
    case packet_type::puback:
    case packet_type::pubrec:
    case packet_type::pubrel:
    case packet_type::pubcomp: return remote_ack(f);
    case packet_type::suback: {
        auto const a = codec::decode_suback(f.type, f.body, version_of(settings_));
        if (!a) return lost("SUBACK that cannot be read");
        for (auto const code : a->codes)
            if (codec::failed(code)) log::warn("bridge", {{"connection", settings_.name}}, "the other broker refuses a subscription: {}", codec::name(code));
        return;
    }
    case packet_type::pingresp: waiting_pong_ = false; return;
    case packet_type::unsuback: return;
    case packet_type::disconnect: {
        auto const d = codec::decode_disconnect(f.body, version_of(settings_), codec::sender::server);
        return lost("the other broker says: " + std::string{d ? codec::name(d->code) : "DISCONNECT"});
    }
    default: return lost("the other broker sent a packet of clients");
    }
}

void link::on_connack(codec::frame const& f) {
    auto const a = codec::decode_connack(f.body, version_of(settings_));
    if (!a) return lost("CONNACK that cannot be read");
    if (a->code == codec::reason::unsupported_protocol_version && private_ && version_of(settings_) != version::v5) {
        private_ = false;   // at once, without the bridge bit
        --address_;
        wait_ = {};
        return lost("the other broker does not know the bridge bit");
    }
    if (codec::failed(a->code)) return lost("refused: " + std::string{codec::name(a->code)});
    receive_maximum_ = a->props.has(codec::prop::receive_maximum) ? a->props.receive_maximum : 65535;
    packet_bytes_max_ = a->props.has(codec::prop::maximum_packet_size) ? a->props.maximum_packet_size : 0;
    maximum_qos_ = a->props.has(codec::prop::maximum_qos) ? a->props.maximum_qos : 2;
    waiting_pong_ = false;
    subscribe_remote();
    // Now our own end: what waited for the other side flows as soon as its CONNACK is there.
    stage_ = stage::local;
    busy_at_ = home_.on().now();
    remote_->pause(true);
    acl::identity who;
    who.name = settings_.local_user, who.client_id = local_id_, who.how = acl::proof::bridge;
    local_ = std::make_unique<local_end>(home_, rules_, std::move(who), next_connection());
    local_->beyond = [this] { return remote_ ? remote_->waiting() : 0; };
    local_->on_pause = [this](bool on) {
        if (remote_) remote_->pause(on);
    };
    local_->connect(settings_.local_clean(), receive_maximum_);
}

void link::subscribe_remote() {
    auto const v = version_of(settings_);
    bytes filters, gone;
    std::uint16_t count = 0, left = 0;
    for (auto const& t : settings_.topics) {
        if (t.in) {
            codec::subscription_view s;
            s.filter = t.remote, s.qos = t.qos;
            if (v == version::v5) s.no_local = true, s.retain_as_published = true;
            codec::append_filter(filters, s, v);
            ++count;
        } else if (settings_.attempt_unsubscribe) {
            codec::writer{gone}.utf8(t.remote);
            ++left;
        }
    }
    if (left) {
        codec::unsubscribe_view u;
        u.packet_id = unsubscribe_id, u.filters = gone, u.count = left;
        codec::encode(remote_->out(), u, v);
    }
    if (!count) return;
    codec::subscribe_view s;
    s.packet_id = subscribe_id, s.filters = filters, s.count = count;
    codec::encode(remote_->out(), s, v);
}

void link::subscribe_local() {
    bytes filters;
    std::uint16_t count = 0;
    for (auto const& t : settings_.topics) {
        if (!t.out) continue;
        codec::subscription_view s;
        s.filter = t.local, s.qos = std::min(t.qos, maximum_qos_);
        s.no_local = true;               // what came in by this bridge does not go out by it
        s.retain_as_published = true;
        s.retain_handling = 1;           // retained messages once, when the subscription is new
        codec::append_filter(filters, s, version::v5);
        ++count;
    }
    if (!count) return;
    codec::subscribe_view s;
    s.packet_id = subscribe_id, s.filters = filters, s.count = count;
    bytes packet;
    codec::encode(packet, s, version::v5);
    local_->send(packet);
}

void link::remote_publish(codec::frame const& f) {
    auto const v = version_of(settings_);
    auto const p = codec::decode_publish(f.flags, f.body, v, codec::sender::server);
    if (!p || p->topic.empty()) return lost("PUBLISH that cannot be read");
    if (!local_) return;   // before our end is there: it will be sent again, for nothing acknowledged it
    auto const topic = inward(settings_.topics, p->topic);
    bytes packet;
    if (!topic || topic->empty() || !forward(packet, *p, *topic, p->qos, p->retain, version::v5, rules_->packet_bytes_max, properties_)) {
        metric::unmapped.add();
        if (p->qos > 0) codec::encode_ack(remote_->out(), p->qos == 1 ? packet_type::puback : packet_type::pubrec, p->packet_id);
        return;
    }
    metric::in.add();
    busy_at_ = home_.on().now();
    local_->send(packet);
}

void link::remote_ack(codec::frame const& f) {
    auto const a = codec::decode_ack(f.type, f.body, version_of(settings_));
    if (!a) return lost("an acknowledgement that cannot be read");
    if (a->packet_id == state_id || !local_) return;
    bytes packet;
    codec::encode(packet, codec::ack_view{f.type, a->packet_id, a->code}, version::v5);
    local_->send(packet);
}

void link::from_local(codec::frame const& f) {
    switch (f.type) {
    case packet_type::connack: {
        auto const a = codec::decode_connack(f.body, version::v5);
        if (!a || codec::failed(a->code)) return;   // close() follows
        subscribe_local();
        if (remote_) went_up();
        return;
    }
    case packet_type::suback: {
        if (!remote_) {   // registering: the subscriptions are stored, and now we wait for the other side
            registered();
            stage_ = stage::idle;
            local_->leave();
            boost::asio::post(home_.on().io(), [self = shared_from_this()] {
                if (self->stage_ != stage::idle || self->stopped_) return;
                self->local_.reset();
                if (self->settings_.starts != config::bridge::start::lazy) self->connect();
            });
            return;
        }
        return;
    }
    case packet_type::publish: return local_publish(f);
    case packet_type::puback:
    case packet_type::pubrec:
    case packet_type::pubrel:
    case packet_type::pubcomp: return local_ack(f);
    default: return;
    }
}

void link::local_publish(codec::frame const& f) {
    auto const p = codec::decode_publish(f.flags, f.body, version::v5, codec::sender::server);
    if (!p || !remote_) return;
    auto const topic = outward(settings_.topics, p->topic);
    auto const most = packet_bytes_max_ ? packet_bytes_max_ : codec::packet_size_max;
    bool const mapped = topic && !topic->empty();
    if (mapped && forward(remote_->out(), *p, *topic, p->qos, p->retain && settings_.outgoing_retain, version_of(settings_), most, properties_)) {
        metric::out.add();
        busy_at_ = home_.on().now();
        return;
    }
    (mapped ? metric::oversized : metric::unmapped).add();
    if (p->qos == 0) return;
    // A code that says no ends the exchange, for QoS 2 too. [MQTT-4.3.3-4]
    bytes packet;
    codec::encode(packet, codec::ack_view{p->qos == 1 ? packet_type::puback : packet_type::pubrec, p->packet_id, codec::reason::implementation_specific_error}, version::v5);
    local_->send(packet);
}

void link::local_ack(codec::frame const& f) {
    auto const a = codec::decode_ack(f.type, f.body, version::v5);
    if (!a || !remote_) return;
    bool const answers = f.type == packet_type::puback || f.type == packet_type::pubrec;
    // Nothing was stored here: the other broker must keep it and send it again.
    if (answers && a->code == codec::reason::quota_exceeded) {
        boost::asio::post(home_.on().io(), [weak = weak_from_this()] {
            if (auto self = weak.lock()) self->lost("this broker could not store a message");
        });
        return;
    }
    codec::encode_ack(remote_->out(), f.type, a->packet_id);
}

void link::publish_state_remotely(bool up) {
    codec::publish_view p;
    p.qos = 1, p.retain = true, p.packet_id = state_id;
    p.topic = state_topic_, p.payload = as_bytes(std::string_view{up ? "1" : "0"});
    codec::encode(remote_->out(), p, version_of(settings_));
}

}
