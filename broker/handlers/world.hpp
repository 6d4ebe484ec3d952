#pragma once
// What the shards' protocols share. Made by broker.cpp before them and outliving them.

#include "acl/engine.hpp"
#include "broker/handlers/census.hpp"
#include "acl/scram.hpp"
#include "broker/handlers/plugin_gate.hpp"
#include "broker/router/fanout.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace airmail::handlers {

class mqtt;

/// The rules in force. A reload sets new ones; each shard notices by the generation, at its next question.
class rules_box {
public:
    /// Any thread. @return the engine of before: whoever frees it should not be a shard, a million rules take a while
    acl::engine_ptr set(acl::engine_ptr e) {
        std::lock_guard hold{lock_};
        engine_.swap(e);
        generation_.fetch_add(1, std::memory_order_release);
        return e;
    }
    std::uint32_t generation() const { return generation_.load(std::memory_order_acquire); }
    acl::engine_ptr get() const {
        std::lock_guard hold{lock_};
        return engine_;
    }

private:
    mutable std::mutex lock_;
    acl::engine_ptr engine_;
    std::atomic<std::uint32_t> generation_{1};
};

/// Bounds of the whole broker.
struct world_limits {
    router::retained_bounds retained;          // of the broker; each shard gets its part
    std::size_t shared_groups = 1000;          // per shard
    router::share_strategy share = router::share_strategy::round_robin;
    bool upgrade_qos = false;                  // upgrade_outgoing_qos
    std::uint64_t sessions = 0;                // global_max_clients; 0 = no limit
    std::uint32_t parked_bytes = 64 << 10;     // packets of one peer read while its CONNECT is decided
};

/// Fill in, then make the protocols, then restore(), then run the shards.
struct world {
    storage::store* store = nullptr;           // required; in-memory options for level `memory`
    plugin_gate* gate = nullptr;               // null = no plugins
    rules_box acl;                             // null engine: device listeners deny all, others allow all
    /// Checks user name and password off the loop. Unset: users are refused on device listeners, accepted unproven elsewhere
    /// when anonymous clients are.
    std::function<void(login const&, login_done)> check_password;
    /// The SCRAM-SHA-256 verifier of a user of a listener (its port), any thread. Unset: no enhanced authentication is offered.
    std::function<std::optional<acl::scram_verifier>(std::uint16_t listener, std::string_view user)> scram;
    std::atomic<bool> check_retain_source{false};   // a retained message is given only while its publisher may publish it
    std::function<std::int64_t()> wall_s;      // unix time, for `server_time`; required
    world_limits limits;
    router::interest interest;
    census identities;                         // sessions of each, over all shards
    std::vector<mqtt*> shards;                 // filled by make_protocol
    std::atomic<bool> publish_revoked_wills{false};   // device_revoked_will
    std::atomic<bool> draining{false};         // new CONNECTs get 0x8B
};

}
