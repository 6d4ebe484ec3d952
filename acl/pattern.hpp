#pragma once
// Filters against topics, filters against filters. All pure, allocation-free, linear in the length of the strings.
//
// A level of a rule's filter is `+`, `#` (last only), a placeholder, or itself. A placeholder stands for one whole level:
// it compares with the name, nothing is ever substituted into text, so a name cannot smuggle in levels or wildcards
// (CVE-2017-7650). A filter that does not begin with `$` never matches a topic that does [MQTT-4.7.2-1].

#include <cstdint>
#include <string_view>

namespace airmail::acl {

/// What the placeholders stand for. An empty name, or one with + # / or NUL, makes its placeholders match nothing.
struct names {
    std::string_view name, client_id;
};

/// Does `topic` (no wildcards) match the rule's filter?
bool matches(std::string_view filter, std::string_view topic, names const& who);

/// Does every topic that `inner` (a client's filter, no placeholders) matches also match `outer` (a rule's filter)?
/// Exact for one outer filter; the union of several rules is not considered.
bool contains(std::string_view outer, std::string_view inner, names const& who);

/// Is there a topic that matches both?
bool overlaps(std::string_view rule_filter, std::string_view filter, names const& who);

/// Is it a topic filter [MQTT-4.7.1-1] [MQTT-4.7.1-2]: not empty, no NUL, `+` alone in its level, `#` alone in the last?
bool valid_filter(std::string_view filter);

/// Can this name stand where a placeholder is?
bool plain_level(std::string_view name);

}
