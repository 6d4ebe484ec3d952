#pragma once
// SHA-256, and bytes as hex; inside of this folder only.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace airmail::acl {

/// Lower-case hex.
std::string to_hex(std::span<std::uint8_t const> bytes);
/// Never fails: OpenSSL's one-shot SHA-256.
std::array<std::uint8_t, 32> sha256(std::string_view text);
/// Equal, in time that depends on the sizes only.
bool same_bytes(std::string_view a, std::string_view b);

}
