#include "plugins/campaign/window.hpp"

#include "plugins/kit/json_out.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>

namespace airmail::plugins::campaign {

namespace {

constexpr std::int64_t minute_ms = 60'000, day_minutes = 1440;
constexpr std::string_view day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

int day_named(std::string_view s) {
    for (int i = 0; i < 7; ++i)
        if (day_names[i] == s) return i;
    return -1;
}

/// "mon-fri", "sat,sun", "daily".
bool read_days(std::string_view s, std::uint8_t& out) {
    if (s == "daily") return out = 0x7f, true;
    out = 0;
    while (!s.empty()) {
        auto part = s.substr(0, s.find(','));
        s.remove_prefix(std::min(s.size(), part.size() + 1));
        auto dash = part.find('-');
        int first = day_named(part.substr(0, dash)), last = dash == part.npos ? first : day_named(part.substr(dash + 1));
        if (first < 0 || last < 0) return false;
        for (int d = first;; d = (d + 1) % 7) {
            out |= static_cast<std::uint8_t>(1 << d);
            if (d == last) break;
        }
    }
    return out != 0;
}

bool digits(std::string_view s, int& out) {
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
    return ec == std::errc{} && end == s.data() + s.size() && !s.empty() && s.front() != '-';
}

bool read_time(std::string_view s, int& out) {
    int h = 0, m = 0;
    if (s.size() != 5 || s[2] != ':' || !digits(s.substr(0, 2), h) || !digits(s.substr(3), m) || h > 24 || m > 59 || h * 60 + m > day_minutes) return false;
    return out = (h * 60 + m) % static_cast<int>(day_minutes), true;
}

std::string clock(int minutes) {
    std::string out = "00:00";
    out[0] = static_cast<char>('0' + minutes / 600), out[1] = static_cast<char>('0' + minutes / 60 % 10);
    out[3] = static_cast<char>('0' + minutes % 60 / 10), out[4] = static_cast<char>('0' + minutes % 10);
    return out;
}

int length(window const& w) { return w.to > w.from ? w.to - w.from : static_cast<int>(day_minutes) - w.from + w.to; }

}

std::optional<std::vector<window>> parse_windows(std::string_view json, std::string& why) {
    std::vector<window> out;
    if (json.empty() || json == "null" || json == "[]") return out;
    boost::system::error_code ec;
    auto v = boost::json::parse(boost::json::string_view{json.data(), json.size()}, ec);
    if (ec || !v.is_array() || v.as_array().size() > 50) return why = "windows must be a list of at most 50", std::nullopt;
    for (auto const& item : v.as_array()) {
        window w;
        auto o = item.if_object();
        auto text = [&](char const* key) {
            auto x = o ? o->if_contains(key) : nullptr;
            return x && x->is_string() ? std::string_view{x->as_string().data(), x->as_string().size()} : std::string_view{};
        };
        if (!o || !read_time(text("from"), w.from) || !read_time(text("to"), w.to)) return why = "a window is {\"days\":\"mon-fri\",\"from\":\"02:00\",\"to\":\"05:00\"}", std::nullopt;
        if (o->contains("days") && !read_days(text("days"), w.days)) return why = "days are \"daily\" or of mon, tue, wed, thu, fri, sat, sun: \"mon-fri\", \"sat,sun\"", std::nullopt;
        out.push_back(w);
    }
    return out;
}

std::string windows_json(std::vector<window> const& windows) {
    kit::json_array out;
    for (auto const& w : windows) {
        std::string days;
        for (int d = 0; d < 7; ++d)
            if (w.days & (1 << d)) (days += days.empty() ? "" : ",") += day_names[d];
        out.add(kit::json_object{}.text("days", days).text("from", clock(w.from)).text("to", clock(w.to)).str());
    }
    return out.str();
}

bool open_at(std::vector<window> const& windows, std::int64_t wall, zone const& where) {
    if (windows.empty()) return true;
    auto minutes = wall / minute_ms + where.offset_at(wall);
    auto day = (minutes / day_minutes + 3) % 7;                        // 1 January 1970 was a Thursday
    auto now = static_cast<int>(minutes % day_minutes);
    auto before = (day + 6) % 7;
    return std::any_of(windows.begin(), windows.end(), [&](window const& w) {
        if ((w.days & (1 << day)) && now >= w.from && now < w.from + length(w)) return true;
        return (w.days & (1 << before)) && now + static_cast<int>(day_minutes) < w.from + length(w);
    });
}

std::int64_t opens_at(std::vector<window> const& windows, std::int64_t wall, zone const& where) {
    if (open_at(windows, wall, where)) return wall;
    auto minutes = wall / minute_ms + where.offset_at(wall);
    auto midnight = minutes - minutes % day_minutes;
    std::int64_t best = INT64_MAX;
    for (std::int64_t d = 0; d <= 14; ++d)                              // a Sunday's window may fall into the gap: then the next Sunday's
        for (auto const& w : windows) {
            auto day = ((midnight / day_minutes + d) + 3) % 7;
            if (!(w.days & (1 << day))) continue;
            auto at = where.at(midnight + d * day_minutes + w.from);
            if (at > wall && at < best && open_at(windows, at, where)) best = at;
        }
    return best;
}

}
