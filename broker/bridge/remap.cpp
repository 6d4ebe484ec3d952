#include "broker/bridge/remap.hpp"

namespace airmail::bridge {
namespace {

std::string swapped(std::string_view topic, std::string_view from, std::string_view to) {
    std::string out{to};
    return out.append(topic.substr(from.size()));
}

/// The first level of `s`, taken off; `more` tells whether another follows.
std::string_view take_level(std::string_view& s, bool& more) {
    auto const slash = s.find('/');
    auto const level = s.substr(0, slash);
    more = slash != s.npos;
    s = more ? s.substr(slash + 1) : std::string_view{};
    return level;
}

}

bool matches(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') != filter.starts_with('$')) return false;   // [MQTT-4.7.2-1]
    bool more_filter = true, more_topic = true;
    while (true) {
        auto const f = take_level(filter, more_filter);
        if (f == "#") return true;
        auto const t = take_level(topic, more_topic);
        if (f != "+" && f != t) return false;
        if (!more_topic) return !more_filter || filter == "#";   // `a/#` matches `a` too
        if (!more_filter) return false;
    }
}

std::optional<std::string> outward(std::vector<config::bridge_topic> const& lines, std::string_view topic) {
    for (auto const& l : lines)
        if (l.out && matches(l.local, topic)) return l.single ? l.remote : swapped(topic, l.local_prefix, l.remote_prefix);
    return std::nullopt;
}

std::optional<std::string> inward(std::vector<config::bridge_topic> const& lines, std::string_view topic) {
    for (auto const& l : lines)
        if (l.in && matches(l.remote, topic)) return l.single ? l.local : swapped(topic, l.remote_prefix, l.local_prefix);
    return std::nullopt;
}

}
