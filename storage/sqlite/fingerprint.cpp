#include "storage/sqlite/fingerprint.hpp"

#include <openssl/evp.h>
#include <stdexcept>

namespace airmail::storage::sqlite {

std::string sha256_hex(std::string_view text) {
    unsigned char out[32];
    if (EVP_Digest(text.data(), text.size(), out, nullptr, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL has no SHA-256");
    std::string hex;
    hex.reserve(64);
    for (unsigned char c : out) {
        hex += "0123456789abcdef"[c >> 4];
        hex += "0123456789abcdef"[c & 15];
    }
    return hex;
}

}
