#pragma once
// Times in filters: 2026-11-24, 2026-11-24T10:00Z, 2026-11-24T10:00:00+02:00, unix seconds or ms, now, now-24h, ${NOW_TS},
// ${OVERDUE_TS} (hawkBit's words; overdue = 15 minutes ago: three heartbeats of the document's five minutes).

#include <cstdint>
#include <optional>
#include <string_view>

namespace airmail::plugins::targets {

struct time_point {
    bool relative = false;
    std::int64_t ms = 0;               // unix, or to be added to now
    std::int64_t at(std::int64_t now) const { return relative ? now + ms : ms; }
};

/// A day or time without a zone is UTC. Nullopt when it is none of these.
std::optional<time_point> parse_time(std::string_view s);

}
