#pragma once
// The rules in force, from configuration and plugins: devices live under the built-in ones, what plugins' topics grant, and the
// acl_file; other clients under the acl_file alone, as with Mosquitto, or without one under no rules.

#include "acl/engine.hpp"
#include "broker/config/config.hpp"
#include "broker/host/plugin_host.hpp"

#include <string>

namespace airmail {

/// Reads and compiles. Null with `why` ("file:line: what") when a rules file must not be used.
acl::engine_ptr load_rules(config::config const& c, std::vector<host::grant> const& grants, std::string& why);

}
