#pragma once
// What every lane looks at: options, clocks, the way out, the finished method table. Owned by plugin_host; outlives lanes.

#include "broker/host/method_table.hpp"
#include "broker/host/outlet.hpp"
#include "storage/store.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace airmail::host {

/// Bounds and budgets. Policies: durable full = spill (read back from the log), loose full = the topic's declared overflow,
/// events full = calls and requests answer 503, session events are dropped, counted, and the lane is `troubled`.
struct host_options {
    std::string database;                                 // registry.db
    std::function<std::int64_t()> now_ms, wall_ms;        // stored clock; unix time. Any thread
    /// plugin_opt_<key> of that plugin (its id; a shared object's path), else the directive of that name, else empty. Start-up and lane threads.
    std::function<std::string(std::string_view plugin, std::string_view key)> option;
    /// "publish devices/{id}/notify", or "vendor.name publish devices/{id}/notify" to mean one plugin's; a shared object's path will do, too.
    std::vector<std::string> refused_grants;
    std::size_t batch_max = 256, durable_max = 8192, loose_max = 8192, latest_max = 65536, events_max = 16384, effects_max = 65536;
    std::int64_t dead_letters_max = 10'000;               // per lane; the oldest go
    std::chrono::milliseconds hook_warn{50}, stuck_after{2000}, connect_timeout{5000}, call_timeout{30000}, stop_timeout{5000}, busy_timeout{5000};
    std::chrono::milliseconds retry_first{10}, retry_most{5000};
    bool threads = true;                                  // false: the owner calls plugin_host::pump (tests, simulations)
};

struct environment {
    host_options options;
    outlet& out;
    storage::store* store = nullptr;                      // null: no durable log, messages are posted
    method_table methods;
};

}
