// PUBLISH from a peer. The order of the lines is the order of checks (STYLE, section 6).

#include "broker/codec/acks.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/utf8.hpp"
#include "broker/codec/within.hpp"
#include "broker/handlers/metrics.hpp"
#include "broker/handlers/own_topics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/handlers/refusals.hpp"
#include "broker/handlers/words.hpp"
#include "broker/log/log.hpp"

namespace airmail::handlers {
namespace {

/// PUBACK or PUBREC with a code, and why in words when it is a refusal and they are wanted. [MQTT-3.1.2-29] [MQTT-3.4.2-2] [MQTT-3.5.2-2]
void refuse_with(peer& to, codec::packet_type type, std::uint16_t id, codec::reason r) {
    codec::ack_view a{type, id, r};
    if (codec::failed(r) && to.session->problem_info) a.props.explain(words(r));
    codec::encode_within(to.out(), a, to.protocol, to.packet_bytes_allowed());
}

}

bool mqtt::on_publish(peer& from, codec::frame const& f) {
    auto& s = *from.session;
    auto const p = codec::decode_publish(f.flags, f.body, from.protocol);
    if (!p) return bad(from, p.error(), "PUBLISH");
    auto const& rules = from.rules();
    if (p->qos > rules.maximum_qos) return bad(from, codec::reason::qos_not_supported, "PUBLISH above Maximum QoS");           // [MQTT-3.2.2-11]
    if (p->retain && !rules.retain_available) return bad(from, codec::reason::retain_not_supported, "PUBLISH with RETAIN");    // [MQTT-3.2.2-14]
    std::string_view topic = p->topic;
    if (p->props.has(codec::prop::topic_alias) || topic.empty()) {
        // First: the rules must see the real name. [MQTT-3.3.2-12]
        auto const real = s.receiving().aliases.resolve(p->props.topic_alias, topic, rules.topic_alias_in);
        if (!real) return bad(from, real.error(), "topic alias");
        topic = *real;
    }
    if (!rules.mount_point.empty()) topic = scratch_topic_.assign(rules.mount_point).append(topic);   // from here on the real one
    metric::received_payload.add(p->payload.size());
    (p->qos == 0 ? metric::received_qos0 : p->qos == 1 ? metric::received_qos1 : metric::received_qos2).add();
    if (p->qos == 2 && s.receiving_if()) {
        auto const known = s.receiving_if()->ids.find(p->packet_id);
        if (known != session::incoming_ids::known::no) {
            metric::duplicates.add();  // not delivered twice [MQTT-4.3.3-10]; one that is being stored gets its PUBREC then
            if (known == session::incoming_ids::known::answered) codec::encode_ack(from.out(), codec::packet_type::pubrec, p->packet_id);
            return true;
        }
    }
    auto const hash = router::keyed_hash(topic);
    auto const r = publish_allowed(from, s, *p, topic, hash);
    if (codec::failed(r)) return refuse(from, *p, r);
    if (p->qos > 0) {
        // [MQTT-3.3.4-7]; 3.1.1 has no such promise: there we stop reading (regulate).
        if (s.v5() && rules.receive_maximum_in && s.unanswered >= rules.receive_maximum_in)
            return bad(from, codec::reason::receive_maximum_exceeded, "more than Receive Maximum unanswered");
        ++s.unanswered;
        if (p->qos == 2) s.receiving().ids.add(p->packet_id);
    }
    if (r == codec::reason::success) route(s, from, *p, topic, hash);
    else if (p->qos > 0) answer({from.connection_number(), s.number, p->packet_id, p->qos}, router::outcome::nobody);   // a request to the broker itself
    regulate(from, s, f.body.size());
    return true;
}

codec::reason mqtt::publish_allowed(peer& from, session::session& s, codec::publish_view const& p, std::string_view topic, std::uint64_t hash) {
    auto const& rules = from.rules();
    // `$share/` is no topic: a message there would meet nobody but confuse readers of logs.
    if (topic.size() > rules.topic_bytes_max || topic.starts_with("$share/") ||
        codec::level_count(topic) > std::min<std::size_t>(rules.topic_levels_max, router::levels::max)) {
        metric::refused_topic.add();
        return codec::reason::topic_name_invalid;
    }
    // $SYS is the broker's own voice, whatever the rules say.
    if (is_own_topic(topic, rules.device, [&] { return this->rules() != nullptr; }) || !may(s, acl::action::publish, topic, hash)) {
        metric::refused_acl.add();
        if (refusals.may(shard_.now())) log::info("handlers", {{"conn", from.connection_number()}, {"id", s.name()}, {"topic", topic}}, "publish refused by the rules");
        return codec::reason::not_authorized;
    }
    if ((rules.user_properties_max && p.props.user_property_count > rules.user_properties_max) ||
        (rules.user_property_bytes_max && p.props.user_properties.size() > rules.user_property_bytes_max) ||
        (p.retain && rules.retained_payload_max && p.payload.size() > rules.retained_payload_max)) {
        metric::refused_quota.add();
        return codec::reason::quota_exceeded;
    }
    if (rules.payload_max && p.payload.size() > rules.payload_max) {
        metric::refused_quota.add();
        return codec::reason::packet_too_large;
    }
    if (rules.payload_format_check && p.props.payload_format == 1 && !codec::valid_text(as_text(p.payload))) {
        metric::refused_format.add();
        return codec::reason::payload_format_invalid;
    }
    if (world_.gate) {
        auto const r = world_.gate->before_publish(s, topic, p);
        if (codec::failed(r)) metric::refused_plugin.add();
        return r;
    }
    return codec::reason::success;
}

bool mqtt::refuse(peer& from, codec::publish_view const& p, codec::reason r) {
    if (p.qos == 0) return true;
    auto const type = p.qos == 1 ? codec::packet_type::puback : codec::packet_type::pubrec;
    if (from.protocol == codec::version::v5) {
        refuse_with(from, type, p.packet_id, r);  // the id is free again [MQTT-4.3.3-9]
        return true;
    }
    if (r != codec::reason::not_authorized && r != codec::reason::packet_too_large) return bad(from, r, "PUBLISH refused");
    // 3.1.1 has no way to say no: acknowledge and drop [3.1.1 MQTT-3.3.5-2]. A later PUBREL finds nothing and is answered.
    codec::encode_ack(from.out(), type, p.packet_id);
    return true;
}

void mqtt::route(session::session& s, peer& from, codec::publish_view const& p, std::string_view topic, std::uint64_t hash) {
    auto const& rules = from.rules();
    storage::message_fields f;
    f.tenant = s.tenant, f.qos = p.qos, f.retain = p.retain;
    f.topic = topic;
    if (p.props.present) f.properties = codec::forwardable_properties(p.raw_props, p.props.present, scratch_properties_);
    f.payload = p.payload;
    f.received_at_ms = now();
    if (p.props.has(codec::prop::message_expiry)) f.expires_at_ms = f.received_at_ms + std::int64_t{p.props.message_expiry} * 1000;
    f.publisher = s.number, f.identity = s.name(), f.client_id = s.client_id();
    auto m = storage::message::make(f);

    router::publish_options o;
    o.durable = rules.durable;
    o.retained_per_identity = rules.retained_per_identity_max;
    o.remember_id = p.qos == 2 && s.stored;
    show_plugins(m, o);
    router::ack_promise promise;
    if (p.qos > 0) promise = {from.connection_number(), s.number, p.packet_id, p.qos};
    fanout_.publish(std::move(m), hash, promise, o);
}

void mqtt::show_plugins(storage::message_ptr const& m, router::publish_options& o) {
    if (!world_.gate) return;
    auto const w = world_.gate->wanted_by(m->topic());
    bool const logged = m->qos() > 0 && o.durable;
    auto const lanes = logged ? w.loose : w.loose | w.durable;
    if (logged) o.consumers = w.consumers;
    o.heard = lanes != 0;
    if (lanes) world_.gate->post(m, lanes);
}

void mqtt::answer(router::ack_promise const& p, router::outcome o) {
    if (p.session == 0) {
        auto const i = waiting_publishers_.find(p.connection);
        if (i == waiting_publishers_.end()) return;
        auto const done = std::move(i->second);
        waiting_publishers_.erase(i);
        return done(o == router::outcome::routed || o == router::outcome::nobody);
    }
    auto* s = sessions_.find(p.session);
    if (!s) return;
    bool const safe = o == router::outcome::routed || o == router::outcome::nobody;
    if (p.qos == 2) {
        if (safe) s->receiving().ids.answered(p.packet_id);
        else s->receiving().ids.remove(p.packet_id);
    }
    if (!safe) (o == router::outcome::over_quota ? metric::refused_quota : metric::refused_store).add();
    if (!s->connected() || s->connection != p.connection) return;
    auto& to = peer_of(*s);
    // 3.1.1 counts to the PUBREC: a paused socket is not read, so its PUBREL could never end the pause.
    if (p.qos == 1 || !safe || !s->v5()) s->unanswered -= s->unanswered > 0;
    if (s->paused_quota) resume_answered(to, *s);
    auto const type = p.qos == 1 ? codec::packet_type::puback : codec::packet_type::pubrec;
    if (safe && (o == router::outcome::routed || !s->v5())) return codec::encode_ack(to.out(), type, p.packet_id);  // [MQTT-4.3.2-4] [MQTT-4.3.3-8]
    if (!s->v5()) return to.close(codec::reason::quota_exceeded, "message not stored");  // no ack: the client will send it again
    auto const r = safe ? codec::reason::no_matching_subscribers : codec::reason::quota_exceeded;
    refuse_with(to, type, p.packet_id, r);
}

void mqtt::regulate(peer& from, session::session& s, std::size_t size) {
    auto const& rules = from.rules();
    auto const t = now();
    bool const was = s.paused_rate || s.paused_store || s.paused_quota;
    bool const in_rate = s.messages.charge(1, rules.publish_rate, rules.publish_burst, t);
    bool const in_bytes = s.payload.charge(static_cast<std::uint32_t>(size), rules.publish_bytes_s, std::max(rules.publish_bytes_s, rules.packet_bytes_max), t);
    if ((!in_rate || !in_bytes) && !s.paused_rate) s.paused_rate = true, metric::paused_rate.add();
    if (s.unanswered > 0 && (ledger_.busy() || shard_.congested()) && !s.paused_store) s.paused_store = true, metric::paused_store.add();
    if (!s.v5() && rules.receive_maximum_in && s.unanswered >= rules.receive_maximum_in && !s.paused_quota)
        s.paused_quota = true, metric::paused_quota.add();
    if (was || !(s.paused_rate || s.paused_store || s.paused_quota)) return;
    from.pause_reading(true);
    paused_.push_back(s.number);
    if (paused_.size() == 1) arm();
}

void mqtt::resume_answered(peer& from, session::session& s) {
    // At once: waiting for the alarm would hold a publisher to its window twenty times a second.
    if (s.unanswered * 2 > from.rules().receive_maximum_in) return;
    s.paused_quota = false;
    if (s.paused_rate || s.paused_store) return;
    std::erase(paused_, s.number);
    from.pause_reading(false);
}

void mqtt::resume_paused() {
    auto const t = now();
    bool const room = ledger_.relaxed() && !shard_.congested();
    std::erase_if(paused_, [&](std::uint32_t number) {
        auto* s = sessions_.find(number);
        if (!s || !s->connected()) return true;
        auto& from = peer_of(*s);
        auto const& rules = from.rules();
        s->messages.refill(rules.publish_rate, rules.publish_burst, t);
        s->payload.refill(rules.publish_bytes_s, std::max(rules.publish_bytes_s, rules.packet_bytes_max), t);
        if ((!rules.publish_rate || !s->messages.empty()) && (!rules.publish_bytes_s || !s->payload.empty())) s->paused_rate = false;
        if (room) s->paused_store = false;
        if (s->unanswered * 2 <= rules.receive_maximum_in) s->paused_quota = false;
        if (s->paused_rate || s->paused_store || s->paused_quota) return false;
        from.pause_reading(false);
        return true;
    });
}

}
