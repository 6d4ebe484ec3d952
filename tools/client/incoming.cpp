// What the server sent: packets taken out of the stream, answered, and told to the caller.

#include "broker/codec/acks.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/ping.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/suback.hpp"
#include "tools/client/client.hpp"

#include <algorithm>

namespace airmail::client {

using codec::packet_type;
using codec::reason;

bool client::take(byte_view in) {
    auto const g = generation_;
    if (partial_.empty()) {
        auto const used = take_packets(in);
        if (!current(g)) return false;
        in = in.subspan(used);
        partial_.assign(in.begin(), in.end());
        return true;
    }
    partial_.insert(partial_.end(), in.begin(), in.end());
    bytes whole;
    whole.swap(partial_);  // a callback may end the connection, and with it partial_
    auto const used = take_packets(whole);
    if (!current(g)) return false;
    if (used < whole.size()) {
        whole.erase(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(used));
        partial_.swap(whole);
    }
    return true;
}

std::size_t client::take_packets(byte_view in) {
    auto const g = generation_;
    std::size_t used = 0;
    while (used < in.size()) {
        auto const f = codec::next_frame(in.subspan(used), version_, packet_max_);
        if (!f) {
            fail(errc::protocol_violation, f.error());
            return used;
        }
        if (!f->complete()) break;
        used += f->size;
        ++counted_.packets_in;
        on_packet(*f);
        if (!current(g)) return used;
    }
    return used;
}

void client::on_packet(codec::frame const& f) {
    auto const g = generation_;
    reason why = reason::protocol_error;
    if (state_ == state::leaving) {
        why = reason::success;  // said goodbye: nothing is listened to
    } else if (state_ == state::greeting) {
        if (f.type == packet_type::connack) why = on_connack(f);  // [MQTT-3.2.0-1]
    } else {
        switch (f.type) {
        case packet_type::publish: why = on_publish(f); break;
        case packet_type::puback: case packet_type::pubrec: case packet_type::pubrel: case packet_type::pubcomp: why = on_ack(f); break;
        case packet_type::suback: case packet_type::unsuback: why = on_suback(f); break;
        case packet_type::disconnect: why = on_disconnect(f); break;
        case packet_type::pingresp:
            ping_open_ = false;
            why = reason::success;
            break;
        default: break;
        }
    }
    if (why != reason::success && current(g)) fail(errc::protocol_violation, why);
}

reason client::on_connack(codec::frame const& f) {
    auto const p = codec::decode_connack(f.body, version_);
    if (!p) return p.error();
    auto const g = generation_;
    if (p->code == reason::success) {
        state_ = state::online;
        sent_at_ = clock::now();
        if (p->props.has(codec::prop::server_keep_alive)) keep_alive_ = p->props.server_keep_alive;  // [MQTT-3.1.2-21]
        if (p->props.has(codec::prop::maximum_packet_size)) server_packet_max_ = p->props.maximum_packet_size;
        send_quota_ = p->props.receive_maximum;  // [MQTT-4.9.0-1]
        server_alias_max_ = p->props.topic_alias_maximum;
        resume(p->session_present);
    }
    auto const told = handlers_;
    if (told->on_connack) told->on_connack(*this, *p);
    if (p->code != reason::success && current(g))
        end({make_error_code(errc::refused), p->code, std::string(p->props.reason_string), retry_after(p->props)});
    return reason::success;
}

void client::resume(bool session_present) {
    if (!session_present) received_.clear();  // [MQTT-3.2.2-5]
    for (auto it = inflight_.begin(); it != inflight_.end();) {
        bool const publish = it->now != inflight::state::request;
        if (!publish || (it->now != inflight::state::held && (!session_present || (it->packet.empty() && it->now == inflight::state::sent)))) {
            if (publish) ++counted_.lost;
            it = inflight_.erase(it);
            continue;
        }
        if (it->now == inflight::state::released) codec::encode_ack(out_, packet_type::pubrel, it->id);  // [MQTT-4.4.0-1]
        if (it->now == inflight::state::sent) {
            codec::set_dup(it->packet.data());  // [MQTT-3.3.1-1]
            out_.insert(out_.end(), it->packet.begin(), it->packet.end());
        }
        if (it->now != inflight::state::held) {
            ++counted_.packets_out;
            if (send_quota_ > 0) --send_quota_;
        }
        ++it;
    }
    send_held();
}

reason client::resolve_alias(codec::publish_view& p) {
    if (!p.props.has(codec::prop::topic_alias)) return reason::success;
    auto const alias = p.props.topic_alias;
    if (alias > alias_max_) return reason::topic_alias_invalid;  // [MQTT-3.3.2-11]
    if (!aliases_) aliases_ = std::make_unique<std::vector<std::string>>(alias_max_);
    auto& known = (*aliases_)[alias - 1u];
    if (!p.topic.empty()) known = p.topic;
    p.topic = known;
    return p.topic.empty() ? reason::protocol_error : reason::success;
}

reason client::on_publish(codec::frame const& f) {
    auto p = codec::decode_publish(f.flags, f.body, version_, codec::sender::server);
    if (!p) return p.error();
    if (auto const why = resolve_alias(*p); why != reason::success) return why;
    auto const g = generation_;
    bool const again = p->qos == 2 && std::find(received_.begin(), received_.end(), p->packet_id) != received_.end();
    if (p->qos == 2 && !again) received_.push_back(p->packet_id);
    auto const told = handlers_;
    if (!again && told->on_message) told->on_message(*this, *p);  // [MQTT-4.3.3-10]
    if (current(g) && state_ == state::online) answer(*p);
    return reason::success;
}

void client::answer(codec::publish_view const& p) {
    if (p.qos == 0) return;
    codec::encode_ack(out_, p.qos == 1 ? packet_type::puback : packet_type::pubrec, p.packet_id);  // [MQTT-4.3.2-4] [MQTT-4.3.3-8]
    ++counted_.packets_out;
}

void client::tell_ack(packet_type type, std::uint16_t id, std::span<reason const> codes, codec::properties const& props) {
    auto const told = handlers_;
    if (told->on_ack) told->on_ack(*this, ack_event{type, id, codes, props});
}

reason client::on_ack(codec::frame const& f) {
    auto const a = codec::decode_ack(f.type, f.body, version_);
    if (!a) return a.error();
    if (f.type == packet_type::pubrel) {
        std::erase(received_, a->packet_id);
        codec::encode_ack(out_, packet_type::pubcomp, a->packet_id);  // [MQTT-4.3.3-11]
        ++counted_.packets_out;
        return reason::success;
    }
    auto const it = inflight_.find(a->packet_id);
    if (it == inflight_.end()) return reason::success;  // a late answer to something already given up
    bool const rec = f.type == packet_type::pubrec;
    if (it->qos != (f.type == packet_type::puback ? 1 : 2)) return reason::protocol_error;
    if (rec && !codec::failed(a->code)) {
        bytes{}.swap(it->packet);  // [MQTT-4.3.3-6]
        it->now = inflight::state::released;
        codec::encode_ack(out_, packet_type::pubrel, a->packet_id);  // [MQTT-4.3.3-4]
        ++counted_.packets_out;
        return reason::success;
    }
    inflight_.erase(it);  // [MQTT-4.4.0-2]
    if (send_quota_ < 65535) ++send_quota_;
    if (held_bytes_ > 0) send_held();
    tell_ack(f.type, a->packet_id, {&a->code, 1}, a->props);
    return reason::success;
}

reason client::on_suback(codec::frame const& f) {
    auto const a = codec::decode_suback(f.type, f.body, version_);
    if (!a) return a.error();
    auto const it = inflight_.find(a->packet_id);
    if (it == inflight_.end() || it->now != inflight::state::request) return reason::protocol_error;
    inflight_.erase(it);
    tell_ack(f.type, a->packet_id, a->codes, a->props);
    return reason::success;
}

reason client::on_disconnect(codec::frame const& f) {
    if (version_ != codec::version::v5) return reason::protocol_error;
    auto const d = codec::decode_disconnect(f.body, version_, codec::sender::server);
    if (!d) return d.error();
    end({make_error_code(errc::disconnected), d->code, std::string(d->props.reason_string), retry_after(d->props)});
    return reason::success;
}

}
