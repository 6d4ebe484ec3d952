#include "plugins/kit/duration.hpp"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace airmail::plugins::kit {

namespace {

using unit = std::pair<std::string_view, std::int64_t>;

template <std::size_t N>
std::optional<std::int64_t> scaled(std::string_view s, std::array<unit, N> const& units, std::int64_t max) {
    std::int64_t n = 0;
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (ec != std::errc{} || n < 0) return std::nullopt;
    std::string_view rest = s.substr(static_cast<std::size_t>(end - s.data()));
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    for (auto const& [name, factor] : units)
        if (rest == name) return n > max / factor ? std::nullopt : std::optional{n * factor};
    return std::nullopt;
}

[[noreturn]] void refuse(std::string_view key, std::string const& value, std::string_view wanted) {
    throw std::runtime_error(std::string{key} + " " + value + ": not " + std::string{wanted});
}

}

std::optional<std::int64_t> parse_duration(std::string_view s) {
    static constexpr std::array<unit, 7> units{{{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    return scaled(s, units, 3650LL * 86'400'000);
}

std::optional<std::int64_t> parse_size(std::string_view s) {
    static constexpr std::array<unit, 5> units{{{"", 1}, {"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}}};
    return scaled(s, units, 1LL << 62);
}

std::int64_t duration_option(sdk::context& ctx, std::string_view key, std::int64_t otherwise_ms) {
    auto text = ctx.option(key);
    if (text.empty()) return otherwise_ms;
    auto v = parse_duration(text);
    if (!v) refuse(key, text, "a duration such as 30s, 15m or 1h");
    return *v;
}

std::int64_t size_option(sdk::context& ctx, std::string_view key, std::int64_t otherwise) {
    auto text = ctx.option(key);
    if (text.empty()) return otherwise;
    auto v = parse_size(text);
    if (!v) refuse(key, text, "a size such as 512KiB or 4MiB");
    return *v;
}

std::int64_t count_option(sdk::context& ctx, std::string_view key, std::int64_t otherwise, std::int64_t min, std::int64_t max) {
    auto text = ctx.option(key);
    if (text.empty()) return otherwise;
    std::int64_t n = 0;
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size() || n < min || n > max)
        refuse(key, text, "a number from " + std::to_string(min) + " to " + std::to_string(max));
    return n;
}

}
