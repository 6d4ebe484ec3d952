#pragma once
// The two shapes in which bytes travel through the codec: a borrowed view in, a growing buffer out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace airmail {

/// Borrowed bytes. Valid as long as the buffer they point into; never stored beyond the call that got them.
using byte_view = std::span<std::uint8_t const>;
/// Owned bytes, in network order, as they go onto the wire or the disk.
using bytes = std::vector<std::uint8_t>;

/// The same bytes seen as text; no check, no copy.
inline std::string_view as_text(byte_view b) { return {reinterpret_cast<char const*>(b.data()), b.size()}; }
/// The same text seen as bytes; no copy.
inline byte_view as_bytes(std::string_view s) { return {reinterpret_cast<std::uint8_t const*>(s.data()), s.size()}; }

}
