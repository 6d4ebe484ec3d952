#pragma once
// Which numeric addresses a listener means: `listener PORT HOST`, bind_address, bind_interface, socket_domain, local-only mode.

#include "broker/config/config.hpp"

#include <string>
#include <vector>

namespace airmail {

/// At least one address, "" = all of them; or none with `why`. Asks the resolver: start-up only.
std::vector<std::string> addresses_of(config::listener const& l, std::string& why);

}
