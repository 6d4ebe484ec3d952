#pragma once
// The shard's set under the names of this room: connections, newcomers and acceptors are watchers in it.

#include "broker/shard/shard.hpp"

namespace airmail::net {

using shard::watcher;
using poller = shard::poll_set;

}
