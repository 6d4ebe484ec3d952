#pragma once
// Maintenance windows: when, in the device's own day, an update may begin. What has begun goes on. Pure.
//
//   [{"days":"mon-fri","from":"02:00","to":"05:00"},{"days":"sat,sun","from":"22:00","to":"06:00"}]
//
// `to` before `from` ends on the next day; equal to it: the whole day. No list = always.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::plugins::campaign {

struct window {
    std::uint8_t days = 0x7f;          // bit 0 = Monday: the day on which it opens
    int from = 0, to = 0;              // minutes of the day
};

/// JSON as above, "" or null = none. Nullopt: `why` says what is wrong. At most 50.
std::optional<std::vector<window>> parse_windows(std::string_view json, std::string& why);
std::string windows_json(std::vector<window> const& w);

/// Minutes east of UTC: "+02:00", "-0530", "Z", "UTC", "90". Nullopt: none of these, or beyond 14 hours.
std::optional<int> parse_offset(std::string_view s);

/// @param wall unix ms   @param offset minutes east of UTC
bool open_at(std::vector<window> const& w, std::int64_t wall, int offset);
/// Unix ms of the next opening after `wall`; `wall` itself when it is open now.
std::int64_t opens_at(std::vector<window> const& w, std::int64_t wall, int offset);

}
