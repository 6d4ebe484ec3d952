#pragma once
// Why has this device not updated? The first condition that is not met, in the order in which the engine asks, and what would change it.

#include "plugins/campaign/rows.hpp"
#include "plugins/targets/device_facts.hpp"

#include <optional>
#include <string>

namespace airmail::plugins::campaign {

struct explanation {
    std::string condition;      // not_in_target, campaign, bucket, registration, offline, poisoned, window, busy, tokens, retry, cancel, answer,
                                // download, install, probation, done
    std::string why, change;    // sentences; change empty: nothing has to
};

/// What only the engine knows.
struct moment {
    bool connected = false;
    std::int64_t now = 0, wall = 0;
};

/// A device with a row.
explanation explain(sdk::context& ctx, campaign_row const& c, device_entry const& d, moment const& m);
/// A device without one: why it is no target.
explanation explain_absence(sdk::context& ctx, campaign_row const& c, targets::device_facts const& d, moment const& m);

}
