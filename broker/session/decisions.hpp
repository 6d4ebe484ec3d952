#pragma once
// What the rules said lately about one session: eight answers in one cache line. Keys are 64-bit keyed hashes of topics, which
// peers cannot predict, so two topics share a key with probability 2^-63. A new engine has a new generation: all is forgotten.

#include <array>
#include <cstdint>
#include <optional>

namespace airmail::session {

/// Owned by: the session, made at its first question.
class decision_cache {
public:
    std::optional<bool> find(std::uint32_t generation, std::uint64_t key) const {
        auto const slot = slots_[index(key)];
        if (generation != generation_ || (slot & ~std::uint64_t{1}) != tag(key)) return std::nullopt;
        return (slot & 1) != 0;
    }
    void store(std::uint32_t generation, std::uint64_t key, bool allowed) {
        if (generation != generation_) slots_.fill(0), generation_ = generation;
        slots_[index(key)] = tag(key) | (allowed ? 1 : 0);
    }

private:
    static std::size_t index(std::uint64_t key) { return static_cast<std::size_t>(key >> 61); }
    static std::uint64_t tag(std::uint64_t key) { return (key & ~std::uint64_t{1}) | 2; }  // never 0, which means empty
    std::uint32_t generation_ = 0;
    std::array<std::uint64_t, 8> slots_{};
};

}
