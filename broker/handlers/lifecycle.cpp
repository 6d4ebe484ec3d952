// How connections and sessions end: wills, expiry, records. [MQTT-3.1.2-8] [MQTT-3.1.2-23] [MQTT-4.1.0-2]

#include "broker/handlers/metrics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/log/log.hpp"

namespace airmail::handlers {
namespace {
constexpr std::uint32_t forever = 0xFFFFFFFF;
std::int64_t ends_at(session::session const& s) { return s.disconnected_at + std::int64_t{s.expiry_s} * 1000; }
std::int64_t will_at(session::session const& s) {
    return s.disconnected_at + std::int64_t{std::min(s.last_will->delay_s, s.expiry_s)} * 1000;
}
}

void mqtt::gone(peer& from) {
    if (auto const i = parked_.find(from.connection_number()); i != parked_.end()) {
        auto* s = sessions_.find(i->second->session);
        parked_.erase(i);
        if (s && s->connection == from.connection_number()) lost(*s, {});  // its record was on the way
        return;
    }
    auto* s = std::exchange(from.session, nullptr);
    if (s && s->out == &from) lost(*s, {});
}

void mqtt::lost(session::session& s, std::string_view note) {
    if (s.connected()) {
        metric::connected.add(-1);
        auto const& from = peer_of(s);
        auto const weight = from.rules().connection_messages && !from.rules().device ? log::level::info : log::level::debug;
        log::at(weight, "handlers", {{"conn", s.connection}, {"id", s.name()}, {"client_id", s.client_id()}}, "disconnected, {}",
                s.clean_disconnect ? "it said so" : "without a DISCONNECT");
    }
    proofs_.erase(s.connection);
    bool const clean = s.clean_disconnect;
    auto const ready = s.ready ? ready_filter(s) : std::string{};
    s.detach();
    s.disconnected_at = now();
    if (s.ready) tell_plugins(s, clean ? session_event::kind::gone_clean : session_event::kind::gone_crash, ready, note);
    s.ready = false;
    fanout_.online(s, false);
    bool const waits = s.last_will && !wills_may_go();
    if (!s.kept()) {
        if (!waits) return end(s);
        deadlines_.add(s.disconnected_at, s.number, session::deadline::session_end);
        return will_waits();
    }
    if (s.last_will) {
        bool const at_once = s.last_will->delay_s == 0 && !waits;
        if (at_once) publish_will(s);
        else deadlines_.add(will_at(s), s.number, session::deadline::will);
        if (!at_once && s.last_will->delay_s == 0) will_waits();
    }
    if (s.expiry_s != forever) deadlines_.add(ends_at(s), s.number, session::deadline::session_end);
    if (deadlines_.size() > 2 * sessions_.size() + 1024)
        deadlines_.prune([this](session::deadlines::entry const& e) {
            auto const* owner = sessions_.find(e.session);
            return !owner || owner->connected() || owner->disconnected_at == 0;
        });
    if (s.stored) store_record(s);  // expiry counts from the stored time
}

void mqtt::end(session::session& s) {
    if (s.last_will) publish_will(s);
    world_.identities.leave(s.tenant, s.name());
    // Its references go when those who take over have theirs.
    fanout_.forget(s, [this, number = s.number, stored = s.stored] {
        if (stored) ledger_.insist(storage::drop_session{number});
    });
    sessions_.erase(s);
    session_share_.set(static_cast<std::int64_t>(sessions_.size()));
}

void mqtt::publish_will(session::session& s) {
    auto const w = std::move(s.last_will);  // [MQTT-3.1.2-10]
    if (!may(s.who(scratch_), false, acl::action::publish, w->topic)) return metric::wills_refused.add();
    metric::wills.add();
    storage::message_fields f;
    f.tenant = s.tenant, f.qos = w->qos, f.retain = w->retain;
    f.topic = w->topic, f.properties = w->properties, f.payload = w->payload;
    f.received_at_ms = now();
    f.expires_at_ms = w->message_expiry_s ? f.received_at_ms + std::int64_t{w->message_expiry_s} * 1000 : 0;
    f.publisher = s.number, f.identity = s.name(), f.client_id = s.client_id();
    auto const bytes = w->payload.size();
    pace_.began(bytes);
    publish(storage::message::make(f), [this, bytes](bool) { pace_.ended(bytes); }, true, true);
}

/// One that comes to a line of others waits behind them. Who drains has no time.
bool mqtt::wills_may_go() const { return world_.draining || (!wills_wait_ && pace_.may(shard_.now())); }

void mqtt::will_waits() {
    metric::wills_held.add();
    if (std::exchange(wills_wait_, true)) return;
    arm();
    shard_.again();
}

void mqtt::run_wills() {
    expire();
    if (wills_wait_ && pace_.may(shard_.now())) shard_.again();
}

void mqtt::expire() {
    session::deadlines::entry e;
    auto const at = now();
    while ((world_.draining || pace_.may(shard_.now())) && deadlines_.due(at, e)) {
        auto* s = sessions_.find(e.session);
        // Whoever came back, or went again later, has another deadline.
        if (!s || s->connected() || s->disconnected_at == 0) continue;
        if (e.what == session::deadline::will) {
            if (!s->last_will || will_at(*s) > at) continue;
            publish_will(*s);
            if (s->stored) store_record(*s);
        } else if (s->expiry_s != forever && ends_at(*s) <= at) {
            if (s->kept()) {   // the others ended with their connection, and waited to say their will
                metric::expired.add();
                log::debug("handlers", {{"id", s->name()}, {"client_id", s->client_id()}}, "session expired");
            }
            end(*s);
        }
    }
    wills_wait_ = deadlines_.any_due(at);
}

void mqtt::store_record(session::session& s, router::waiter_ptr w) {
    storage::session_record r;
    r.number = s.number, r.tenant = s.tenant;
    r.identity = s.name(), r.client_id = s.client_id();
    r.expiry_s = s.expiry_s, r.disconnected_at_ms = s.disconnected_at;
    r.protocol = static_cast<std::uint8_t>(s.protocol);
    r.listener = s.listener;
    if (s.last_will) {
        auto const& w5 = *s.last_will;
        r.will = storage::session_record::will_record{w5.topic, w5.payload, w5.properties, w5.qos, w5.retain, w5.delay_s, w5.message_expiry_s};
    }
    ledger_.insist(storage::put_session{std::move(r)}, std::move(w));
}

void mqtt::tell_plugins(session::session& s, session_event::kind k, std::string_view topic, std::string_view note) {
    if (world_.gate) world_.gate->on_session({k, s.name(), s.client_id(), topic, note, s.connection, now()});
}

std::string mqtt::ready_filter(session::session& s) const {
    if (!world_.gate || s.name().empty()) return {};
    for (auto const& ref : s.filters)
        if (auto const text = fanout_.tree().text(ref.filter); world_.gate->is_ready_filter(s.name(), text)) return std::string{text};
    return {};
}

}
