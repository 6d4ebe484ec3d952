#include "broker/config/value.hpp"

#include <charconv>
#include <cmath>
#include <utility>

namespace airmail::config {
namespace {

/// Splits "1.5MiB" into a number and what follows; blanks between are allowed.
std::optional<std::pair<double, std::string_view>> number_and_unit(std::string_view s) {
    double v = 0;
    auto const [end, ec] = std::from_chars(s.data(), s.data() + s.size(), v, std::chars_format::fixed);
    if (ec != std::errc{} || !std::isfinite(v) || v < 0 || std::signbit(v)) return std::nullopt;
    s.remove_prefix(static_cast<std::size_t>(end - s.data()));
    while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
    return std::pair{v, s};
}

struct unit {
    std::string_view name;
    double factor;
};

template <std::size_t N> std::optional<double> scaled(std::string_view s, unit const (&units)[N]) {
    auto const parts = number_and_unit(s);
    if (!parts) return std::nullopt;
    for (auto const& u : units)
        if (u.name == parts->second) return parts->first * u.factor;
    return std::nullopt;
}

constexpr double second = 1000, hour = 3600 * second, day = 24 * hour, century = 36525 * day;

std::optional<std::chrono::milliseconds> as_time(std::optional<double> ms) {
    if (!ms || *ms > century) return std::nullopt;
    return std::chrono::milliseconds{std::llround(*ms)};
}

bool one_of(std::string_view words, std::string_view s) {
    if (s.empty() || s.find(' ') != s.npos) return false;
    while (!words.empty()) {
        auto const end = words.find(' ');
        if (words.substr(0, end) == s) return true;
        words = end == words.npos ? std::string_view{} : words.substr(end + 1);
    }
    return false;
}

/// Values that a type alone does not describe; empty when `d` is none of these or `s` is good.
std::string special_complaint(directive const& d, std::string_view s) {
    if (d.name == "log_dest") {
        bool const file = s.starts_with("file ") && s.find_first_not_of(' ', 5) != s.npos;
        if (!file && !one_of("stderr stdout syslog topic none dlt android", s)) return "stderr, stdout, syslog, topic, none or file PATH";
    }
    if (d.name == "ota_phases" && !to_phases(s)) return "rising percentages up to 100 such as 1,10,50,100, or none";
    if (d.name.starts_with("limit_disk_") && !to_room(s)) return "a share such as 10%, a size such as 1GiB, or both with a blank between; 0 means never";
    if (d.name == "ota_failure_threshold" && !to_real(s)) return "a number above 0 such as 9.2";
    return s.empty() ? "a value" : "";
}

std::string count_complaint(directive const& d, std::string_view s) {
    auto const v = to_count(s);
    if (v && *v >= d.least && *v <= d.most) return {};
    if (d.most == INT64_MAX) return "a whole number of at least " + std::to_string(d.least);
    return "a whole number from " + std::to_string(d.least) + " to " + std::to_string(d.most);
}

std::string duration_complaint(directive const& d, std::string_view s) {
    auto const v = to_duration(s);
    if (!v) return "a duration such as 15m, 30s or 500ms";
    if (v->count() >= d.least && v->count() <= d.most) return {};
    auto const seconds = [](std::int64_t ms) { return std::to_string(ms / 1000) + "s"; };
    return d.most == INT64_MAX ? "at least " + seconds(d.least) : "from " + seconds(d.least) + " to " + seconds(d.most);
}

}

std::optional<bool> to_flag(std::string_view s) {
    if (s == "true" || s == "1" || s == "yes" || s == "on") return true;
    if (s == "false" || s == "0" || s == "no" || s == "off") return false;
    return std::nullopt;
}

std::optional<std::int64_t> to_count(std::string_view s) {
    std::int64_t v = 0;
    auto const [end, ec] = std::from_chars(s.data(), s.data() + s.size(), v);
    if (ec != std::errc{}) return std::nullopt;
    std::string_view const rest{end, static_cast<std::size_t>(s.data() + s.size() - end)};
    std::int64_t const factor = rest.empty() ? 1 : rest == "k" ? 1000 : rest == "M" ? 1'000'000 : 0;
    if (factor == 0 || v > INT64_MAX / factor || v < INT64_MIN / factor) return std::nullopt;
    return v * factor;
}

std::optional<std::uint64_t> to_size(std::string_view s) {
    static constexpr double k = 1024;
    static constexpr unit units[] = {{"", 1},           {"B", 1},           {"KiB", k},     {"K", k},          {"MiB", k * k},
                                     {"M", k * k},      {"GiB", k * k * k}, {"G", k * k * k}, {"TiB", k * k * k * k}, {"KB", 1e3},
                                     {"MB", 1e6},       {"GB", 1e9}};
    if (s.ends_with("/s")) s.remove_suffix(2);
    auto const v = scaled(s, units);
    if (!v || *v > 9e15) return std::nullopt;   // exact in a double, and 9 PB is more than anybody has
    return static_cast<std::uint64_t>(std::llround(*v));
}

std::optional<std::chrono::milliseconds> to_duration(std::string_view s) {
    static constexpr unit units[] = {{"", second}, {"ms", 1}, {"s", second}, {"m", 60 * second}, {"h", hour}, {"d", day}, {"w", 7 * day}};
    return as_time(scaled(s, units));
}

std::optional<std::chrono::milliseconds> to_expiry(std::string_view s) {
    static constexpr unit units[] = {{"", second}, {"s", second}, {"h", hour}, {"d", day}, {"w", 7 * day}, {"m", 30 * day}, {"y", 365 * day}};
    return as_time(scaled(s, units));
}

std::optional<double> to_percent(std::string_view s) {
    static constexpr unit units[] = {{"", 1}, {"%", 1}};
    auto const v = scaled(s, units);
    if (!v || *v > 100) return std::nullopt;
    return v;
}

std::optional<room> to_room(std::string_view s) {
    room out;
    bool share = false, size = false;
    while (true) {
        auto const end = s.find(' ');
        auto const one = s.substr(0, end);
        if (auto const p = to_percent(one); p && !std::exchange(share, true)) out.percent = *p;
        else if (auto const b = to_size(one); !p && b && one.find_first_not_of("0123456789.") != one.npos && !std::exchange(size, true)) out.bytes = *b;
        else return std::nullopt;
        if (end == s.npos) return out;
        s.remove_prefix(end + 1);
        while (s.starts_with(' ')) s.remove_prefix(1);
    }
}

std::optional<std::vector<double>> to_phases(std::string_view s) {
    std::vector<double> out;
    if (s == "none") return out;
    while (true) {
        auto const end = s.find(',');
        auto const share = to_percent(s.substr(0, end));
        if (!share || *share <= (out.empty() ? 0 : out.back())) return std::nullopt;
        out.push_back(*share);
        if (end == s.npos) break;
        s.remove_prefix(end + 1);
        while (s.starts_with(' ')) s.remove_prefix(1);
    }
    if (out.back() != 100) return std::nullopt;
    return out;
}

std::optional<double> to_real(std::string_view s) {
    auto const v = number_and_unit(s);
    if (!v || !v->second.empty() || v->first <= 0) return std::nullopt;
    return v->first;
}

std::optional<std::uint8_t> protocol_versions(std::string_view s) {
    std::uint8_t bits = 0;
    while (true) {
        auto const comma = s.find(',');
        auto one = s.substr(0, comma);
        while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
        while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
        if (one.size() != 1 || one[0] < '3' || one[0] > '5') return std::nullopt;
        bits = static_cast<std::uint8_t>(bits | 1 << (one[0] - '0'));
        if (comma == s.npos) return bits;
        s.remove_prefix(comma + 1);
    }
}

std::string complaint(directive const& d, std::string_view s) {
    switch (d.kind) {
    case type::flag: return to_flag(s) ? "" : "true or false";
    case type::count: return count_complaint(d, s);
    case type::size: return to_size(s) ? "" : "a size such as 4MiB or 65536";
    case type::duration: return duration_complaint(d, s);
    case type::expiry: return to_expiry(s) ? "" : "a number and h, d, w, m (months) or y, such as 14d";
    case type::percent: return to_percent(s) ? "" : "a share from 0% to 100%";
    case type::choice: return one_of(d.choices, s) ? "" : "one of: " + std::string{d.choices};
    case type::text:
    case type::path: break;
    }
    return special_complaint(d, s);
}

}
