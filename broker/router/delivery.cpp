#include "broker/router/delivery.hpp"

#include "broker/codec/acks.hpp"
#include "broker/codec/framer.hpp"
#include "broker/codec/within.hpp"
#include "broker/router/metrics.hpp"

#include <utility>

namespace airmail::router {

using session::outgoing;

bool delivery::give(session::session& s, storage::message_ptr const& m, wish const& w, bool durable, std::vector<owed>& out) {
    auto const qos = upgrade_qos ? w.qos : std::min(m->qos(), w.qos);  // [MQTT-3.8.4-8]
    bool const waits = qos == 0 && !s.out && s.queue_qos0 && s.kept();
    if (qos == 0 && !waits) {
        if (!s.out) return metric::dropped_offline.add(), false;
        if (s.output_bytes_max && s.out->out_bytes() > s.output_bytes_max) return metric::dropped_slow.add(), false;
        auto const* v = fit(s, *m, 0, w.retain, w.ids);
        if (!v) return metric::dropped_too_large.add(), false;
        append(*s.out, *v, m, 0, false);
        metric::sent_payload.add(m->payload().size());
        return metric::sent_qos0.add(), false;
    }
    if (!s.out && !s.kept()) return metric::dropped_offline.add(), false;
    auto& sending = s.sending();
    bool const stores = durable && s.stored && qos > 0 && m->qos() > 0;   // what came with QoS 0 is promised to nobody
    session::entry e;
    e.body = m;
    e.subscription = s.v5() ? sending.remember(w.ids) : 0;
    e.qos = qos, e.retain = w.retain, e.owed_lsn = stores, e.share = w.share;
    auto const number = sending.push(std::move(e), s.bound);
    if (!number) return metric::dropped_queue_full.add(), s.out != nullptr;  // newest refused, never silent
    if (stores) {
        storage::reference r;
        r.session = s.number, r.qos = qos, r.retain = w.retain;
        r.subscription_id = w.ids.empty() ? 0 : w.ids[0];
        out.push_back({r, *number, shard_});
    }
    fresh_ = m.get();
    pump(s);
    fresh_ = nullptr;
    count(s);
    return s.out && sending.crowded(s.bound);
}

void delivery::pump(session::session& s) {
    auto* sending = s.sending_if();
    if (!s.out || !sending || s.fetching) return;
    for (;;) {
        if (s.output_bytes_max && s.out->out_bytes() > s.output_bytes_max) {
            stalled_.insert(s.number);
            return;
        }
        auto const step = sending->next(s.receive_maximum, s.stored, now(), s.bound.in_flight_bytes);
        switch (step.kind) {
        case outgoing::what::nothing: return;
        case outgoing::what::publish: send(s, step); break;
        case outgoing::what::pubrel: pubrel(s, step.e.packet_id); break;
        case outgoing::what::fetch: return fetch(s);
        case outgoing::what::expired:
            metric::expired.add();
            settle(s, step.e.at);
            break;
        case outgoing::what::advance:
            // QoS 2: the packet id is on disk before the PUBLISH leaves. [reliability.md 3, rule 3]
            advance({step.e.at, s.number, storage::delivery_state::sent, step.e.packet_id}, [this, n = s.number, entry = step.number] {
                auto* again = find_(n);
                if (!again || !again->sending_if()) return;
                auto const now_sent = again->sending_if()->stored(entry);
                if (now_sent.kind == outgoing::what::publish && again->out) send(*again, now_sent);
            });
            break;
        }
    }
}

variant const* delivery::fit(session::session& s, storage::message const& m, std::uint8_t qos, bool retain, std::span<std::uint32_t const> ids) {
    auto const allowed = s.packet_bytes_max ? s.packet_bytes_max : codec::packet_size_max;
    // An alias costs three bytes the first time and saves the topic after that; a client that takes none has no table. [MQTT-3.1.2-27]
    if (s.aliases_out && m.topic().size() > 3) {
        auto const hash = variants_.topic_hash(m);
        auto const choice = s.aliases_out->look(hash);
        auto const& v = variants_.get(m, s.v5(), qos, retain, ids, now(), s.mount_bytes, choice);
        if (v.wire_bytes <= allowed) return s.aliases_out->sent(hash, choice), &v;
    }
    auto const& v = variants_.get(m, s.v5(), qos, retain, ids, now(), s.mount_bytes);
    return v.wire_bytes <= allowed ? &v : nullptr;  // [MQTT-3.1.2-24]
}

void delivery::send(session::session& s, outgoing::step const& step) {
    auto const& e = step.e;
    if (e.body.get() != fresh_ && !may_read_(s, *e.body)) {
        metric::dropped_not_allowed.add();
        return give_up(s, step);
    }
    auto const* v = fit(s, *e.body, e.qos, e.retain, s.sending().identifiers(e));
    if (!v) {
        // Dropped as if it had been delivered. [MQTT-3.1.2-25]
        metric::dropped_too_large.add();
        return give_up(s, step);
    }
    append(*s.out, *v, e.body, e.packet_id, step.dup);
    (e.qos == 0 ? metric::sent_qos0 : e.qos == 1 ? metric::sent_qos1 : metric::sent_qos2).add();
    metric::sent_payload.add(e.body->payload().size());
}

void delivery::give_up(session::session& s, session::outgoing::step const& step) {
    settle(s, s.sending().discard(step.number));
}

void delivery::count(session::session& s) {
    if (!s.sending_if()) return;
    auto const c = s.sending_if()->noted();
    metric::owed_messages.add(c.messages);
    metric::owed_bytes.add(c.bytes);
}

void delivery::forget(session::session& s) {
    auto* sending = s.sending_if();
    if (!sending) return;
    count(s);
    metric::owed_messages.add(-std::int64_t{sending->size()});
    metric::owed_bytes.add(-static_cast<std::int64_t>(sending->bytes()));
}

void delivery::settle(session::session& s, storage::lsn at) {
    if (at != 0) ledger_.insist(storage::settle{at, s.number});
}

void delivery::told(std::uint32_t number, std::uint32_t entry, storage::lsn at) {
    auto* s = find_(number);
    if (!s || !s->sending_if()) {
        // The session ended while its message was being written: nobody else will take the reference away.
        if (at) ledger_.insist(storage::settle{at, number});
        return;
    }
    settle(*s, s->sending_if()->told(entry, at, s->connected()));
    if (s->connected()) {
        variants_.forget();
        pump(*s);
    }
}

void delivery::fetch(session::session& s) {
    std::vector<storage::lsn> which;
    std::vector<std::uint32_t> numbers;
    s.sending().missing(64, which, numbers);  // a page; order is kept because nothing is sent past it
    if (which.empty()) return;
    s.fetching = true;
    ledger_.port().fetch(std::move(which), [this, number = s.number, connection = s.connection, numbers = std::move(numbers)](
                                               std::vector<storage::message_ptr> bodies) {
        auto* again = find_(number);
        if (!again || !again->connected() || again->connection != connection) return;
        again->fetching = false;
        for (std::size_t i = 0; i < numbers.size() && i < bodies.size(); ++i)
            if (!again->sending().body(numbers[i], std::move(bodies[i]))) metric::lost_records.add();
        variants_.forget();
        pump(*again);
        count(*again);
    });
}

void delivery::pubrel(session::session& s, std::uint16_t id, codec::reason r) {
    codec::ack_view a{codec::packet_type::pubrel, id, r};
    if (codec::failed(r) && s.problem_info) a.props.explain("no message with this packet identifier is under way");
    codec::encode_within(s.out->out(), a, s.protocol, s.packet_bytes_max ? s.packet_bytes_max : codec::packet_size_max);
}

bool delivery::acknowledged(session::session& s, codec::packet_type type, std::uint16_t id, codec::reason r) {
    variants_.forget();
    auto* sending = s.sending_if();
    outgoing::settled done;
    if (type == codec::packet_type::pubrec && !codec::failed(r)) {
        if (sending) done = sending->received(id, s.stored);
        if (!done.known) {
            pubrel(s, id, codec::reason::packet_identifier_not_found);  // [MQTT-4.3.3-4], an id we do not know
            return false;
        }
        if (!done.waits) pubrel(s, id);
        else
            // PUBREC is on disk before PUBREL leaves, or else a restart would send PUBLISH again. [reliability.md 3, rule 3]
            advance({done.at, s.number, storage::delivery_state::received, id}, [this, n = s.number, entry = done.number] {
                auto* again = find_(n);
                if (!again || !again->sending_if()) return;
                if (auto const released = again->sending_if()->released(entry); released && again->connected()) pubrel(*again, released);
            });
        return true;
    }
    if (sending)
        done = type == codec::packet_type::puback   ? sending->acknowledged(id)
               : type == codec::packet_type::pubrec ? sending->refused(id)  // over, not re-sent [MQTT-4.4.0-2]
                                                    : sending->completed(id);
    if (!done.known) return false;
    // Only the broker and its plugins publish without a session and without a client id.
    if (done.body && done.body->publisher() == 0 && done.body->client_id().empty() && on_plugin_message_acknowledged && !codec::failed(r))
        on_plugin_message_acknowledged(s, done.body);
    settle(s, done.at);
    pump(s);
    count(s);
    return true;
}

template <class F> void delivery::advance(storage::advance const& what, F done) {
    ledger_.insist(what, when_stored([this, what, done](auto failed, auto) {
        if (!failed) return done();
        refused_.push_back([this, what, done] {
            if (find_(what.session)) advance(what, done);
        });
    }));
}

std::uint64_t delivery::spare(session::session& s) {
    return s.out && s.sending_if() ? s.sending().spare() : 0;   // without a connection there are none
}

session::outgoing::change delivery::cut(session::session& s, std::uint64_t kept) {
    auto const gone = s.sending().cut(kept);
    metric::dropped_memory.add(static_cast<std::uint64_t>(gone.messages));
    count(s);
    return gone;
}

void delivery::retry_stalled() {
    for (auto const& again : std::exchange(refused_, {})) again();
    if (stalled_.empty()) return;
    auto const list = std::exchange(stalled_, {});
    variants_.forget();
    for (auto const number : list)
        if (auto* s = find_(number)) pump(*s);
}

}
