#pragma once
// Small secret files beside the registry: the token key, the setup token. Mode 0600, written whole or not at all.

#include <optional>
#include <string>
#include <string_view>

namespace airmail::dashboard {

/// Nullopt when it is not there; throws std::runtime_error when it is a link, too long (64 KiB) or unreadable.
std::optional<std::string> read_private(std::string const& path);
/// Temporary file, sync, rename. Throws std::runtime_error.
void write_private(std::string const& path, std::string_view text);

}
