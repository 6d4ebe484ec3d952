#pragma once
// The hot store's trouble, told in the log when it begins and when it is over. Beside $SYS, which an operator may turn off.

#include "broker/shard/timer_wheel.hpp"
#include "storage/store.hpp"

namespace airmail {

/// Owned by: the broker; runs on the first shard's thread, once a second, between start() and the shards' stop.
class store_watch {
public:
    /// Both outlive it.
    store_watch(storage::store const& s, shard::timer_wheel& timers) : store_{s}, timers_{timers} {}
    /// On the first shard, before it runs.
    void start();

private:
    void look();

    storage::store const& store_;
    shard::timer_wheel& timers_;
    bool failing_ = false;   // when it was last asked
    shard::reminder alarm_;
};

}
