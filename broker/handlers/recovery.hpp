#pragma once
// From what the store read back at start to sessions, queues and retained messages on their home shards.
//
//   recovered kept;
//   auto st = storage::store::open(options, kept.callbacks(), why);
//   world w{...st...}; for each shard make_protocol(shard, w);
//   restore(w, std::move(kept));          // then start the store, then run the shards

#include "broker/handlers/world.hpp"

namespace airmail::handlers {

/// Collects one replay. Owned by: the starting thread.
class recovered {
public:
    storage::recovery callbacks();

    struct reference {
        storage::lsn at;
        storage::reference what;
        storage::delivery_state state;
        std::uint16_t packet_id;
        std::uint32_t bytes;
    };
    std::vector<storage::session_record> sessions;
    std::vector<storage::subscription_record> subscriptions;
    std::vector<reference> references;
    std::vector<storage::message_ptr> retained;
    std::vector<std::pair<storage::session_number, std::uint16_t>> qos2_in;
};

/// Distributes. Sessions whose time is over end at the first tick; a session that was connected at the crash counts as
/// disconnected now. Starting thread, before the shards run. Returns how many sessions came back.
std::size_t restore(world& w, recovered&& r);

}
