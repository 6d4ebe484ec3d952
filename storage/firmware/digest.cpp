#include "storage/firmware/digest.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <openssl/evp.h>
#include <unistd.h>

namespace airmail::storage::firmware {

struct sha256::impl {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    impl() {
        if (!context) throw std::bad_alloc();
    }
    ~impl() { EVP_MD_CTX_free(context); }
};

// EVP_sha256 with a fresh context fails for lack of memory only.
sha256::sha256() : impl_(std::make_unique<impl>()) {
    if (EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}
sha256::~sha256() = default;
sha256::sha256(sha256 const& o) : impl_(std::make_unique<impl>()) {
    if (EVP_MD_CTX_copy_ex(impl_->context, o.impl_->context) != 1) throw std::bad_alloc();
}
sha256& sha256::operator=(sha256 const& o) {
    if (this != &o) *this = sha256(o);
    return *this;
}
sha256::sha256(sha256&&) noexcept = default;
sha256& sha256::operator=(sha256&&) noexcept = default;

void sha256::update(byte_view b) { EVP_DigestUpdate(impl_->context, b.data(), b.size()); }

digest256 sha256::finish() const {
    sha256 copy(*this);
    digest256 out{};
    EVP_DigestFinal_ex(copy.impl_->context, out.data(), nullptr);
    return out;
}

digest256 sha256_of(byte_view b) {
    sha256 h;
    h.update(b);
    return h.finish();
}

result<digest256> parse_digest(std::string_view s) {
    if (s.starts_with("sha256:")) s.remove_prefix(7);
    auto raw = from_hex(s);
    if (!raw || raw->size() != 32) return errc::bad_format;
    digest256 out;
    std::copy(raw->begin(), raw->end(), out.begin());
    return out;
}

std::string checksum_text(digest256 const& d) { return "sha256:" + to_hex(d); }

result<digest256> hash_file(std::string const& path, std::uint64_t limit) {
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? errc::not_found : errc::io;
    sha256 h;
    bytes buffer(256 * 1024);
    bool whole = limit == UINT64_MAX;
    ssize_t n = 0;
    while (limit > 0 && (n = ::read(fd, buffer.data(), std::min<std::uint64_t>(buffer.size(), limit))) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        h.update({buffer.data(), std::size_t(n)});
        if (!whole) limit -= std::uint64_t(n);
    }
    ::close(fd);
    if (n < 0) return errc::io;
    if (!whole && limit > 0) return errc::mismatch;
    return h.finish();
}

}
