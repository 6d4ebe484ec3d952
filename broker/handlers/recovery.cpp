#include "broker/handlers/recovery.hpp"

#include "broker/codec/topic.hpp"
#include "broker/handlers/mqtt.hpp"

namespace airmail::handlers {

storage::recovery recovered::callbacks() {
    storage::recovery r;
    r.on_session = [this](storage::session_record&& s) { sessions.push_back(std::move(s)); };
    r.on_subscription = [this](storage::subscription_record&& s) { subscriptions.push_back(std::move(s)); };
    r.on_reference = [this](storage::lsn at, storage::reference const& what, storage::delivery_state state, std::uint16_t id,
                            std::uint32_t size, std::int64_t) { references.push_back({at, what, state, id, size}); };
    r.on_retained = [this](storage::lsn, storage::message_ptr m) { retained.push_back(std::move(m)); };
    r.on_qos2_in = [this](storage::session_number n, std::uint16_t id) { qos2_in.emplace_back(n, id); };
    return r;
}

session::session* mqtt::restore(storage::session_record&& r) {
    acl::identity who;
    who.tenant = r.tenant;
    who.name = r.identity, who.client_id = r.client_id;
    who.listener = r.listener;
    auto const where = hash({r.tenant, r.identity, r.client_id});
    world_.identities.enter(r.tenant, r.identity, 0);
    auto& s = sessions_.add(std::make_unique<session::session>(r.number, who), where);
    s.stored = true;
    s.protocol = static_cast<codec::version>(r.protocol);
    s.expiry_s = r.expiry_s;
    s.disconnected_at = r.disconnected_at_ms ? r.disconnected_at_ms : std::max<std::int64_t>(now(), 1);
    if (r.will) {
        s.last_will = std::make_unique<session::will>(session::will{std::move(r.will->topic), std::move(r.will->payload), std::move(r.will->properties),
                                                                    r.will->qos, r.will->retain, r.will->delay_s, r.will->message_expiry_s});
        // Once, at restart plus its delay, if the client does not return. [reliability.md 3, rule 6]
        deadlines_.add(s.disconnected_at + std::int64_t{std::min(s.last_will->delay_s, s.expiry_s)} * 1000, s.number, session::deadline::will);
    }
    if (s.expiry_s != 0xFFFFFFFF) deadlines_.add(s.disconnected_at + std::int64_t{s.expiry_s} * 1000, s.number, session::deadline::session_end);
    return &s;
}

void mqtt::restore(storage::subscription_record const& r) {
    auto* s = sessions_.find(r.session);
    auto const parts = codec::split_filter(r.filter);
    if (!s || !parts) return;
    fanout_.subscribe(*s, parts->group, parts->filter, r.subscription_id, {r.options}, s->who(scratch_), {});
}

std::size_t restore(world& w, recovered&& r) {
    auto const shards = static_cast<unsigned>(w.shards.size());
    std::unordered_map<std::uint32_t, std::pair<mqtt*, session::session*>> where;
    for (auto& record : r.sessions) {
        auto* home = w.shards[hash({record.tenant, record.identity, record.client_id}) % shards];
        auto const number = record.number;
        where[number] = {home, home->restore(std::move(record))};
    }
    for (auto const& record : r.subscriptions)
        if (auto const i = where.find(record.session); i != where.end()) i->second.first->restore(record);
    for (auto const& ref : r.references) {
        auto const i = where.find(ref.what.session);
        if (i == where.end()) continue;
        session::entry e;
        e.at = ref.at, e.subscription = ref.what.subscription_id;
        e.packet_id = ref.packet_id, e.qos = ref.what.qos, e.retain = ref.what.retain;
        e.size_64 = static_cast<std::uint16_t>(std::min<std::uint32_t>(ref.bytes / 64 + 1, 65535));
        i->second.second->sending().restore(std::move(e), ref.state);
        router::delivery::restored(*i->second.second);
    }
    for (auto const& [number, id] : r.qos2_in)
        if (auto const i = where.find(number); i != where.end()) i->second.second->receiving().ids.add(id, true);
    for (auto& m : r.retained) {
        auto const home = router::fanout::home(router::keyed_hash(m->topic()), shards);
        w.shards[home]->routes().restore(std::move(m));
    }
    return where.size();
}

}
