#pragma once
// A clock on the wall of some place: an offset from UTC, or a name of the IANA database with its summer time. The rules come from the
// system's tzdata through cctz, which knows gaps and overlaps; a name is looked for there and nowhere else.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::plugins::campaign {

/// Minutes east of UTC: "+02:00", "-0530", "Z", "UTC", "90". Nullopt: none of these, or beyond 14 hours.
std::optional<int> parse_offset(std::string_view s);

class zone {
public:
    /// @param offset minutes east of UTC
    zone(int offset = 0) : offset_(offset) {}
    /// An offset as above, or "Europe/Berlin". Nullopt: neither.
    static std::optional<zone> find(std::string_view s);
    /// Minutes east of UTC at `wall` (unix ms).
    int offset_at(std::int64_t wall) const;
    /// Unix ms at which this clock shows `local` (minutes since 1970 there) for the first time. In the hour that spring leaves out: the
    /// moment of the leap.
    std::int64_t at(std::int64_t local) const;
    /// As people say it: the name, or "+02:00".
    std::string name() const;

private:
    struct rules;
    std::shared_ptr<rules const> rules_;       // null: offset_ all year
    int offset_ = 0;
};

}
