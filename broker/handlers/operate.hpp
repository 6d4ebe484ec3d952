#pragma once
// From any thread to the shards and back: how plugins publish, how the control socket lists and kicks.

#include "broker/handlers/mqtt.hpp"

namespace airmail::handlers {

/// Publishes on behalf of nobody, on the shard hash(topic) % shards, so that one topic keeps its order. Any thread.
/// @param done (may be empty) hears on that shard's thread whether the message is safe
void publish(world& w, storage::message_ptr m, std::function<void(bool stored)> done = {}, bool durable = true);
/// mqtt::kick on every shard; `done` hears the sum, on some shard's thread. Any thread.
void kick(world& w, std::string identity, codec::reason r, bool end, std::function<void(std::size_t)> done = {});
/// Rows of all shards; `done` runs on some shard's thread. Any thread.
void list(world& w, std::function<void(std::vector<session_info>)> done);
/// Every subscription of every shard, at most `most` of each shard: "FILTER (QoS 1) IDENTITY CLIENT". Any thread.
void tree(world& w, std::size_t most, std::function<void(std::vector<std::string>)> done);
/// Disconnects connected clients for whom `good` says no; it is called on the shards' threads. Any thread.
void recheck_logins(world& w, std::function<bool(acl::identity const&)> good);
/// mqtt::drain on every shard. Any thread.
void drain(world& w);

}
