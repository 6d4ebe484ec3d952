#pragma once
// Which of a few dozen declared filters match a topic. Built once at start, then immutable: any thread, no allocation.
// A `{id}` level matches as `+` does; that it is the sender's own id is the ACL's business.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::host {

class topic_index {
public:
    topic_index() : nodes_(1) {}

    /// Adds a valid filter. `value` is handed to match()'s visitor; the same value may be added under several filters.
    void add(std::string_view filter, std::uint32_t value) {
        std::uint32_t at = 0;
        for (bool more = true; more;) {
            auto end = filter.find('/');
            auto level = filter.substr(0, end);
            more = end != filter.npos;
            if (more) filter.remove_prefix(end + 1);
            if (level == "#") return void(nodes_[at].rest.push_back(value));
            at = level == "+" || level == "{id}" ? plus(at) : child(at, level);
        }
        nodes_[at].here.push_back(value);
    }

    /// Calls visit(value) for every filter that matches. [MQTT-4.7.1-2] [MQTT-4.7.2-1]
    template <class Visit>
    void match(std::string_view topic, Visit&& visit) const {
        walk(0, topic, false, !topic.empty() && topic[0] == '$', visit);
    }

private:
    struct node {
        std::vector<std::pair<std::string, std::uint32_t>> children;
        std::uint32_t plus = 0;                    // 0 = none: the root is nobody's child
        std::vector<std::uint32_t> here, rest;     // rest: filters that end in # here
    };

    std::uint32_t child(std::uint32_t at, std::string_view level) {
        for (auto const& [name, to] : nodes_[at].children)
            if (name == level) return to;
        auto to = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
        nodes_[at].children.emplace_back(level, to);
        return to;
    }
    std::uint32_t plus(std::uint32_t at) {
        if (nodes_[at].plus) return nodes_[at].plus;
        auto to = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
        return nodes_[at].plus = to;
    }

    /// Depth is bounded by the deepest filter, not by the topic.
    template <class Visit>
    void walk(std::uint32_t at, std::string_view rest, bool ended, bool dollar, Visit& visit) const {
        auto const& n = nodes_[at];
        if (!dollar)
            for (auto v : n.rest) visit(v);
        if (ended) {
            for (auto v : n.here) visit(v);
            return;
        }
        auto end = rest.find('/');
        auto level = rest.substr(0, end);
        bool last = end == rest.npos;
        auto tail = last ? std::string_view{} : rest.substr(end + 1);
        for (auto const& [name, to] : n.children)
            if (name == level) walk(to, tail, last, false, visit);
        if (n.plus && !dollar) walk(n.plus, tail, last, false, visit);
    }

    std::vector<node> nodes_;
};

}
