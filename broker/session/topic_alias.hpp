#pragma once
// Topic aliases of one connection. Inbound only for now; outbound aliases get their table here with the issue on the whole
// protocol. Mappings never outlive the connection. [MQTT-3.3.2-7]

#include "broker/codec/reason.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace airmail::session {

/// What a client has called its topics. Bound: the Topic Alias Maximum of CONNACK, checked here. [MQTT-3.3.2-12]
class inbound_aliases {
public:
    /// The real topic of a PUBLISH, learning or replacing the mapping when both are given.
    /// @param maximum what CONNACK announced; 0 = aliases are off
    /// @return a view valid until the next call, or topic_alias_invalid (above the maximum) or protocol_error (unknown, or
    ///         neither topic nor alias)
    codec::result<std::string_view> resolve(std::uint16_t alias, std::string_view topic, std::uint16_t maximum) {
        if (alias == 0) {
            if (topic.empty()) return codec::reason::protocol_error;
            return topic;
        }
        if (alias > maximum) return codec::reason::topic_alias_invalid;  // [MQTT-3.2.2-17] [MQTT-3.2.2-18]
        if (topic.empty()) {
            if (alias > names_.size() || names_[alias - 1].empty()) return codec::reason::protocol_error;
            return std::string_view{names_[alias - 1]};
        }
        if (alias > names_.size()) names_.resize(alias);
        names_[alias - 1] = topic;
        return topic;
    }
    void clear() { names_.clear(); }

private:
    std::vector<std::string> names_;
};

}
