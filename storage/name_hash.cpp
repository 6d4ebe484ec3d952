#include "storage/name_hash.hpp"

#include <bit>
#include <cstring>
#include <random>

namespace airmail::storage {

namespace {

struct sip_state {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1; v1 = std::rotl(v1, 13); v1 ^= v0; v0 = std::rotl(v0, 32);
        v2 += v3; v3 = std::rotl(v3, 16); v3 ^= v2;
        v0 += v3; v3 = std::rotl(v3, 21); v3 ^= v0;
        v2 += v1; v1 = std::rotl(v1, 17); v1 ^= v2; v2 = std::rotl(v2, 32);
    }
    void word(std::uint64_t m) {
        v3 ^= m;
        round(), round();
        v0 ^= m;
    }
};

std::uint64_t siphash(std::uint64_t k0, std::uint64_t k1, std::uint32_t prefix, std::string_view s) {
    sip_state h{k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    h.word(prefix);   // the tenant, as a word of its own: a fixed-size prefix keeps names of two tenants apart
    auto left = s.size();
    auto const* at = s.data();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t m;
        std::memcpy(&m, at, 8);
        h.word(m);
    }
    std::uint64_t last = static_cast<std::uint64_t>(s.size()) << 56;
    for (std::size_t i = 0; i < left; ++i) last |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
    h.word(last);
    h.v2 ^= 0xff;
    h.round(), h.round(), h.round(), h.round();
    return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

}

name_hash::name_hash() {
    std::random_device rd;
    for (auto& k : key_) k = static_cast<std::uint64_t>(rd()) << 32 | rd();
}

topic_key name_hash::topic(std::uint32_t tenant, std::string_view name) const {
    return {siphash(key_[0], key_[1], tenant, name), siphash(key_[2], key_[3], tenant, name)};
}

std::uint64_t name_hash::filter(std::string_view name) const { return siphash(key_[0], key_[1], 0, name); }

}
