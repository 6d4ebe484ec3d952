#pragma once
// Looks at the files that a configuration names, before anything is opened for good.

#include "broker/config/config.hpp"

namespace airmail::config {

/// Files of listeners that are missing, unreadable (errors) or secret and readable by everybody (errors on device
/// listeners and with `strict`, else warnings). Blocks on the file system; start-up, reload and --test-config.
std::vector<finding> check_files(config const& c);

}
