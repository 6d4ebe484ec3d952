#pragma once
// Names as numbers, in RAM only: SipHash-2-4 (Aumasson and Bernstein, 2012) under a random key of this process, so that
// nobody outside can choose topics that collide. Topics take 128 bits (two keys): two retained topics never share an entry.

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace airmail::storage {

struct topic_key {
    std::uint64_t a = 0, b = 0;
    bool operator==(topic_key const&) const = default;
};

struct topic_key_hash {
    using is_avalanching = void;   // already uniform
    std::size_t operator()(topic_key const& k) const { return k.a; }
};

/// Hashes with a key drawn once per object. Immutable after construction: any thread.
class name_hash {
public:
    name_hash();
    topic_key topic(std::uint32_t tenant, std::string_view name) const;
    /// Of a filter within one session.
    std::uint64_t filter(std::string_view name) const;

private:
    std::array<std::uint64_t, 4> key_;
};

}
