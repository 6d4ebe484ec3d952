#pragma once
// Rounds of kill -9 under load. Every round: all clients return, load runs for a random while, the broker is killed (and killed
// again while it recovers), started, and asked for what it had promised. At the end nobody is killed and everything must come.

#include "tools/crashtest/ledger.hpp"
#include "tools/crashtest/victim.hpp"

namespace airmail::crashtest {

/// Runs the plan against a broker that holds nothing yet. Leaves it running. Exceptions: none; what goes wrong is in the verdict.
verdict run(victim& broker, plan const& p);

/// The verdict as lines for people: figures first, then what was found.
std::string describe(verdict const& v);

}
