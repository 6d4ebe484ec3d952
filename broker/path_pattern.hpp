#pragma once
// Paths of the REST interface with one {id} in them.

#include <optional>
#include <string_view>

namespace airmail {

/// What stands at {id} when the path fits the pattern; empty for patterns without one.
inline std::optional<std::string_view> id_in(std::string_view pattern, std::string_view path) {
    auto const at = pattern.find("{id}");
    if (at == pattern.npos) return path == pattern ? std::optional<std::string_view>("") : std::nullopt;
    auto const head = pattern.substr(0, at), tail = pattern.substr(at + 4);
    if (path.size() <= head.size() + tail.size() || !path.starts_with(head) || !path.ends_with(tail)) return std::nullopt;
    auto const id = path.substr(head.size(), path.size() - head.size() - tail.size());
    return id.find('/') == id.npos ? std::optional(id) : std::nullopt;
}

}
