#pragma once
// What was found lately for a topic, so that a publisher's next message on it asks neither the interest table nor the tree.
// Keys are 64-bit keyed hashes, which peers cannot predict: two topics share one with probability 2^-64 a pair, as in the
// session's decisions. An answer holds while the version it was found under stands.

#include <array>
#include <cstdint>
#include <vector>

namespace airmail::router {

/// Direct-mapped: a topic pushes out another with the same low bits. Owned by: one shard. `Entry` is plain data.
template <class Entry, std::size_t Slots> class route_memory {
    static_assert((Slots & (Slots - 1)) == 0);

public:
    /// The answer for `hash` under `version`, or null.
    Entry const* find(std::uint64_t hash, std::uint64_t version) const {
        if (slots_.empty()) return nullptr;
        auto const& s = slots_[hash & (Slots - 1)];
        return s.hash == hash && s.version == version ? &s.entry : nullptr;
    }
    /// The place for an answer; `version` is the one read before looking it up, never 0.
    Entry& put(std::uint64_t hash, std::uint64_t version) {
        if (slots_.empty()) slots_.resize(Slots);
        auto& s = slots_[hash & (Slots - 1)];
        s.hash = hash, s.version = version;
        return s.entry;
    }

private:
    struct slot {
        std::uint64_t hash = 0, version = 0;
        Entry entry{};
    };
    std::vector<slot> slots_;   // made at the first answer
};

}
