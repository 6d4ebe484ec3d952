#pragma once
// Topic names and filters: what is valid, their levels, `$share/{group}/{filter}`. [MQTT 5, 4.7 and 4.8.2]
// UTF-8 and U+0000 were checked when the string was read. Nothing here normalizes anything. [MQTT-4.7.3-4]

#include "broker/codec/reason.hpp"

#include <cstddef>
#include <string_view>

namespace airmail::codec {

/// Something can be published under this name: 1 to 65,535 bytes, no wildcard. [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT-4.7.3-1]
bool valid_topic_name(std::string_view name);

/// A filter without `$share`: 1 to 65,535 bytes, `#` last and alone on its level, `+` alone. [MQTT-4.7.1-1] [MQTT-4.7.1-2]
bool valid_topic_filter(std::string_view filter);

/// True when the filter has `+` or `#` in it.
bool has_wildcard(std::string_view filter);

/// Levels of a name or filter: one more than its slashes.
std::size_t level_count(std::string_view topic);

/// Takes the first level off `rest`: `"a//b"` gives "a", "", "b". Call while it says so:
/// `for (std::string_view rest = topic, level; next_level(rest, level);)`. After the last, rest.data() is null.
bool next_level(std::string_view& rest, std::string_view& level);

/// What a SUBSCRIBE asks for, taken apart.
struct filter_parts {
    std::string_view group;   // share name; empty when not shared
    std::string_view filter;  // what topics are matched against
    bool shared() const { return !group.empty(); }
};

/// Takes `$share/{group}/{filter}` apart and checks both halves; a filter without `$share/` is returned as it is.
/// @return topic_filter_invalid when either half breaks a rule [MQTT-4.8.2-1] [MQTT-4.8.2-2]
result<filter_parts> split_filter(std::string_view filter);

/// Does a valid filter (without `$share`) match a valid name? Wildcards at the front do not see `$...`. [MQTT-4.7.2-1]
bool topic_matches(std::string_view filter, std::string_view name);

}
