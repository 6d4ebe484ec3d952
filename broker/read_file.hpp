#pragma once
// Reads a small configuration file whole.

#include <optional>
#include <string>

namespace airmail {

/// At most 256 MiB. Nullopt with `why` (the system's words) when it cannot be read.
std::optional<std::string> read_file(std::string const& path, std::string& why);

}
