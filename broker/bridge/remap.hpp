#pragma once
// Topics on the two sides of a bridge: L/pattern here is R/pattern there. Pure.

#include "broker/config/bridge.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::bridge {

/// A message of this side, for the other: the first `out` line whose local filter matches decides. Nothing when none does.
std::optional<std::string> outward(std::vector<config::bridge_topic> const& lines, std::string_view topic);
/// A message of the other side, for this one; by the `in` lines.
std::optional<std::string> inward(std::vector<config::bridge_topic> const& lines, std::string_view topic);
/// Does a filter (valid, without placeholders) match a topic? [MQTT-4.7]
bool matches(std::string_view filter, std::string_view topic);

}
