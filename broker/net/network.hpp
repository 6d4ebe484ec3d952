#pragma once
// The room as the broker sees it: a hub on every shard, listeners, and the order of shutting down.
//
//   network n{shards, protocols, options};   n.listen(...) ...;   n.start(), n.accept();   shards run;   n.reload...;   n.drain(...)

#include "broker/log/metrics.hpp"
#include "broker/net/listener.hpp"

namespace airmail::net {

struct network_options {
    admission_limits doors;
    front_door_limits front;
    memory_limits memory;
    turn_budget turn;
    ocsp_desk::options ocsp;
    std::function<std::uint64_t(handlers::session_key const&)> hash;   // &handlers::hash
    std::function<std::string()> assign_client_id;                     // &handlers::assign_client_id
};

/// Owned by: the broker; must outlive the shards' running and die before the shards. Members are for the main thread.
class network {
public:
    /// `protocols[i]` speaks on `shards[i]`. Throws std::system_error when the kernel has no descriptor left.
    network(std::vector<shard::shard*> shards, std::vector<handlers::protocol*> protocols, network_options o);
    ~network();

    /// Binds a listener; after start() it accepts at once. The pointer lives as long as this.
    boost::system::result<listener*, listen_error> listen(listener_options o);
    /// Registers the turn-end hooks (last of all rooms) and opens the doors. Before the shards run.
    void start();
    /// Begins to accept on all listeners; after start(). The shards may run.
    void accept();
    /// Closes all doors. Any thread.
    void stop_accepting();
    /// After lists of revoked certificates were read anew: sends away who is in them. Any thread.
    void cut_revoked();
    /// Keeps the answer about this listener's own certificate at hand. Any thread, once per listener.
    void staple(std::shared_ptr<tls> const& of, ocsp_rules_ptr rules) { ocsp_.staple(of, std::move(rules)); }
    /// After certificates were read anew. Any thread.
    void look_at_staples() { ocsp_.look_at_staples(); }
    /// Says goodbye to everybody (v5: DISCONNECT `why`), some hundred each turn. `done` is called once, on some shard, when
    /// the last has gone; slow peers are cut after 5 s. Any thread, once.
    void drain(codec::reason why, std::function<void()> done);

    hub& at(unsigned shard) { return *hubs_[shard]; }
    admission& doors() { return neighbours_.doors; }
    front_door& front() { return neighbours_.front; }
    /// Other memory limits. Any thread.
    void limit_memory(memory_limits l);

private:
    void watch_memory();
    void look_at_memory();   // shard 0

    neighbours neighbours_;
    std::vector<std::unique_ptr<hub>> hubs_;
    std::vector<std::unique_ptr<listener>> listeners_;
    bool started_ = false;
    memory_watch memory_;             // on the first shard
    metrics::share used_share_, level_share_;
    shard::reminder look_at_memory_;
    shard::instant shed_at_ = -1'000, trimmed_at_ = -2'000;
    ocsp_desk ocsp_;                  // last: its threads end before what they tell
};

}
