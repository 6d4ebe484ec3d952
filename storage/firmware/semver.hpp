#pragma once
// Versions as firmware people write them: "v1.2.3", "1.0", "2.4.1.7-rc.1+build5". Pure.

#include "storage/firmware/errc.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::storage::firmware {

/// Up to four numbers (missing ones are 0), a pre-release that sorts before its release, and build data that does not count.
struct version {
    std::array<std::uint64_t, 4> numbers{};
    std::vector<std::string> pre;              // identifiers between '-' and '+'

    /// Surrounding spaces and a leading v or V are allowed; at most 64 characters. errc::bad_format.
    static result<version> parse(std::string_view s);
    /// Semantic Versioning 2.0.0 section 11, with a fourth number.
    std::strong_ordering operator<=>(version const& o) const;
    bool operator==(version const& o) const { return (*this <=> o) == 0; }
};

/// Order of two texts: by version when both are versions; one that is not sorts before all that are, then by bytes.
std::strong_ordering compare_versions(std::string_view a, std::string_view b);

/// "<v1.1.0 >=1.0", "< v1.1.0", ">=1 <2 || =3.1", "*", "": comparators joined by space or comma must all hold, "||" between alternatives.
/// "~1.2.3" = >=1.2.3 <1.3.0-0, "^1.2.3" = >=1.2.3 <2.0.0-0, "1.2.x" = >=1.2 <1.3.0-0.
class version_range {
public:
    static result<version_range> parse(std::string_view s);
    bool contains(version const& v) const;
    /// False for a text that is no version, unless the range is "*" or empty.
    bool contains(std::string_view v) const;
    bool any() const { return any_; }

private:
    enum class op { lt, le, gt, ge, eq, ne };
    struct comparator {
        op what;
        version v;
    };
    enum class spread { tilde, caret, last };
    static bool span(std::string_view word, spread kind, std::vector<comparator>& out);
    bool any_ = false;
    std::vector<std::vector<comparator>> alternatives_;
};

}
