#include "plugins/targets/time_point.hpp"

#include <charconv>
#include <chrono>

namespace airmail::plugins::targets {

namespace {

/// Takes exactly `digits` digits from the front.
bool take(std::string_view& s, std::size_t digits, int& out) {
    if (s.size() < digits) return false;
    for (std::size_t i = 0; i < digits; ++i)
        if (s[i] < '0' || s[i] > '9') return false;
    std::from_chars(s.data(), s.data() + digits, out);
    return s.remove_prefix(digits), true;
}
bool take(std::string_view& s, char c) {
    if (s.empty() || s.front() != c) return false;
    return s.remove_prefix(1), true;
}
bool whole(std::string_view s, std::int64_t& n) {
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    return ec == std::errc{} && end == s.data() + s.size() && !s.empty();
}

std::optional<time_point> after_now(std::string_view s) {
    if (s.empty()) return time_point{true, 0};
    bool minus = s.front() == '-';
    if (!minus && s.front() != '+') return std::nullopt;
    s.remove_prefix(1);
    if (s.size() < 2) return std::nullopt;
    std::int64_t unit = 0, n = 0;
    switch (s.back()) {
    case 's': unit = 1'000; break;
    case 'm': unit = 60'000; break;
    case 'h': unit = 3'600'000; break;
    case 'd': unit = 86'400'000; break;
    case 'w': unit = 604'800'000; break;
    default: return std::nullopt;
    }
    if (s.front() < '0' || s.front() > '9' || !whole(s.substr(0, s.size() - 1), n) || n > 1'000'000'000) return std::nullopt;
    return time_point{true, minus ? -n * unit : n * unit};
}

std::optional<time_point> calendar(std::string_view s) {
    int y = 0, mo = 0, d = 0, h = 0, mi = 0, sec = 0;
    if (!take(s, 4, y) || !take(s, '-') || !take(s, 2, mo) || !take(s, '-') || !take(s, 2, d)) return std::nullopt;
    std::chrono::year_month_day day{std::chrono::year{y}, std::chrono::month{static_cast<unsigned>(mo)}, std::chrono::day{static_cast<unsigned>(d)}};
    if (!day.ok()) return std::nullopt;
    std::int64_t zone = 0;
    if (take(s, 'T') || take(s, ' ')) {
        if (!take(s, 2, h) || !take(s, ':') || !take(s, 2, mi)) return std::nullopt;
        if (take(s, ':') && !take(s, 2, sec)) return std::nullopt;
        if (h > 23 || mi > 59 || sec > 59) return std::nullopt;
        if (!s.empty() && (s.front() == '+' || s.front() == '-')) {
            int sign = s.front() == '-' ? -1 : 1, zh = 0, zm = 0;
            s.remove_prefix(1);
            if (!take(s, 2, zh) || (take(s, ':'), !take(s, 2, zm)) || zh > 14 || zm > 59) return std::nullopt;
            zone = sign * (zh * 60 + zm);
        } else take(s, 'Z');
    }
    if (!s.empty()) return std::nullopt;
    auto days = std::chrono::sys_days{day}.time_since_epoch().count();
    return time_point{false, ((std::int64_t{days} * 24 + h) * 60 + mi - zone) * 60'000 + std::int64_t{sec} * 1000};
}

}

std::optional<time_point> parse_time(std::string_view s) {
    if (s == "${NOW_TS}") return time_point{true, 0};
    if (s == "${OVERDUE_TS}") return time_point{true, -900'000};
    if (s.starts_with("now")) return after_now(s.substr(3));
    if (std::int64_t n = 0; whole(s, n)) {
        if (n < 0 || n > 1'000'000'000'000'000) return std::nullopt;
        return time_point{false, n < 100'000'000'000 ? n * 1000 : n};        // seconds until the year 5138
    }
    return calendar(s);
}

}
