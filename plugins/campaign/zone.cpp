#include "plugins/campaign/zone.hpp"

#include <algorithm>
#include <cctz/time_zone.h>
#include <charconv>
#include <cstdlib>
#include <sys/stat.h>

namespace airmail::plugins::campaign {

namespace {

bool digits(std::string_view s, int& out) {
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
    return ec == std::errc{} && end == s.data() + s.size() && !s.empty() && s.front() != '-';
}

/// Letters, digits and "/_+-", no part empty or hidden. The file is looked for first: cctz remembers every name it was ever asked for,
/// and a device could ask for many.
bool is_zone_name(std::string_view s) {
    if (s.empty() || s.size() > 64 || s.front() == '/' || s.back() == '/' || s.find("//") != s.npos) return false;
    if (!std::all_of(s.begin(), s.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '+' || c == '-'; })) return false;
    auto const* folder = std::getenv("TZDIR");
    struct stat st {};
    return ::stat(((folder ? folder : "/usr/share/zoneinfo/") + std::string(folder ? "/" : "") + std::string(s)).c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

}

struct zone::rules { cctz::time_zone tz; };

std::optional<int> parse_offset(std::string_view s) {
    if (s == "Z" || s == "UTC" || s == "utc" || s == "0") return 0;
    int sign = 1, h = 0, m = 0;
    if (!s.empty() && (s.front() == '+' || s.front() == '-')) sign = s.front() == '-' ? -1 : 1, s.remove_prefix(1);
    if (s.size() == 5 && s[2] == ':') {
        if (!digits(s.substr(0, 2), h) || !digits(s.substr(3), m)) return std::nullopt;
    } else if (s.size() == 4) {
        if (!digits(s.substr(0, 2), h) || !digits(s.substr(2), m)) return std::nullopt;
    } else if (s.size() > 3 || !digits(s, m)) return std::nullopt;
    if (h * 60 + m > 14 * 60) return std::nullopt;
    return sign * (h * 60 + m);
}

std::optional<zone> zone::find(std::string_view s) {
    if (auto offset = parse_offset(s)) return zone(*offset);
    cctz::time_zone tz;
    if (!is_zone_name(s) || !cctz::load_time_zone(std::string(s), &tz)) return std::nullopt;
    zone out;
    out.rules_ = std::make_shared<rules const>(rules{tz});
    return out;
}

int zone::offset_at(std::int64_t wall) const {
    if (!rules_) return offset_;
    auto const t = cctz::time_point<cctz::seconds>(cctz::seconds(wall / 1000));
    return rules_->tz.lookup(t).offset / 60;
}

std::int64_t zone::at(std::int64_t local) const {
    if (!rules_) return (local - offset_) * 60'000;
    auto const shown = cctz::civil_second(1970, 1, 1) + local * 60;
    auto const found = rules_->tz.lookup(shown);
    auto const when = found.kind == cctz::time_zone::civil_lookup::SKIPPED ? found.trans : found.pre;
    return when.time_since_epoch().count() * 1000;
}

std::string zone::name() const {
    if (rules_) return rules_->tz.name();
    char const sign = offset_ < 0 ? '-' : '+';
    int const m = std::abs(offset_);
    std::string out{sign};
    for (int const part : {m / 60, m % 60}) out += (part < 10 ? "0" : "") + std::to_string(part) + ":";
    return out.pop_back(), out;
}

}
