#pragma once
// A broker's protocol on a scripted wire: shards on one thread, a fake clock, a store that syncs on command. Clients are peers
// in memory: they send packets as structs or as raw bytes, and say what they expect.
//
//   wire_script w;
//   auto& a = w.client("a"); a.connects();
//   a.sends(publish("t", "x", 1));   a.expects_ack(puback, 1);

#include "acl/engine.hpp"
#include "broker/codec/acks.hpp"
#include "broker/codec/auth.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/framer.hpp"
#include "broker/codec/ping.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/suback.hpp"
#include "broker/codec/subscribe.hpp"
#include "broker/codec/unsubscribe.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/handlers/recovery.hpp"
#include "tests/support/fake_shards.hpp"
#include "tests/support/scripted_store.hpp"

#include <doctest/doctest.h>
#include <list>
#include <optional>

namespace airmail::test {

using codec::packet_type;
using codec::reason;

/// A PUBLISH to send.
struct message {
    std::string topic, payload;
    std::uint8_t qos = 0;
    std::uint16_t id = 0;
    bool retain = false, dup = false;
    std::uint16_t alias = 0;
    std::optional<std::uint32_t> expiry;
    std::vector<std::pair<std::string, std::string>> user;
};

/// A SUBSCRIBE of one filter.
struct filter {
    std::string text;
    std::uint8_t qos = 0;
    std::uint32_t id = 0;
    bool no_local = false, retain_as_published = false;
    std::uint8_t retain_handling = 0;
};

struct greeting {
    codec::version protocol = codec::version::v5;
    bool clean = true;
    std::uint32_t expiry = 0;
    std::uint16_t keep_alive = 0;
    std::optional<std::uint16_t> receive_maximum;
    std::optional<std::uint32_t> maximum_packet_size;
    std::optional<message> will;
    std::uint32_t will_delay = 0;
    std::optional<std::string> user, password, auth_method;
};

/// What a client read, owned.
struct received {
    packet_type type{};
    std::uint16_t id = 0;
    reason code = reason::success;
    bool session_present = false, dup = false, retain = false;
    std::uint8_t qos = 0;
    std::string topic, payload, client_id;
    std::vector<std::uint32_t> ids;
    std::optional<std::uint32_t> expiry;
    std::vector<std::pair<std::string, std::string>> user;
    std::vector<reason> codes;
    codec::properties props;   // numbers only: its views are dead
};

/// An engine from a closure.
class rules_from final : public acl::engine {
public:
    using check_fn = std::function<bool(acl::identity const&, acl::action, std::string_view)>;
    explicit rules_from(check_fn f) : f_{std::move(f)} {}
    acl::decision check(acl::identity const& who, acl::action what, std::string_view topic) const override { return {f_(who, what, topic), 0}; }
    std::string explain(acl::decision) const override { return "test"; }
    std::size_t size() const override { return 1; }

private:
    check_fn f_;
};

class wire_script;

class wire_client final : public handlers::peer {
public:
    wire_client(wire_script& w, std::string identity, std::string client_id, std::shared_ptr<handlers::listener_rules> r);

    received connects(greeting const& g = {});         // and expects CONNACK 0
    void says_hello(greeting const& g = {});
    void sends(message const& m);
    reason subscribes(filter const& f, std::uint16_t id = 900);
    void asks_to_subscribe(filter const& f, std::uint16_t id = 900);
    reason unsubscribes(std::string const& f, std::uint16_t id = 901);
    void acks(packet_type t, std::uint16_t id, reason r = reason::success);
    void disconnects(reason r = reason::success, std::optional<std::uint32_t> expiry = {}, std::string const& note = {});
    void drops();                                      // the network fails
    void raw(bytes const& b);                          // whole packets

    std::optional<received> next();                    // null: nothing came
    received expects(packet_type t);
    received expects_publish(std::string_view topic, std::string_view payload);
    void expects_ack(packet_type t, std::uint16_t id, reason r = reason::success);
    void quiet();

    bool closed = false, reading = true, blocked = false;
    reason why = reason::success;
    std::shared_ptr<handlers::listener_rules> limits;
    std::string const identity, client_id;

    bytes& out() override { return out_; }
    void out_shared(byte_view head, storage::message_ptr body) override {
        out_.insert(out_.end(), head.begin(), head.end());
        out_.insert(out_.end(), body->payload().begin(), body->payload().end());
    }
    std::size_t out_bytes() const override { return blocked ? 10'000'000 : out_.size() - read_; }
    void close(reason r, std::string_view) override {
        if (closed) return;
        if (welcomed && protocol == codec::version::v5) codec::encode(out_, codec::disconnect_view{r}, protocol);
        closed = true, why = r, must_go_ = true;
    }
    void pause_reading(bool on) override { reading = !on; }
    handlers::listener_rules const& rules() const override { return *limits; }
    std::uint64_t connection_number() const override { return number_; }
    std::string_view address() const override { return "192.0.2.1:1"; }
    acl::identity const* certificate() const override { return certificate_.name.empty() ? nullptr : &certificate_; }

private:
    friend class wire_script;
    void feed(bytes const& b);
    received decode(codec::frame const& f);
    wire_script& world_;
    acl::identity certificate_;
    bytes out_;
    std::size_t read_ = 0;
    std::uint64_t number_ = 0;
    bool open_ = false, must_go_ = false;
};

class wire_script {
public:
    /// @param prepare changes the world before the protocols are made
    explicit wire_script(unsigned shards = 1, unsigned seed = 1, std::function<void(handlers::world&)> prepare = {})
        : shards_{shards}, seed_{seed}, store{clock}, prepare_{std::move(prepare)} {
        defaults->device = false, defaults->allow_anonymous = true;
        defaults->session_expiry_max = 0xFFFFFFFF;
        defaults->publish_rate = 0, defaults->publish_bytes_s = 0;
        boot();
    }
    /// A client that logs in by the certificate `identity` (empty = anonymous).
    wire_client& client(std::string const& id, std::string const& identity = "") {
        return clients_.emplace_back(*this, identity, id, defaults);
    }
    /// A client whose session lives on that shard.
    wire_client& client_on(unsigned shard, std::string const& prefix) {
        for (int i = 0;; ++i) {
            auto const id = prefix + "-" + std::to_string(i);
            if (home("", id) == shard && used_.insert(id).second) return client(id);
        }
    }
    unsigned home(std::string const& identity, std::string const& id) const {
        return static_cast<unsigned>(handlers::hash({0, identity, id}) % shards_);
    }
    handlers::mqtt& of(wire_client const& c) { return *protocols[home(c.identity, c.client_id)]; }
    /// Lets everything happen that can happen now, syncs included when the store is automatic.
    void settle() {
        for (;;) {
            bool const some = fakes->settle();
            for (auto& c : clients_)
                if (std::exchange(c.must_go_, false) && std::exchange(c.open_, false)) of(c).gone(c);
            if (store.automatic && !store.idle()) {
                store.commit();
                continue;
            }
            if (!some) return;
        }
    }
    void commit() {
        store.commit();
        settle();
    }
    void advance(std::int64_t ms) {
        clock.advance(ms);
        fakes->advance_timers();
        for (auto& p : protocols) p->tick();
        settle();
    }
    void rules(rules_from::check_fn f) { world->acl.set(std::make_shared<rules_from>(std::move(f))); }
    /// kill -9 and start again from what was committed.
    void restart() {
        for (auto& c : clients_) c.open_ = false, c.closed = true, c.session = nullptr;
        auto const engine = world->acl.get();
        protocols.clear();
        store.crash();
        boot();
        world->acl.set(engine);
        settle();
    }

    unsigned const shards_, seed_;
    fake_clock clock;
    scripted_store store;
    std::shared_ptr<handlers::listener_rules> defaults = std::make_shared<handlers::listener_rules>();
    handlers::plugin_gate* gate = nullptr;
    std::unique_ptr<fake_shards> fakes;
    std::unique_ptr<handlers::world> world;
    std::vector<std::unique_ptr<handlers::mqtt>> protocols;
    std::uint64_t next_connection = 0;

private:
    void boot() {
        fakes = std::make_unique<fake_shards>(shards_, clock, seed_);
        world = std::make_unique<handlers::world>();
        world->store = &store;
        world->gate = gate;
        world->wall_s = [] { return std::int64_t{1'790'000'000}; };
        if (prepare_) prepare_(*world);
        for (unsigned i = 0; i < shards_; ++i) protocols.push_back(handlers::make_protocol((*fakes)[i], *world));
        handlers::recovered kept;
        store.replay(kept.callbacks());
        handlers::restore(*world, std::move(kept));
    }
    std::function<void(handlers::world&)> prepare_;
    std::list<wire_client> clients_;
    std::set<std::string> used_;
};

}
