#pragma once
// Hex, base64 and base64url, strict on the way in: one text for one value, so that no byte of a signed thing is idle.

#include "storage/firmware/errc.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::storage::firmware {

using bytes = std::vector<std::uint8_t>;
using byte_view = std::span<std::uint8_t const>;

inline byte_view as_bytes(std::string_view s) { return {reinterpret_cast<std::uint8_t const*>(s.data()), s.size()}; }
inline std::string_view as_text(byte_view b) { return {reinterpret_cast<char const*>(b.data()), b.size()}; }

/// Lower-case hex.
std::string to_hex(byte_view b);
/// Lower-case hex only. errc::bad_format.
result<bytes> from_hex(std::string_view s);

/// RFC 4648 section 4, with padding.
std::string to_base64(byte_view b);
/// Padding required, unused bits zero, nothing else in between. errc::bad_format.
result<bytes> from_base64(std::string_view s);

/// RFC 4648 section 5, without padding.
std::string to_base64url(byte_view b);
/// No padding, unused bits zero. errc::bad_format.
result<bytes> from_base64url(std::string_view s);

}
