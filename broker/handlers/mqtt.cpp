#include "broker/handlers/mqtt.hpp"

#include "broker/codec/ping.hpp"
#include "broker/handlers/metrics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/handlers/words.hpp"
#include "broker/log/log.hpp"
#include "broker/router/keyed_hash.hpp"
#include "broker/shard/task.hpp"

#include <fmt/core.h>
#include <random>

namespace airmail::handlers {

std::uint64_t hash(session_key const& k) {
    return router::mix(router::mix(router::keyed_hash(k.client_id), router::keyed_hash(k.identity)), k.tenant);
}

std::string assign_client_id() {
    static constexpr char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    thread_local std::random_device random;
    std::string id = "am-";
    for (int i = 0; i < 22; ++i) id += alphabet[std::uniform_int_distribution<int>{0, 61}(random)];
    return id;
}

mqtt::mqtt(shard::shard& s, world& w)
    : shard_{s}
    , world_{w}
    , ledger_{w.store->make_port([&s](std::function<void()> f) { s.post_external(std::move(f)); },
                                 [this](storage::durable&& d) {
                                     ledger_.durable(d);
                                     if (!paused_.empty()) resume_paused();
                                 })}
    , delivery_{s.index(), ledger_, [this](std::uint32_t n) { return sessions_.find(n); }, [this] { return now(); },
                [this](session::session& to, storage::message const& m) { return may_receive(to, m.topic(), router::keyed_hash(m.topic())); }}
    , fanout_{s, w.interest, ledger_, *this, delivery_,
              router::retained_bounds{w.limits.retained.messages / s.count() + 1, w.limits.retained.bytes / s.count() + 1, w.limits.retained.age_ms},
              w.limits.shared_groups, w.limits.share}
    , pace_{s.count()}
    , session_share_{metric::sessions} {
    if (w.shards.size() < s.count()) w.shards.resize(s.count());
    w.shards[s.index()] = this;
    delivery_.upgrade_qos = w.limits.upgrade_qos;
    if (w.gate && w.gate->wants_deliveries())
        delivery_.on_plugin_message_acknowledged = [&w](session::session& to, storage::message_ptr const& m) { w.gate->on_delivered(m, to.name()); };
    s.at_turn_end([this] {
        if (fanout_.run_replays()) shard_.again();
        pace_.next_turn();
        if (wills_wait_) run_wills();
    });
    arm();
}

mqtt::~mqtt() = default;

std::unique_ptr<mqtt> make_protocol(shard::shard& s, world& w) { return std::make_unique<mqtt>(s, w); }

void mqtt::arm() {
    alarm_.in(shard_.timers(), paused_.empty() && !wills_wait_ ? 1000 : 50, [this] {
        tick();
        arm();
    });
}

void mqtt::tick() {
    (void)rules();  // an idle shard lets go of old rules too
    expire();
    delivery_.retry_stalled();
    fanout_.sweep_retained(now());
    if (!paused_.empty()) resume_paused();
}

bool mqtt::bad(peer& from, codec::reason r, std::string_view why) {
    metric::protocol_errors.add();
    from.close(r, fmt::format("{}: {}", why, words(r)));
    gone(from);  // nothing is sent after DISCONNECT [MQTT-3.14.4-1]; net's own call finds nobody
    return false;
}

bool mqtt::packet(peer& from, codec::frame const& f) {
    if (!from.session) {
        auto const waiting = parked_.find(from.connection_number());
        if (waiting == parked_.end()) return false;
        return packet_before_connack(from, *waiting->second, f);
    }
    switch (f.type) {
    case codec::packet_type::publish: return on_publish(from, f);
    case codec::packet_type::puback:
    case codec::packet_type::pubrec:
    case codec::packet_type::pubrel:
    case codec::packet_type::pubcomp: return on_ack(from, f);
    case codec::packet_type::subscribe: return on_subscribe(from, f);
    case codec::packet_type::unsubscribe: return on_unsubscribe(from, f);
    case codec::packet_type::pingreq:
        if (!codec::decode_ping(f.body)) return bad(from, codec::reason::malformed_packet, "PINGREQ with a body");
        codec::encode_pingresp(from.out());  // [MQTT-3.12.4-1]
        return true;
    case codec::packet_type::disconnect: return on_disconnect(from, f);
    case codec::packet_type::auth: return on_auth(from, f);
    case codec::packet_type::connect: return bad(from, codec::reason::protocol_error, "a second CONNECT");  // [MQTT-3.1.0-2]
    default: return bad(from, codec::reason::protocol_error, "a packet only servers send");
    }
}

bool mqtt::packet_before_connack(peer& from, parked& waiting, codec::frame const& f) {
    if (f.type == codec::packet_type::connect) return bad(from, codec::reason::protocol_error, "a second CONNECT");
    if (waiting.proof) return prove(from, waiting, f);
    if (waiting.keep(f, world_.limits.parked_bytes)) return true;
    metric::parked_overflow.add();
    return bad(from, codec::reason::quota_exceeded, "too much sent before CONNACK");
}

std::int64_t mqtt::silence_allowed_ms(peer const& p) const {
    return p.session ? std::int64_t{p.session->keep_alive} * 1500 : 0;  // [MQTT-3.1.2-22]
}

acl::engine const* mqtt::rules() {
    if (auto const g = world_.acl.generation(); g != generation_) {
        generation_ = g;
        engine_ = world_.acl.get();
    }
    return engine_.get();
}

bool mqtt::may(acl::identity const& who, bool device, acl::action what, std::string_view topic) {
    auto const* e = rules();
    return e ? e->check(who, what, topic).allowed : !device;
}

bool mqtt::may(session::session& s, acl::action what, std::string_view topic, std::uint64_t hash) {
    auto const* e = rules();
    if (!e) return !s.connected() || !peer_of(s).rules().device;
    auto const key = router::mix(hash, static_cast<std::uint64_t>(what) + 1);
    auto& known = s.decisions();
    if (auto const answer = known.find(generation_, key)) return *answer;
    bool const allowed = e->check(s.who(scratch_), what, topic).allowed;
    known.store(generation_, key, allowed);
    return allowed;
}

bool mqtt::may_receive(session::session& s, std::string_view topic, std::uint64_t hash) {
    // Below a mount point nothing else is there; a session that came by another listener may have subscribed elsewhere.
    if (s.mount_bytes && s.connected() && !topic.starts_with(peer_of(s).rules().mount_point)) return false;
    return may(s, acl::action::receive, topic, hash);
}

bool mqtt::may_receive(router::member& m, std::string_view topic, std::uint64_t hash) {
    auto const* e = rules();
    if (!e) return true;
    if (auto const answer = m.decisions.find(generation_, hash)) return *answer;
    bool const allowed = e->check(m.who, acl::action::receive, topic).allowed;
    m.decisions.store(generation_, hash, allowed);
    return allowed;
}

router::ack_promise mqtt::promise_to(std::function<void(bool)> heard) {
    router::ack_promise p;
    p.connection = ++next_publisher_;
    waiting_publishers_.emplace(p.connection, std::move(heard));
    return p;
}

bool mqtt::source_may(storage::message const& m) {
    auto const* e = world_.check_retain_source ? rules() : nullptr;
    if (!e || m.client_id().empty()) return true;   // the broker's own, or a plugin's
    acl::identity who;
    who.name = m.identity(), who.client_id = m.client_id();
    if (e->check(who, acl::action::publish, m.topic()).allowed) return true;
    who.role = "device";   // a message does not say by which kind of listener it came
    return e->check(who, acl::action::publish, m.topic()).allowed;
}

void mqtt::publish(storage::message_ptr m, std::function<void(bool)> done, bool durable, bool will) {
    router::publish_options o;
    o.durable = durable, o.will = will;
    show_plugins(m, o);
    router::ack_promise p;
    bool const waits = m->qos() > 0 || m->retain();
    if (done && !waits) done(true);
    if (done && waits) p = promise_to(std::move(done));
    auto const hash = router::keyed_hash(m->topic());
    fanout_.publish(std::move(m), hash, p, o);
}

}
