#include "plugins/ddi/hashes.hpp"

#include "storage/firmware/encoding.hpp"

#include <algorithm>
#include <memory>
#include <openssl/evp.h>
#include <vector>

namespace airmail::plugins::ddi {

namespace {

using running = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

running begin(EVP_MD const* what) {
    running c(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestInit_ex(c.get(), what, nullptr);
    return c;
}

std::string end(running const& c) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(c.get(), out, &size);
    return storage::firmware::to_hex({out, size});
}

}

std::optional<image_hashes> hash_image(storage::firmware::image_reader& in, std::uint64_t bytes) {
    if (bytes > in.size()) return std::nullopt;
    auto sha1 = begin(EVP_sha1()), md5 = begin(EVP_md5()), sha256 = begin(EVP_sha256());
    std::vector<std::uint8_t> buffer(1 << 16);
    for (std::uint64_t at = 0; at < bytes;) {
        auto const piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), bytes - at));
        if (!in.read(at, piece)) return std::nullopt;
        EVP_DigestUpdate(sha1.get(), piece.data(), piece.size());
        EVP_DigestUpdate(md5.get(), piece.data(), piece.size());
        EVP_DigestUpdate(sha256.get(), piece.data(), piece.size());
        at += piece.size();
    }
    return image_hashes{end(sha1), end(md5), end(sha256)};
}

}
