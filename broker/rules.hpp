#pragma once
// The rules in force, from configuration and plugins: devices live under the built-in ones, what plugins' topics grant, and the
// acl_file; other clients under the acl_file alone, as with Mosquitto, or without one under no rules. With
// per_listener_settings each listener's clients have its own acl_file.

#include "acl/engine.hpp"
#include "broker/config/config.hpp"
#include "broker/denials.hpp"
#include "broker/host/plugin_host.hpp"

#include <string>
#include <vector>

namespace airmail {

/// What was said about the files while they were read.
struct rules_report {
    std::string why;                     // set when the rules must not be used: "file:line: what"
    std::vector<std::string> warnings;   // "file:line: what"
};

/// check_retain_source. With rules per listener it cannot be answered: a message does not say by which listener it came.
inline bool checks_retain_source(config::config const& c) { return c.flag("check_retain_source") && !c.flag("per_listener_settings") && !c.text("acl_file").empty(); }

/// Reads and compiles, aside: takes about two seconds per million rules, so never on a shard. Null with `report.why` when a
/// rules file must not be used.
/// @param seen  where `acl_mode observe` writes what it would have denied; outlives nothing (shared)
acl::engine_ptr load_rules(config::config const& c, std::vector<host::grant> const& grants, std::shared_ptr<denials> seen, rules_report& report);

}
