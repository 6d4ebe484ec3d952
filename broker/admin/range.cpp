#include "broker/admin/range.hpp"

#include <charconv>
#include <optional>

namespace airmail::admin {
namespace {

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

std::optional<std::uint64_t> number(std::string_view s) {
    std::uint64_t n = 0;
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (s.empty() || ec != std::errc{} || end != s.data() + s.size()) return std::nullopt;
    return n;
}

}

byte_range choose_range(std::string_view range, std::string_view if_range, std::string_view etag, std::uint64_t file_size) {
    using kind = byte_range::kind;
    byte_range whole{kind::whole, 0, file_size ? file_size - 1 : 0};
    if (range.empty()) return whole;
    // A date in If-Range never matches: our entities are named by their digest, not by time.
    if (!if_range.empty() && trimmed(if_range) != etag) return whole;
    constexpr std::string_view unit = "bytes=";
    if (range.substr(0, unit.size()) != unit) return whole;
    auto spec = trimmed(range.substr(unit.size()));
    auto dash = spec.find('-');
    if (dash == spec.npos || spec.find(',') != spec.npos) return whole;
    auto from = trimmed(spec.substr(0, dash)), to = trimmed(spec.substr(dash + 1));
    if (from.empty()) {  // the last N bytes
        auto n = number(to);
        if (!n) return whole;
        if (*n == 0 || file_size == 0) return {kind::unsatisfiable};
        return {kind::part, *n >= file_size ? 0 : file_size - *n, file_size - 1};
    }
    auto first = number(from);
    auto last = to.empty() ? std::optional<std::uint64_t>(file_size - 1) : number(to);
    if (!first || !last || (!to.empty() && *last < *first)) return whole;
    if (*first >= file_size) return {kind::unsatisfiable};
    return {kind::part, *first, *last < file_size ? *last : file_size - 1};
}

}
