#pragma once
// The one hash table of this room: open addressing, 8 bytes a slot, from a 32-bit hash to a 32-bit id. What an id stands for,
// and whether it is really the one sought, is the caller's to say: hashes collide, texts decide.

#include <cstdint>
#include <vector>

namespace airmail::router {

/// Linear probing, at most 70 % full, deletion by shifting back (no tombstones). Owned by: whoever owns the ids.
class id_table {
public:
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    /// The id with this hash for which `is(id)` holds, or none. No allocation.
    template <class Is> std::uint32_t find(std::uint32_t hash, Is&& is) const {
        if (slots_.empty()) return none;
        for (auto i = hash & mask_;; i = (i + 1) & mask_) {
            auto const& s = slots_[i];
            if (s.id == none) return none;
            if (s.hash == hash && is(s.id)) return s.id;
        }
    }
    /// The id must not be there yet.
    void insert(std::uint32_t hash, std::uint32_t id) {
        if ((count_ + 1) * 10 > slots_.size() * 7) grow();
        put(hash, id);
        ++count_;
    }
    /// The id must be there under this hash.
    void erase(std::uint32_t hash, std::uint32_t id) {
        auto i = hash & mask_;
        while (slots_[i].id != id) i = (i + 1) & mask_;
        for (auto j = (i + 1) & mask_; slots_[j].id != none; j = (j + 1) & mask_) {
            // Whoever probed past the hole on its way from home moves into it.
            if (((j - (slots_[j].hash & mask_)) & mask_) >= ((j - i) & mask_)) slots_[i] = slots_[j], i = j;
        }
        slots_[i] = {};
        --count_;
    }
    std::uint32_t size() const { return count_; }
    std::size_t footprint() const { return slots_.capacity() * sizeof(slot); }

private:
    struct slot {
        std::uint32_t hash = 0, id = none;
    };
    void put(std::uint32_t hash, std::uint32_t id) {
        auto i = hash & mask_;
        while (slots_[i].id != none) i = (i + 1) & mask_;
        slots_[i] = {hash, id};
    }
    void grow() {
        std::vector<slot> old(slots_.empty() ? 16 : slots_.size() * 2);
        old.swap(slots_);
        mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
        for (auto const& s : old)
            if (s.id != none) put(s.hash, s.id);
    }
    std::vector<slot> slots_;
    std::uint32_t mask_ = 0, count_ = 0;
};

}
