#pragma once
// Maintenance windows: when, in the device's own day, an update may begin. What has begun goes on. Pure.
//
//   [{"days":"mon-fri","from":"02:00","to":"05:00"},{"days":"sat,sun","from":"22:00","to":"06:00"}]
//
// `to` before `from` ends on the next day; equal to it: the whole day. No list = always.

#include "plugins/campaign/zone.hpp"

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

/// @param wall unix ms
bool open_at(std::vector<window> const& w, std::int64_t wall, zone const& where);
/// Unix ms of the next opening after `wall`; `wall` itself when it is open now. A window that lies wholly in the hour that spring leaves
/// out does not exist that day; one in the hour that autumn repeats is open twice.
std::int64_t opens_at(std::vector<window> const& w, std::int64_t wall, zone const& where);

}
