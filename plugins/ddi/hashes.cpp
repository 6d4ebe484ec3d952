#include "plugins/ddi/hashes.hpp"

#include "storage/firmware/encoding.hpp"

#include <fstream>
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

std::optional<both_hashes> hash_both(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return std::nullopt;
    auto sha1 = begin(EVP_sha1()), md5 = begin(EVP_md5());
    std::vector<char> piece(1 << 16);
    while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
        EVP_DigestUpdate(sha1.get(), piece.data(), static_cast<std::size_t>(in.gcount()));
        EVP_DigestUpdate(md5.get(), piece.data(), static_cast<std::size_t>(in.gcount()));
    }
    if (in.bad()) return std::nullopt;
    return both_hashes{end(sha1), end(md5)};
}

}
