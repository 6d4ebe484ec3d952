#pragma once
// One comparison: how it was asked for, and what its pairs have shown. Read by the plugin, and by the dashboard on a connection of its own.

#include "plugins/cohort/pair_test.hpp"
#include "plugins/sdk/hooks.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace airmail::plugins::cohort {

/// Which way is the harm.
enum class direction { higher, lower };

struct study {
    std::string campaign_id;
    std::int64_t window_ms = 0;
    double alpha = 0.05;
    bool gate = false;
    std::vector<std::pair<std::string, direction>> fields;              // numbers of heartbeats
    std::map<std::string, pair_counts> counts;                          // by measure: reconnects, errors, field:NAME
    std::string alarm;                                                  // the measure that has shown a difference
    std::int64_t alarm_at = 0;                                          // unix ms
    std::int64_t seen = 0;                                              // events of the campaign up to this one have been looked at

    /// Each measure may err with its share.
    double share() const { return alpha / static_cast<double>(2 + fields.size()); }
    /// Lower for a field of which less is worse.
    direction harm_of(std::string_view measure) const;
};

/// Nullopt: the campaign is not compared.
std::optional<study> load_study(sdk::context& ctx, std::string_view campaign_id);
/// As cohort.get answers it (plugins/README.md).
std::string study_json(study const& s);

}
