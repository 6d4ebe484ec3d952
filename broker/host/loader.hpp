#pragma once
// From a path to a plugin's table: dlopen(RTLD_NOW | RTLD_LOCAL), the one symbol, the checks of the ABI. Never dlclose: code
// that hooks, threads or exit handlers may still enter must not vanish. Start-up thread; throws refusal.

#include "broker/host/refusal.hpp"
#include "plugins/sdk/c_api.h"

#include <string>
#include <string_view>

namespace airmail::host {

/// Bytes a table of version 1 has at least. Later minor versions only add fields at its end.
inline constexpr std::size_t table_bytes_min = 128;

/// Is this a table we can call? `where` names it in the message: a path, or "built-in".
/// Throws refusal: abi (version, size), bad_table (no id, a required function is missing).
void check_table(airmail_plugin_v1_t const* table, std::string_view where);

/// Loads and checks. Throws refusal: unreadable (with the linker's own words), no_symbol, and what check_table throws.
airmail_plugin_v1_t const* load(std::string const& path);

}
