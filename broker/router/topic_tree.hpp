#pragma once
// The subscriptions of one shard: filters to subscribers. Exact filters are in one hash table by whole text, wildcard filters in
// a flat trie (reference/architecture.md 3, choice C). A `$share` subscription is kept here as a record only, for its options;
// the group's members are on the group's home shard, where the group itself subscribes.

#include "broker/router/filter_trie.hpp"
#include "broker/router/route_memory.hpp"
#include "broker/session/session.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace airmail::router {

/// How a session wants what a filter matches; the wire's option byte. [MQTT-3.8.3.1]
struct options {
    std::uint8_t bits = 0;
    std::uint8_t qos() const { return bits & 3; }
    bool no_local() const { return bits & 4; }
    bool retain_as_published() const { return bits & 8; }
    std::uint8_t retain_handling() const { return bits >> 4 & 3; }
};

/// One entry of a filter's list. 16 bytes.
struct subscriber {
    enum kind : std::uint8_t { nobody, client, group, record };
    session::session* who = nullptr;   // client and record
    std::uint32_t id = 0;              // Subscription Identifier (0 = none), or the number of the group
    options how;
    kind is = nobody;
};

/// Owned by: one shard. Memory: about 110 bytes for a filter of 25 characters with one subscriber, 24 for each further one.
class topic_tree {
public:
    struct added {
        bool is_new = false;    // this session did not have it
        bool first = false;     // nobody on this shard had it: tell the interest table
        std::uint32_t filter = 0;
    };
    /// Adds or replaces. The filter is valid and within levels::max; `record`: it has its `$share/` prefix. [MQTT-3.8.4-3]
    added subscribe(std::string_view filter, session::session& who, std::uint32_t id, options how, bool record = false);
    struct removed {
        bool found = false, last = false;
        std::string_view filter;  // of remove_all; valid for the call
        bool record = false;
        std::uint32_t id = 0;     // of the filter
    };
    /// Character by character. [MQTT-3.10.4-1]
    removed unsubscribe(std::string_view filter, session::session& who);
    /// Takes out everything of a session that ends. `each(removed const&)` per filter.
    template <class F> void remove_all(session::session& who, F&& each) {
        while (!who.filters.empty()) {
            auto const id = who.filters.back().filter;
            std::string const text{this->text(id)};
            auto r = unsubscribe(text, who);
            r.filter = text;
            each(r);
        }
    }
    /// A shared group takes part under its inner filter. True when nobody had the filter before / has it now.
    bool add_group(std::string_view filter, std::uint32_t group);
    bool remove_group(std::string_view filter, std::uint32_t group);

    /// Calls f(subscriber const&) for every client and group whose filter matches; a session with overlapping filters comes
    /// more than once. No allocation, no change of the tree inside f.
    /// @param hash keyed_hash(topic)
    /// @return false when the bound on visits cut it short (counted by the caller)
    template <class F> bool match(std::string_view topic, std::uint64_t hash, F&& f) const {
        auto const list = [&](std::uint32_t id) {
            for (auto const& s : subscribers(filters_[id]))
                if (s.is != subscriber::record) f(s);
        };
        if (wild_.empty()) {
            if (auto const id = find_exact(topic, hash); id != filter_trie::none) list(id);
            return true;
        }
        if (auto const* known = matches_.find(hash, version_)) {
            for (std::uint32_t i = 0; i < known->count; ++i) list(known->filters[i]);
            return true;
        }
        few found;
        std::uint32_t count = 0;
        auto const note = [&](std::uint32_t id) {
            if (count < found.filters.size()) found.filters[count] = id;
            ++count;
            list(id);
        };
        if (auto const id = find_exact(topic, hash); id != filter_trie::none) note(id);
        if (!wild_.match(levels{topic}, note)) return false;
        found.count = count;
        if (count <= found.filters.size()) matches_.put(hash, version_) = found;
        return true;
    }
    /// The subscription of a session to a filter, or null.
    subscriber const* find(std::string_view filter, session::session const& who) const;
    /// A filter by its number (session::filter_ref); valid until the next change.
    std::string_view text(std::uint32_t filter) const { return texts_.at(filters_[filter].text, filters_[filter].size); }
    subscriber const& at(session::filter_ref r) const { return subscribers(filters_[r.filter])[r.position]; }

    std::size_t filters() const { return filters_.size() - free_.size(); }
    std::size_t subscriptions() const { return subscriptions_; }
    /// Bytes of the heap, for the figure "per subscription" (session::filters not included: 8 bytes each).
    std::size_t footprint() const;

private:
    struct filter {
        std::uint32_t text = 0;
        std::uint16_t size = 0;
        bool wild = false, used = false;
        subscriber one;
        std::unique_ptr<std::vector<subscriber>> many;  // when there is more than one: then `one` is not used
    };
    static std::span<subscriber const> subscribers(filter const& f) {
        if (f.many) return *f.many;
        return {&f.one, f.one.is == subscriber::nobody ? 0U : 1U};
    }
    static std::span<subscriber> subscribers(filter& f) {
        if (f.many) return *f.many;
        return {&f.one, f.one.is == subscriber::nobody ? 0U : 1U};
    }
    /// The filters that a topic matched, when they were few: what devices publish meets one or two.
    struct few {
        std::uint32_t count = 0;
        std::array<std::uint32_t, 5> filters{};
    };
    std::uint32_t find_exact(std::string_view topic, std::uint64_t hash) const {
        return exact_.find(static_cast<std::uint32_t>(hash), [&](std::uint32_t id) { return text(id) == topic; });
    }
    std::uint32_t find(std::string_view text) const;
    std::uint32_t find_or_make(std::string_view text, bool record);
    std::uint32_t append(filter& f, subscriber const& s);
    void take_out(std::uint32_t id, std::uint32_t position);
    void forget(std::uint32_t id);
    static bool wild(std::string_view text) { return !text.starts_with("$share/") && codec::has_wildcard(text); }

    std::deque<filter> filters_;
    std::vector<std::uint32_t> free_;
    id_table exact_;
    filter_trie wild_;
    text_arena texts_;
    std::size_t subscriptions_ = 0;
    std::uint64_t version_ = 1;                        // of the set of filters; who subscribes to them does not matter
    mutable route_memory<few, 1024> matches_;
};

}
