#pragma once
// Variable Byte Integers: seven bits a byte, lowest first, one to four bytes. [MQTT 5, 1.5.5]

#include <cstddef>
#include <cstdint>

namespace airmail::codec {

/// The largest value four bytes can say; also the largest Remaining Length.
inline constexpr std::uint32_t varint_max = 268'435'455;

/// Bytes that `value` takes on the wire, 1 to 4. `value` must not exceed varint_max. [MQTT-1.5.5-1]
constexpr std::size_t varint_size(std::uint32_t value) {
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/// Writes `value` at `out`, which has room for varint_size(value) bytes; returns one past the last. [MQTT-1.5.5-1]
constexpr std::uint8_t* put_varint(std::uint8_t* out, std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) *out++ = static_cast<std::uint8_t>(value | 0x80);
    *out++ = static_cast<std::uint8_t>(value);
    return out;
}

/// What the first bytes of a buffer say.
struct varint_step {
    enum kind : std::uint8_t { done, more, malformed } state = more;
    std::uint8_t size = 0;     // bytes used, when done
    std::uint32_t value = 0;   // when done
};

/// Reads one integer from `size` bytes at `in`. `more` when they end inside it; `malformed` when it runs past four bytes
/// or is longer than it need be. [MQTT-1.5.5-1]
constexpr varint_step get_varint(std::uint8_t const* in, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i == size) return {};
        value |= std::uint32_t{in[i] & 0x7Fu} << (7 * i);
        if (in[i] & 0x80) continue;
        if (i > 0 && in[i] == 0) return {varint_step::malformed};
        return {varint_step::done, static_cast<std::uint8_t>(i + 1), value};
    }
    return {varint_step::malformed};
}

}
