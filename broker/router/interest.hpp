#pragma once
// Who else cares: filter -> set of shards, for the whole broker. The publisher's shard asks it once per message; each shard
// of the answer then matches its own tree. The one place where a packet's walk meets a lock (DECISIONS, Shards): exact filters
// are in 256 stripes, wildcard filters in two copies of a trie, of which readers always find one at rest.
//
// Exact filters are kept as their 64-bit keyed hash: two filters sharing one would only make a shard look in vain.

#include "broker/router/filter_trie.hpp"

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

namespace airmail::router {

/// A set of shards, bit n = shard n.
using shard_set = std::uint64_t;

/// Any shard's thread may call any member.
class interest {
public:
    interest();
    /// Shard `shard` has its first subscriber of `filter` (valid, no `$share`), or lost its last one.
    void add(std::string_view filter, unsigned shard);
    void remove(std::string_view filter, unsigned shard);
    /// Shards with a subscription that may match.
    /// @param hash keyed_hash(topic)   @param asking the caller's shard: its own reader slot
    shard_set lookup(std::string_view topic, std::uint64_t hash, unsigned asking) const;
    /// Grows with every change, after the change can be seen: an answer looked up under a version holds while that stands.
    std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
    std::size_t exact_filters() const;

private:
    /// hash -> set, open addressing, 16 bytes a slot; hash 0 is empty (and mapped to 1).
    class stripe {
    public:
        shard_set find(std::uint64_t hash) const;
        void change(std::uint64_t hash, shard_set set, bool on);
        std::size_t size() const { return count_; }
        mutable std::mutex lock;

    private:
        struct slot {
            std::uint64_t hash = 0;
            shard_set set = 0;
        };
        std::size_t home(std::uint64_t hash) const { return static_cast<std::size_t>(hash >> 8) & (slots_.size() - 1); }
        std::size_t seek(std::uint64_t hash) const;
        void erase(std::size_t i);
        std::vector<slot> slots_;
        std::size_t count_ = 0;
    };
    struct wild_side {
        filter_trie filters;
        std::vector<shard_set> sets;
        std::vector<std::uint32_t> free;
        void change(std::string_view filter, shard_set set, bool on);
    };
    struct alignas(64) reader {
        std::array<std::atomic<std::uint32_t>, 2> inside{};
    };
    void change(std::string_view filter, unsigned shard, bool on);
    void change_wild(std::string_view filter, shard_set set, bool on);

    std::array<stripe, 256> exact_;
    std::array<wild_side, 2> wild_;
    std::atomic<std::uint32_t> resting_{0};        // the side that nobody changes
    std::atomic<std::uint32_t> wild_count_{0};
    std::atomic<std::uint64_t> version_{1};
    mutable std::array<reader, 64> readers_;
    std::mutex writer_;
};

}
