#pragma once
// What a plugin says it is: JSON from the border into sdk::declaration, checked field by field (plugins/sdk/README.md has
// the format). Start-up thread.

#include "broker/host/refusal.hpp"
#include "plugins/sdk/plugin.hpp"

#include <string_view>

namespace airmail::host {

/// Throws refusal(bad_declaration): "<plugin>: topics[0].qos: must be 0, 1 or 2". Unknown members are refused too: a
/// misspelt "durabel" must not silently mean the default.
sdk::declaration parse_declaration(std::string_view plugin, std::string_view json);

}
