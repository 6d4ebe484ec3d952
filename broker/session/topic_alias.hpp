#pragma once
// Topic aliases of one connection, both ways. Mappings never outlive the connection. [MQTT-3.3.2-7]

#include "broker/codec/reason.hpp"

#include <cstdint>
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

/// What we have called the topics we send. A topic has one possible alias, hash % maximum + 1, so that the subscribers of one
/// message share its encoded bytes; topics that meet in a place contend for it by use, and one that is seen once takes
/// nothing from one that is seen often. Topics are known by their 64-bit keyed hash, which peers cannot aim at.
/// Bound: the smaller of the client's Topic Alias Maximum and the listener's, 16 bytes each. [MQTT-3.1.2-26] [MQTT-3.3.2-11]
class outbound_aliases {
public:
    struct choice {
        std::uint16_t alias = 0;   // 0 = send the topic as it is
        bool known = false;        // the client has heard it: the topic is left out
    };

    /// @param maximum 1 or more
    explicit outbound_aliases(std::uint16_t maximum) : places_(maximum) {}
    choice look(std::uint64_t topic) const {
        auto const& p = places_[topic % places_.size()];
        auto const alias = static_cast<std::uint16_t>(topic % places_.size() + 1);  // never 0 [MQTT-3.3.2-8]
        if (topic != 0 && p.topic == topic) return {alias, true};  // as long as no other has the place
        return p.weight ? choice{} : choice{alias, false};
    }
    /// The packet that look() chose for is on its way.
    void sent(std::uint64_t topic, choice c) {
        auto& p = places_[topic % places_.size()];
        if (c.alias == 0) {
            if (p.weight && p.topic != topic) --p.weight;
        } else if (!c.known) {
            p = {topic, use};
        } else if (p.weight <= 255 - use) {
            p.weight += use;
        }
    }

private:
    struct place {
        std::uint64_t topic = 0;   // 0 = given to none yet
        std::uint8_t weight = 0;   // 0 = another may take it
    };
    /// A use outweighs so many packets of others: a few topics in turn do not push one another out.
    static constexpr std::uint8_t use = 4;
    std::vector<place> places_;
};

}
