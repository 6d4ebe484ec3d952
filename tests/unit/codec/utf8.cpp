#include "broker/codec/utf8.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using airmail::codec::valid_utf8;

namespace {

/// UTF-8 of one code point, by the book.
std::string encoded(std::uint32_t c) {
    if (c < 0x80) return {char(c)};
    if (c < 0x800) return {char(0xC0 | c >> 6), char(0x80 | (c & 63))};
    if (c < 0x10000) return {char(0xE0 | c >> 12), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))};
    return {char(0xF0 | c >> 18), char(0x80 | (c >> 12 & 63)), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))};
}

}

TEST_CASE("every code point is accepted but U+0000 and the surrogates [MQTT-1.5.4-1] [MQTT-1.5.4-2]") {
    bool right = true;
    for (std::uint32_t c = 0; c < 0x120000; c += c < 0x3000 || (c > 0xD700 && c < 0xE100) || c > 0x10FF00 ? 1 : 37) {
        bool const good = c != 0 && !(c >= 0xD800 && c <= 0xDFFF) && c <= 0x10FFFF;
        right = right && valid_utf8(encoded(c)) == good;
    }
    CHECK(right);
}

TEST_CASE("overlong, cut and stray bytes are refused wherever they stand [MQTT-1.5.4-1]") {
    using namespace std::string_literals;
    for (auto const& bad : {"\xC0\x80"s, "\xC1\xBF"s, "\xE0\x80\x80"s, "\xE0\x9F\xBF"s, "\xF0\x80\x80\x80"s, "\xF0\x8F\xBF\xBF"s, "\xF5\x80\x80\x80"s,
                            "\x80"s, "\xBF"s, "\xC3"s, "\xE2\x82"s, "\xF0\x9F\x98"s, "\xFF"s, "\xC3\x28"s, "\0"s}) {
        for (std::size_t before = 0; before < 18; ++before)
            for (std::size_t after : {0, 1, 7, 8, 9})
                CHECK_FALSE(valid_utf8(std::string(before, 'a') + bad + std::string(after, 'b')));
    }
}

TEST_CASE("long text, mixed text, a byte order mark and control characters are text [MQTT-1.5.4-3]") {
    CHECK(valid_utf8(""));
    CHECK(valid_utf8(std::string(70000, 'x')));
    CHECK(valid_utf8("devices/\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80/status and then more"));
    CHECK(valid_utf8("\xEF\xBB\xBFtopic"));
    CHECK(valid_utf8("\x01\x7F"));
}
