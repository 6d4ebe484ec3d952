#include "broker/codec/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace airmail::codec {
namespace {

bool continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

/// Size of the well-formed sequence of two or more bytes that begins at `p`, or 0.
std::size_t sequence(unsigned char const* p, std::size_t left) {
    unsigned char const lead = p[0];
    if (lead < 0xC2) return 0;  // continuation, or an overlong form of ASCII [MQTT-1.5.4-1]
    if (lead < 0xE0) return left >= 2 && continuation(p[1]) ? 2 : 0;
    if (lead < 0xF0) {
        if (left < 3 || !continuation(p[1]) || !continuation(p[2])) return 0;
        if (lead == 0xE0 && p[1] < 0xA0) return 0;   // overlong
        if (lead == 0xED && p[1] >= 0xA0) return 0;  // surrogates D800-DFFF [MQTT-1.5.4-1]
        return 3;
    }
    if (lead > 0xF4 || left < 4 || !continuation(p[1]) || !continuation(p[2]) || !continuation(p[3])) return 0;
    if (lead == 0xF0 && p[1] < 0x90) return 0;   // overlong
    if (lead == 0xF4 && p[1] >= 0x90) return 0;  // above U+10FFFF
    return 4;
}

}

bool valid_utf8(std::string_view s) {
    constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    auto const* p = reinterpret_cast<unsigned char const*>(s.data());
    auto const* const end = p + s.size();
    while (p != end) {
        // A byte of a plain word is 1 to 127: no high bit, and none appears when one is taken away from each.
        for (std::uint64_t word; end - p >= 8; p += 8) {
            std::memcpy(&word, p, 8);
            if ((word | (word - ones)) & high) break;
        }
        if (p == end) return true;
        if (*p == 0) return false;  // [MQTT-1.5.4-2]
        if (*p < 0x80) {
            ++p;
            continue;
        }
        auto const n = sequence(p, static_cast<std::size_t>(end - p));
        if (n == 0) return false;
        p += n;
    }
    return true;
}

bool valid_text(std::string_view s) {
    for (auto nul = s.find('\0'); nul != s.npos; nul = s.find('\0')) {
        if (!valid_utf8(s.substr(0, nul))) return false;
        s.remove_prefix(nul + 1);
    }
    return valid_utf8(s);
}

}
