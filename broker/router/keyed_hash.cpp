#include "broker/router/keyed_hash.hpp"

#include <bit>
#include <cstring>
#include <random>

namespace airmail::router {
namespace {

struct key_pair {
    std::uint64_t a, b;
};

key_pair draw() {
    std::random_device d;
    auto word = [&d] { return std::uint64_t{d()} << 32 | d(); };
    return {word(), word()};
}

key_pair const& key() {
    static key_pair const k = draw();
    return k;
}

struct state {
    std::uint64_t v0, v1, v2, v3;
    void round() {
        v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
        v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
    }
    void absorb(std::uint64_t word) {
        v3 ^= word;
        round();
        v0 ^= word;
    }
};

}

std::uint64_t keyed_hash(std::string_view text) {
    auto const k = key();
    state s{k.a ^ 0x736f6d6570736575ULL, k.b ^ 0x646f72616e646f6dULL, k.a ^ 0x6c7967656e657261ULL, k.b ^ 0x7465646279746573ULL};
    auto const* p = text.data();
    auto left = text.size();
    for (; left >= 8; p += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, p, 8);
        s.absorb(word);
    }
    std::uint64_t last = std::uint64_t{text.size()} << 56;
    if (left) std::memcpy(&last, p, left);  // little endian: the length stays in the top byte
    s.absorb(last);
    s.v2 ^= 0xFF;
    s.round(), s.round(), s.round();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}
