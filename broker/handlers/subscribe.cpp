// SUBSCRIBE: each filter is checked, added, stored; then SUBACK, then retained messages. [MQTT 5, 3.8]

#include "broker/codec/subscribe.hpp"
#include "broker/codec/suback.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/within.hpp"
#include "broker/handlers/metrics.hpp"
#include "broker/handlers/pending_ack.hpp"
#include "broker/handlers/refusals.hpp"
#include "broker/handlers/words.hpp"
#include "broker/log/log.hpp"

#include <fmt/core.h>

namespace airmail::handlers {
bool mqtt::on_subscribe(peer& from, codec::frame const& f) {
    auto const p = codec::decode_subscribe(f.body, from.protocol);
    if (!p) return bad(from, p.error(), "SUBSCRIBE");
    auto& s = *from.session;
    auto const answer = std::make_shared<pending_ack>();
    answer->type = codec::packet_type::suback;
    answer->packet_id = p->packet_id;
    answer->session = s.number, answer->connection = s.connection;
    answer->waiting = 1;  // this function
    auto const id = p->props.subscription_id_count ? p->props.subscription_ids[0] : 0;
    auto rest = p->filters;
    for (std::uint16_t i = 0; i < p->count; ++i) {
        auto view = codec::subscribe_view::next(rest, from.protocol);
        auto const asked = view.filter;
        std::string whole;
        view.filter = mounted(view.filter, from.rules(), whole);
        answer->codes.push_back(codec::reason::success);
        auto const r = subscribe_one(from, s, view, id, answer);
        if (codec::failed(r)) {
            metric::subscribe_refused.add();
            if (answer->why.empty()) answer->why = fmt::format("{}: {}", asked.substr(0, 200), words(r));
        }
        if (answer->codes.back() == codec::reason::success) answer->codes.back() = r;  // [MQTT-3.8.4-6] [MQTT-3.9.3-1]
    }
    if (s.stored && answer->changes) {
        // Tickets become durable in order, so the last one speaks for all. [reliability.md 3, rule 4]
        ++answer->waiting;
        ledger_.insist(std::move(*answer->last), router::when_stored([this, answer](boost::system::error_code failed, storage::lsn) {
                           if (failed)
                               for (auto& c : answer->codes)
                                   if (!codec::failed(c)) c = codec::reason::quota_exceeded;
                           if (--answer->waiting == 0) complete(*answer);
                       }));
    }
    if (--answer->waiting == 0) complete(*answer);
    return true;
}

std::string_view mqtt::mounted(std::string_view filter, listener_rules const& rules, std::string& into) {
    if (rules.mount_point.empty() || !codec::split_filter(filter)) return filter;
    // `$share/GROUP/` stands in front of the filter, and the filter below the mount point.
    auto const head = filter.starts_with("$share/") ? filter.find('/', 7) + 1 : 0;
    return into.assign(filter.substr(0, head)).append(rules.mount_point).append(filter.substr(head));
}

codec::reason mqtt::subscribe_one(peer& from, session::session& s, codec::subscription_view const& v, std::uint32_t id,
                                  std::shared_ptr<pending_ack> const& answer) {
    auto const& rules = from.rules();
    auto const parts = codec::split_filter(v.filter);
    if (!parts) return parts.error();
    if (v.filter.size() > rules.topic_bytes_max || codec::level_count(parts->filter) > std::min<std::size_t>(rules.topic_levels_max, router::levels::max))
        return codec::reason::topic_filter_invalid;
    // `$share` is authorised by the filter inside it.
    // acl_file: v3 clients are always told yes, as Mosquitto does; each delivery is checked. (DECISIONS)
    auto const* engine = this->rules();
    bool const always = !s.v5() && engine && engine->mosquitto(s.who(scratch_));
    if (!always && !may(s.who(scratch_), rules.device, acl::action::subscribe, parts->filter)) {
        if (refusals.may(shard_.now())) log::info("handlers", {{"conn", from.connection_number()}, {"id", s.name()}, {"filter", v.filter}}, "subscription refused by the rules");
        return codec::reason::not_authorized;
    }
    if (rules.filters_max && s.filters.size() >= rules.filters_max && !fanout_.tree().find(v.filter, s)) return codec::reason::quota_exceeded;
    auto const qos = std::min(v.qos, rules.maximum_qos);  // [MQTT-3.2.2-10]
    router::options how;
    bool const bridge = s.bridge && !parts->shared();
    how.bits = static_cast<std::uint8_t>(qos | (v.no_local || bridge ? 4 : 0) | (v.retain_as_published || bridge ? 8 : 0) | v.retain_handling << 4);

    auto const slot = answer->codes.size() - 1;
    auto const done = fanout_.subscribe(s, parts->group, parts->filter, id, how, s.who(scratch_), [this, answer, slot](bool ok) {
        if (!ok) answer->codes[slot] = codec::reason::quota_exceeded;
        if (--answer->waiting == 0) complete(*answer);
    });
    if (done.refused) {
        fanout_.unsubscribe(s, v.filter);
        return codec::reason::quota_exceeded;
    }
    if (done.pending) ++answer->waiting;
    if (s.stored) {
        if (answer->changes++) ledger_.insist(std::move(*answer->last));
        answer->last = storage::put_subscription{{s.number, std::string{v.filter}, how.bits, id}};
    }
    bool const wants = v.retain_handling == 0 || (v.retain_handling == 1 && done.is_new);  // [MQTT-3.3.1-9] to [MQTT-3.3.1-11]
    if (!parts->shared() && wants) answer->replays.push_back({std::string{parts->filter}, id, how});
    if (world_.gate && world_.gate->is_ready_filter(s.name(), v.filter)) answer->ready = v.filter;
    return static_cast<codec::reason>(qos);  // [MQTT-3.8.4-7]
}

void mqtt::complete(pending_ack& a) {
    auto* s = sessions_.find(a.session);
    if (!s || !s->connected() || s->connection != a.connection) return;
    codec::suback_view v;
    v.type = a.type, v.packet_id = a.packet_id;
    v.codes = a.codes;
    if (!a.why.empty() && s->problem_info) v.props.explain(a.why);
    codec::encode_within(peer_of(*s).out(), v, s->protocol, peer_of(*s).packet_bytes_allowed());  // [MQTT-3.9.2-1] [MQTT-3.11.2-1]
    for (auto const& r : a.replays) fanout_.replay(*s, r.filter, r.id, r.how);
    if (a.ready.empty() || !fanout_.tree().find(a.ready, *s)) return;
    s->ready = true;
    tell_plugins(*s, session_event::kind::ready, a.ready, {});
}

}
