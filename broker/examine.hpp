#pragma once
// What `--test-config` looks at beyond the configuration's own lines: the files that it names are read as a start would.

#include "broker/config/config.hpp"

#include <vector>

namespace airmail {

/// Findings of acl_file, password_file, psk_file, certificates and bridges, with their own file and line. Opens no port, writes
/// nothing.
std::vector<config::finding> examine(config::config const& c);

}
