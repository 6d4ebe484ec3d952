#pragma once
// How values are written: 15m, 4MiB, 95%, true. Pure functions; an empty optional means "not one of those".

#include "broker/config/directives.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace airmail::config {

/// true, false, 1, 0 (Mosquitto's), and yes, no, on, off.
std::optional<bool> to_flag(std::string_view s);
/// Digits, a sign, and k (thousand) or M (million).
std::optional<std::int64_t> to_count(std::string_view s);
/// Digits or a decimal, and B, KiB, MiB, GiB, TiB (1024), KB, MB, GB (1000), K, M, G (1024); `/s` may follow. Bytes.
std::optional<std::uint64_t> to_size(std::string_view s);
/// A number and ms, s, m, h, d, w; bare numbers are seconds. At most 100 years.
std::optional<std::chrono::milliseconds> to_duration(std::string_view s);
/// Mosquitto's expiry: a number and h, d, w, m (30 days) or y (365 days); bare numbers are seconds.
std::optional<std::chrono::milliseconds> to_expiry(std::string_view s);
/// 0 to 100, a percent sign may follow.
std::optional<double> to_percent(std::string_view s);
/// What has to stay free: `10%`, `1GiB`, or both with a blank between.
struct room {
    double percent = 0;
    std::uint64_t bytes = 0;
};
/// A bare number is a share; a size needs its unit.
std::optional<room> to_room(std::string_view s);

/// `1,10,50,100`: rising shares up to 100, or `none` (empty vector: all at once).
std::optional<std::vector<double>> to_phases(std::string_view s);
/// A decimal above 0.
std::optional<double> to_real(std::string_view s);

/// accept_protocol_versions: `3, 4, 5`; bit n of the answer is version n.
std::optional<std::uint8_t> protocol_versions(std::string_view s);

/// Empty when `s` is a good value for `d`, else what was expected: "a duration such as 15m or 500ms".
std::string complaint(directive const& d, std::string_view s);

}
