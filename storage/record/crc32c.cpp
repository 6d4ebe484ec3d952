#include "storage/record/crc32c.hpp"

#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace airmail::storage::record {

namespace {

constexpr std::uint32_t polynomial = 0x82f63b78u;   // 0x1EDC6F41 with its bits reversed

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = (c & 1) ? (c >> 1) ^ polynomial : c >> 1;
        t[i] = c;
    }
    return t;
}

constexpr auto table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc, void const* data, std::size_t bytes) {
    auto const* at = static_cast<unsigned char const*>(data);
    std::uint64_t c = ~crc;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        c = _mm_crc32_u64(c, word);
    }
    auto narrow = static_cast<std::uint32_t>(c);
    for (; bytes != 0; --bytes, ++at) narrow = _mm_crc32_u8(narrow, *at);
    return ~narrow;
}
#endif

using function = std::uint32_t (*)(std::uint32_t, void const*, std::size_t);

function choose() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return by_instruction;
#endif
    return crc32c_by_table;
}

}

std::uint32_t crc32c_by_table(std::uint32_t crc, void const* data, std::size_t bytes) {
    auto const* at = static_cast<unsigned char const*>(data);
    crc = ~crc;
    for (; bytes != 0; --bytes, ++at) crc = table[(crc ^ *at) & 0xff] ^ (crc >> 8);
    return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, void const* data, std::size_t bytes) {
    static function const chosen = choose();
    return chosen(crc, data, bytes);
}

}
