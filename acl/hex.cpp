#include "acl/hex.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace airmail::acl {

std::string to_hex(std::span<std::uint8_t const> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (auto const b : bytes) out += digits[b >> 4], out += digits[b & 15];
    return out;
}

std::array<std::uint8_t, 32> sha256(std::string_view text) {
    std::array<std::uint8_t, 32> out{};
    SHA256(reinterpret_cast<unsigned char const*>(text.data()), text.size(), out.data());
    return out;
}

bool same_bytes(std::string_view a, std::string_view b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}
