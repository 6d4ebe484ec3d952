#pragma once
// Values of `ota_*` options: "30s", "15m", "1h", "2d", "500ms", and sizes "4MiB". Pure.

#include "plugins/sdk/plugin.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace airmail::plugins::kit {

/// Milliseconds. A bare number is seconds, as in Mosquitto's directives. Nullopt: not a duration, negative, or above 10 years.
std::optional<std::int64_t> parse_duration(std::string_view s);
/// Bytes: B, KiB, MiB, GiB or a bare number.
std::optional<std::int64_t> parse_size(std::string_view s);

/// The option, or `otherwise` when unset. Throws std::runtime_error naming option and value: configure() lets it pass.
std::int64_t duration_option(sdk::context& ctx, std::string_view key, std::int64_t otherwise_ms);
std::int64_t size_option(sdk::context& ctx, std::string_view key, std::int64_t otherwise);
std::int64_t count_option(sdk::context& ctx, std::string_view key, std::int64_t otherwise, std::int64_t min, std::int64_t max);

}
