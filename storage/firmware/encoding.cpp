#include "storage/firmware/encoding.hpp"

#include <array>

namespace airmail::storage::firmware {

namespace {

constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> reverse_of(std::string_view alphabet) {
    std::array<std::int8_t, 256> out{};
    for (auto& v : out) v = -1;
    for (std::size_t i = 0; i < alphabet.size(); ++i) out[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return out;
}

std::string encode(byte_view b, std::string_view alphabet, bool pad) {
    std::string out;
    out.reserve((b.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 3 <= b.size(); i += 3) {
        std::uint32_t v = std::uint32_t(b[i]) << 16 | std::uint32_t(b[i + 1]) << 8 | b[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) out += alphabet[v >> shift & 63];
    }
    std::size_t left = b.size() - i;
    if (left == 0) return out;
    std::uint32_t v = std::uint32_t(b[i]) << 16 | (left == 2 ? std::uint32_t(b[i + 1]) << 8 : 0);
    out += alphabet[v >> 18 & 63];
    out += alphabet[v >> 12 & 63];
    if (left == 2) out += alphabet[v >> 6 & 63];
    if (pad) out.append(3 - left, '=');
    return out;
}

// `s` without padding.
result<bytes> decode(std::string_view s, std::array<std::int8_t, 256> const& reverse) {
    if (s.size() % 4 == 1) return errc::bad_format;
    bytes out;
    out.reserve(s.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : s) {
        int v = reverse[static_cast<unsigned char>(c)];
        if (v < 0) return errc::bad_format;
        bits = bits << 6 | std::uint32_t(v);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<std::uint8_t>(bits >> count));
        }
    }
    if (bits & ((1u << count) - 1)) return errc::bad_format;     // idle bits: a second text for the same value
    return out;
}

constexpr auto from_standard = reverse_of(standard);
constexpr auto from_url_safe = reverse_of(url_safe);

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}

std::string to_hex(byte_view b) {
    std::string out;
    out.reserve(b.size() * 2);
    for (auto c : b) {
        out += "0123456789abcdef"[c >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

result<bytes> from_hex(std::string_view s) {
    if (s.size() % 2) return errc::bad_format;
    bytes out;
    out.reserve(s.size() / 2);
    for (std::size_t i = 0; i < s.size(); i += 2) {
        int high = digit(s[i]), low = digit(s[i + 1]);
        if (high < 0 || low < 0) return errc::bad_format;
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return out;
}

std::string to_base64(byte_view b) { return encode(b, standard, true); }
std::string to_base64url(byte_view b) { return encode(b, url_safe, false); }

result<bytes> from_base64(std::string_view s) {
    if (s.size() % 4) return errc::bad_format;
    if (s.ends_with("==")) s.remove_suffix(2);
    else if (s.ends_with('=')) s.remove_suffix(1);
    return decode(s, from_standard);
}

result<bytes> from_base64url(std::string_view s) { return decode(s, from_url_safe); }

}
