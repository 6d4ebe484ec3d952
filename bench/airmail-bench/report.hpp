#pragma once
// Rounds in, medians and ratios out: a table for people, JSON for everything else.

#include "bench/airmail-bench/scenario.hpp"

#include <string>
#include <vector>

namespace airmail::bench {

/// Everything one broker answered in one scenario, a round an entry.
struct measured {
    std::string broker;
    std::vector<figures> rounds;
};
struct scenario_result {
    scenario const* what;
    std::vector<measured> brokers;
};

/// Medians with (lowest to highest), and the first broker's median over each other's. `peer`: the one whose ratio is shown.
std::string table(scenario_result const& r, std::string const& peer);
/// All rounds of all scenarios, with the machine and the sizes.
std::string json(std::vector<scenario_result> const& all, load const& sizes, std::string const& peer);

}
