#pragma once
// log_* directives as the log room wants them.

#include "broker/config/config.hpp"
#include "broker/log/log.hpp"

namespace airmail::config {

/// @param verbose `-v`: everything, as Mosquitto's log_type all
/// @param quiet   `-q`: nothing
/// @param topic   takes lines for `log_dest topic`; may be empty, then that destination is left out
log::options log_options(config const& c, bool verbose, bool quiet, std::function<void(log::level, std::string_view)> topic);

}
