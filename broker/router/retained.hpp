#pragma once
// The retained messages whose topics have their home on this shard: hash(topic) % shards. A trie of topics, so that a wildcard
// SUBSCRIBE looks only where its filter leads. [MQTT-3.3.1-5]

#include "broker/router/filter_trie.hpp"
#include "storage/message.hpp"

#include <unordered_map>

namespace airmail::router {

/// Bounds of one shard's part; at a bound a new topic is refused (0x97), an existing one may still be replaced or cleared.
struct retained_bounds {
    std::size_t messages = 1'000'000, bytes = 512ULL << 20;
    std::int64_t age_ms = 0;   // retain_expiry_interval; 0 = they stay
};

/// Owned by: one shard. Overhead per message: 88 (the message) + about 120 (nodes and edges of its own levels).
class retained {
public:
    explicit retained(retained_bounds b = {}) : bounds_{b} { nodes_.emplace_back(); }

    /// Replaces or, with an empty payload, removes [MQTT-3.3.1-6] [MQTT-3.3.1-7].
    /// @param per_identity most topics one publisher may hold here, 0 = no limit
    /// @return false when a bound refused it
    bool set(storage::message_ptr m, std::uint32_t per_identity = 0);
    storage::message_ptr find(std::string_view topic) const;
    /// Calls f(message_ptr const&) for each match, until it has been called `most` times or a million nodes were seen.
    /// Returns false when it was cut short. Expired ones (by `now`) are left out.
    template <class F> bool match(std::string_view filter, std::int64_t now, std::size_t most, F&& f) const;

    /// Is it over: its own expiry [MQTT-3.3.2-5], or older than this broker keeps any? `$SYS` has no age.
    bool expired(storage::message const& m, std::int64_t now) const {
        if (m.expires_at_ms() && m.expires_at_ms() <= now) return true;
        return bounds_.age_ms && m.received_at_ms() + bounds_.age_ms <= now && !m.topic().starts_with("$SYS/");
    }
    /// Looks at the next `nodes` and forgets what has expired. Returns how many.
    std::size_t sweep(std::int64_t now, std::size_t nodes);

    std::size_t size() const { return count_; }
    std::size_t bytes() const { return bytes_; }
    std::size_t footprint() const { return nodes_.size() * sizeof(node) + edges_.footprint() + texts_.footprint(); }

private:
    static constexpr std::uint32_t none = id_table::none;
    struct node {
        std::uint32_t parent = none, child = none, next = none, prev = none, text = 0, hash = 0;
        std::uint16_t size = 0;
        bool used = false;
        storage::message_ptr message;
    };
    static std::uint32_t edge(std::uint32_t parent, std::uint32_t hash) { return static_cast<std::uint32_t>(mix(hash, parent + 1)); }
    std::uint32_t child(std::uint32_t parent, std::uint32_t hash, std::string_view text) const {
        return edges_.find(edge(parent, hash), [&](std::uint32_t id) {
            return nodes_[id].parent == parent && texts_.at(nodes_[id].text, nodes_[id].size) == text;
        });
    }
    std::uint32_t seek(levels const& l) const;
    std::uint32_t make(std::uint32_t parent, std::uint32_t hash, std::string_view text);
    void clear(std::uint32_t at);
    void prune(std::uint32_t at);
    void count_identity(storage::message const& m, int by);

    std::deque<node> nodes_;
    std::vector<std::uint32_t> free_;
    id_table edges_;
    text_arena texts_;
    std::unordered_map<std::uint64_t, std::uint32_t> per_identity_;  // keyed hash of the identity -> topics
    retained_bounds bounds_;
    std::size_t count_ = 0, bytes_ = 0, swept_ = 0;
};

template <class F> bool retained::match(std::string_view filter, std::int64_t now, std::size_t most, F&& f) const {
    levels const l{filter};
    if (!l.ok()) return true;
    struct place {
        std::uint32_t node, depth;
    };
    std::vector<place> stack{{0, 0}};
    std::size_t visits = 0;
    while (!stack.empty()) {
        auto const [at, depth] = stack.back();
        stack.pop_back();
        if (++visits > 1'000'000) return false;
        node const& n = nodes_[at];
        bool const rest = depth < l.count() && l.text(depth) == "#";
        if ((depth == l.count() || rest) && n.message && !expired(*n.message, now)) {
            if (most-- == 0) return false;
            f(n.message);
        }
        if (depth == l.count()) continue;
        if (!rest && l.text(depth) != "+") {
            if (auto const c = child(at, l.hash(depth), l.text(depth)); c != none) stack.push_back({c, depth + 1});
            continue;
        }
        for (auto c = n.child; c != none; c = nodes_[c].next) {
            if (at == 0 && nodes_[c].size && texts_.at(nodes_[c].text, 1)[0] == '$') continue;  // [MQTT-4.7.2-1]
            stack.push_back({c, rest ? depth : depth + 1});
        }
    }
    return true;
}

}
