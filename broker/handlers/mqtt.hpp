#pragma once
// The MQTT protocol on one shard: every handler is a member, in the file of its packet. Touched only by its shard's thread,
// unless a member says "any thread".

#include "broker/handlers/protocol.hpp"
#include "broker/handlers/sessions.hpp"
#include "broker/handlers/world.hpp"
#include "broker/log/metrics.hpp"
#include "broker/log/sparing.hpp"
#include "broker/session/expiry.hpp"
#include "broker/session/will_pace.hpp"
#include "broker/shard/timer_wheel.hpp"

#include <optional>

namespace airmail::handlers {

/// One row of `airmailctl session list`.
struct session_info {
    std::string identity, client_id, address;
    std::uint32_t number = 0, expiry_s = 0;
    std::uint64_t connection = 0;
    bool connected = false, durable = false;
    std::uint8_t protocol = 5;
    std::size_t subscriptions = 0, queued = 0, in_flight = 0;
    std::uint64_t queued_bytes = 0;
    std::int64_t disconnected_at_ms = 0;
    std::string certificate_serial;            // of who is connected with one, hex
    std::int64_t certificate_not_after = 0;    // unix seconds
};

/// Sizes of one shard.
struct shard_counts {
    std::size_t sessions = 0, connected = 0, subscriptions = 0, retained = 0, pending = 0;
};

class mqtt final : public protocol, router::surroundings {
public:
    mqtt(shard::shard& s, world& w);
    ~mqtt() override;

    void connect(peer& from, codec::connect_view const& c, std::string_view assigned_id) override;
    bool packet(peer& from, codec::frame const& f) override;
    void gone(peer& from) override;
    void revoked(peer& from) override;
    void shed() override;
    std::int64_t silence_allowed_ms(peer const& p) const override;

    /// Deadlines, paused publishers, stalled outputs. Runs by itself once a second (20 times while somebody is paused);
    /// tests call it.
    void tick();
    /// A message of the broker or of a plugin, on behalf of nobody. `done` (may be empty) hears whether it is safe.
    /// `durable` false: it is kept in memory only, retained or not.
    void publish(storage::message_ptr m, std::function<void(bool stored)> done = {}, bool durable = true) { publish(std::move(m), std::move(done), durable, false); }

    // For the operator. On the shard's thread: post them.
    std::vector<session_info> list() const;
    shard_counts counts() const;
    /// Subscriptions as lines, at most `most`.
    std::vector<std::string> tree(std::size_t most) const;
    /// Disconnects every session of an identity; `end` also ends them. Returns how many were connected or ended.
    std::size_t kick(std::string_view identity, codec::reason r, bool end);
    /// Disconnects whom `good` does not like.
    void recheck_logins(std::function<bool(acl::identity const&)> const& good);
    /// Says 0x8B to everybody; sessions stay.
    void drain();

    // Recovery, before the shards run.
    session::session* restore(storage::session_record&& r);
    void restore(storage::subscription_record const& r);
    router::fanout& routes() { return fanout_; }
    sessions& all() { return sessions_; }
    shard::shard& on() { return shard_; }

private:
    struct hello;
    struct parked;
    struct pending_ack;

    // connect.cpp, welcome.cpp, takeover.cpp
    bool acceptable(peer& from, hello& h, codec::connect_view const& c);
    bool read_will(hello& h, peer& from, codec::connect_view const& c);
    void login_then_welcome(peer& from, std::unique_ptr<hello> h, codec::connect_view const& c);
    void decided(std::uint64_t connection, bool allowed, std::string role);
    login_done answer_to(std::uint64_t connection);
    void refuse_connect(peer& from, codec::version v, codec::reason r, std::string_view why);
    void welcome(peer& from, hello& h);
    /// Null: the identity has as many sessions as it may.
    session::session* session_for(peer& from, hello& h, bool& present);
    void apply(session::session& s, peer& from, hello& h);
    void welcomed(peer& from, session::session& s, hello& h, bool present);
    bool connack(peer& from, session::session& s, hello& h, bool present);
    void take_over(session::session& s, bool ends);
    void run_parked(std::uint64_t connection);

    // publish.cpp
    bool on_publish(peer& from, codec::frame const& f);
    codec::reason publish_allowed(peer& from, session::session& s, codec::publish_view const& p, std::string_view topic, std::uint64_t hash);
    bool refuse(peer& from, codec::publish_view const& p, codec::reason r);
    void route(session::session& s, peer& from, codec::publish_view const& p, std::string_view topic, std::uint64_t hash);
    void show_plugins(storage::message_ptr const& m, router::publish_options& o);
    void regulate(peer& from, session::session& s, std::size_t bytes);
    void resume_paused();
    void resume_answered(peer& from, session::session& s);

    // acks.cpp, subscribe.cpp, unsubscribe.cpp, disconnect.cpp, auth.cpp
    bool on_ack(peer& from, codec::frame const& f);
    bool on_pubrel(peer& from, session::session& s, codec::ack_view const& a);
    bool on_subscribe(peer& from, codec::frame const& f);
    codec::reason subscribe_one(peer& from, session::session& s, codec::subscription_view const& v, std::uint32_t id,
                                std::shared_ptr<pending_ack> const& answer);
    void complete(pending_ack& a);
    bool on_unsubscribe(peer& from, codec::frame const& f);
    bool on_disconnect(peer& from, codec::frame const& f);
    /// The password file of the listener that a peer came in by.
    acl::scram_exchange::look_up verifiers_of(peer& from) const;
    void begin_proof(peer& from, std::unique_ptr<hello> h, codec::connect_view const& c);
    bool packet_before_connack(peer& from, parked& waiting, codec::frame const& f);
    bool prove(peer& from, parked& waiting, codec::frame const& f);
    bool on_auth(peer& from, codec::frame const& f);
    bool say_auth(peer& from, codec::reason r, std::string_view data);

    // lifecycle.cpp
    void lost(session::session& s, std::string_view note);
    void end(session::session& s);
    void publish(storage::message_ptr m, std::function<void(bool stored)> done, bool durable, bool will);
    void publish_will(session::session& s);
    bool wills_may_go() const;
    void will_waits();
    void run_wills();
    void expire();
    void store_record(session::session& s, router::waiter_ptr w = nullptr);
    void tell_plugins(session::session& s, session_event::kind k, std::string_view topic, std::string_view note);
    std::string ready_filter(session::session& s) const;

    // router::surroundings
    session::session* find(std::uint32_t number) override { return sessions_.find(number); }
    bool may_receive(session::session& s, std::string_view topic, std::uint64_t hash) override;
    bool may_receive(router::member& m, std::string_view topic, std::uint64_t hash) override;
    bool source_may(storage::message const& m) override;
    void answer(router::ack_promise const& p, router::outcome o) override;
    void crowded() override { pace_.crowded(shard_.now()); }
    router::ack_promise promise_to(std::function<void(bool safe)> heard) override;
    router::fanout& of_shard(unsigned t) override { return world_.shards[t]->fanout_; }

    bool may(session::session& s, acl::action what, std::string_view topic, std::uint64_t hash);
    bool may(acl::identity const& who, bool device, acl::action what, std::string_view topic);
    acl::engine const* rules();
    /// A filter as clients below a mount point mean it; `into` keeps the text. Wrong filters stay as they are, to be refused.
    static std::string_view mounted(std::string_view filter, listener_rules const& rules, std::string& into);
    bool bad(peer& from, codec::reason r, std::string_view why);
    static peer& peer_of(session::session& s) { return static_cast<peer&>(*s.out); }
    /// The store's clock, read once a turn: a message asks it several times.
    std::int64_t now() const {
        if (auto const turn = shard_.now(); turn != clock_read_at_) clock_read_at_ = turn, clock_ = world_.store->now_ms();
        return clock_;
    }
    void arm();

    shard::shard& shard_;
    world& world_;
    router::ledger ledger_;
    sessions sessions_;
    router::delivery delivery_;
    router::fanout fanout_;
    session::deadlines deadlines_;
    session::will_pace pace_;
    bool wills_wait_ = false;                          // deadlines_ has some that are due
    shard::instant shed_at_ = -1'000;
    log::sparing shed_lines_{1};
    mutable shard::instant clock_read_at_ = -1;
    mutable std::int64_t clock_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<parked>> parked_;
    std::unordered_map<std::uint64_t, acl::scram_exchange> proofs_;   // re-authentications under way, by connection
    std::vector<std::uint32_t> paused_;                // sessions whose socket is not read
    std::unordered_map<std::uint64_t, std::function<void(bool)>> waiting_publishers_;   // of publish(), by promise
    std::uint64_t next_publisher_ = 0;
    acl::engine_ptr engine_;
    std::uint32_t generation_ = 0;
    acl::identity scratch_;
    bytes scratch_properties_;
    std::string scratch_topic_;                        // of a client below a mount point
    shard::reminder alarm_;
    metrics::share session_share_;
};

/// The protocol of one shard; registers itself in `w.shards`. Make all of them before any shard runs.
std::unique_ptr<mqtt> make_protocol(shard::shard& s, world& w);

}
