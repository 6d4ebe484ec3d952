#pragma once
// Every timer and limit of the rollout as an `ota_*` option, read once at configure().

#include "plugins/campaign/device_state.hpp"
#include "plugins/campaign/stop_rule.hpp"
#include "plugins/sdk/plugin.hpp"

#include <string>

namespace airmail::plugins::campaign {

struct settings {
    timers t;
    std::int64_t url_life = 3'600'000, url_life_renewable = 900'000;    // ms
    std::int64_t phase_soak = 600'000;
    int phase_success = 95;            // percent of finished, counting devices
    int phase_min = 1;                 // finished devices before a gate is judged
    std::int64_t max_in_flight = 10'000, rate_per_min = 0;
    std::int64_t rate_bytes = 0;       // of images admitted a second, all campaigns together; 0 = no limit
    bool approval = false;             // somebody else must approve a campaign
    int admission_batch = 1000;        // commands per transaction
    stop_rule stop;
    int signature_stop = 2, boot_loop_stop = 3;    // distinct devices: hard stops
    std::string url_base;              // scheme and authority, without a slash at the end
    std::string url_keys, command_key; // files
};

/// Throws std::runtime_error naming the option that is wrong.
settings read_settings(sdk::context& ctx);

}
