#include "storage/firmware/sealed_image.hpp"

#include "storage/firmware/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::firmware {

namespace {

constexpr std::string_view magic = "AIRMAILX", key_purpose = "airmail firmware 1", id_purpose = "airmail firmware key id\n";
constexpr std::size_t key_id_at = 16, salt_at = 24, salt_bytes = 32, stored_chunk = sealed_chunk_bytes + sealed_tag_bytes;

using header = std::array<std::uint8_t, sealed_header_bytes>;
using secret_key = std::array<std::uint8_t, 32>;
struct cipher_free { void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); } };
using cipher = std::unique_ptr<EVP_CIPHER_CTX, cipher_free>;

header make_header(image_key const& k, byte_view salt) {
    header h{};
    std::copy(magic.begin(), magic.end(), h.begin());
    h[8] = 1;
    for (int i = 0; i < 4; ++i) h[12 + i] = static_cast<std::uint8_t>(sealed_chunk_bytes >> (24 - 8 * i));
    std::copy(k.id.begin(), k.id.end(), h.begin() + key_id_at);
    std::copy(salt.begin(), salt.end(), h.begin() + salt_at);
    return h;
}

bool derive(image_key const& k, header const& h, secret_key& out) {
    std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> c(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr), EVP_PKEY_CTX_free);
    std::size_t n = out.size();
    return c && EVP_PKEY_derive_init(c.get()) > 0 && EVP_PKEY_CTX_set_hkdf_md(c.get(), EVP_sha256()) > 0 &&
           EVP_PKEY_CTX_set1_hkdf_salt(c.get(), h.data() + salt_at, salt_bytes) > 0 && EVP_PKEY_CTX_set1_hkdf_key(c.get(), k.secret.data(), int(k.secret.size())) > 0 &&
           EVP_PKEY_CTX_add1_hkdf_info(c.get(), as_bytes(key_purpose).data(), int(key_purpose.size())) > 0 && EVP_PKEY_derive(c.get(), out.data(), &n) > 0 && n == out.size();
}

std::array<std::uint8_t, 12> nonce_of(std::uint64_t index, bool last) {
    std::array<std::uint8_t, 12> n{};
    for (int i = 0; i < 4; ++i) n[7 + i] = static_cast<std::uint8_t>(index >> (24 - 8 * i));
    n[11] = last;
    return n;
}

/// One chunk, either way. Sealing: `out` has room for the tag after the text. Opening: the tag stands after `in`.
bool chunk(EVP_CIPHER_CTX* c, bool seal, secret_key const& key, header const& h, std::uint64_t index, bool last, byte_view in, std::uint8_t* out) {
    auto const nonce = nonce_of(index, last);
    int n = 0;
    if (EVP_CipherInit_ex(c, EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(), seal) <= 0) return false;
    if (EVP_CipherUpdate(c, nullptr, &n, h.data(), int(h.size())) <= 0) return false;
    if (!in.empty() && EVP_CipherUpdate(c, out, &n, in.data(), int(in.size())) <= 0) return false;
    if (!seal && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, int(sealed_tag_bytes), const_cast<std::uint8_t*>(in.data() + in.size())) <= 0) return false;
    if (EVP_CipherFinal_ex(c, out + in.size(), &n) <= 0) return false;
    return !seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, int(sealed_tag_bytes), out + in.size()) > 0;
}

bool read_all(int fd, std::uint8_t* to, std::size_t size, std::uint64_t at) {
    while (size > 0) {
        auto const n = ::pread(fd, to, size, static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        to += n, size -= static_cast<std::size_t>(n), at += static_cast<std::uint64_t>(n);
    }
    return true;
}

}

result<image_keys> image_keys::load(std::vector<std::string> const& files, std::string& which) {
    image_keys out;
    for (auto const& file : files) {
        which = file;
        auto path = file;
        constexpr std::string_view credential = "credential:";
        if (path.starts_with(credential)) {
            auto const* folder = std::getenv("CREDENTIALS_DIRECTORY");
            if (!folder) return errc::not_found;
            path = std::string(folder) + "/" + path.substr(credential.size());
        }
        auto text = read_small_file(path, secrecy::owner_only, 4096);
        if (!text) return text.error();
        while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
        auto const raw = from_hex(*text);
        image_key k;
        if (!raw || raw->size() != k.secret.size()) return errc::bad_key;
        std::copy(raw->begin(), raw->end(), k.secret.begin());
        sha256 id;
        id.update(id_purpose), id.update(byte_view(k.secret));
        auto const sum = id.finish();
        std::copy_n(sum.begin(), k.id.size(), k.id.begin());
        OPENSSL_cleanse(text->data(), text->size());
        if (!out.find(k.id)) out.keys_.push_back(k);
    }
    return out;
}

image_key const* image_keys::find(std::span<std::uint8_t const> id) const {
    auto const at = std::find_if(keys_.begin(), keys_.end(), [&](image_key const& k) { return std::equal(id.begin(), id.end(), k.id.begin(), k.id.end()); });
    return at == keys_.end() ? nullptr : &*at;
}

result<std::uint64_t> opened_size(std::uint64_t sealed_bytes) {
    if (sealed_bytes <= sealed_header_bytes + sealed_tag_bytes) return errc::bad_format;
    auto const body = sealed_bytes - sealed_header_bytes, whole = body / stored_chunk, rest = body % stored_chunk;
    if (rest > 0 && rest <= sealed_tag_bytes) return errc::bad_format;
    return whole * sealed_chunk_bytes + (rest > 0 ? rest - sealed_tag_bytes : 0);
}

struct image_sealer::impl {
    header head{};
    secret_key key{};
    cipher c{EVP_CIPHER_CTX_new()};
    bytes waiting;                             // at most a chunk: the last one is only known at the end
    std::uint64_t index = 0;
    bool begun = false;

    ~impl() { OPENSSL_cleanse(key.data(), key.size()); }
    result<void> put(byte_view plain, bool last, bytes& out) {
        if (!begun) out.insert(out.end(), head.begin(), head.end()), begun = true;
        if (index > UINT32_MAX) return errc::too_large;
        auto const at = out.size();
        out.resize(at + plain.size() + sealed_tag_bytes);
        if (!chunk(c.get(), true, key, head, index++, last, plain, out.data() + at)) return errc::io;
        return {};
    }
};

image_sealer::image_sealer(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
image_sealer::~image_sealer() = default;
image_sealer::image_sealer(image_sealer&&) noexcept = default;
image_sealer& image_sealer::operator=(image_sealer&&) noexcept = default;

result<image_sealer> image_sealer::begin(image_key const& k) {
    auto i = std::make_unique<impl>();
    std::array<std::uint8_t, salt_bytes> salt{};
    if (!i->c || RAND_bytes(salt.data(), int(salt.size())) != 1) return errc::io;
    i->head = make_header(k, salt);
    if (!derive(k, i->head, i->key)) return errc::io;
    return image_sealer(std::move(i));
}

result<void> image_sealer::write(byte_view plain, bytes& out) {
    auto& w = impl_->waiting;
    while (!plain.empty()) {
        if (w.size() == sealed_chunk_bytes) {  // more follows: it is not the last
            if (auto done = impl_->put(w, false, out); !done) return done;
            w.clear();
        }
        auto const n = std::min(plain.size(), sealed_chunk_bytes - w.size());
        w.insert(w.end(), plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(n));
        plain = plain.subspan(n);
    }
    return {};
}

result<void> image_sealer::finish(bytes& out) { return impl_->put(impl_->waiting, true, out); }

struct image_reader::impl {
    int fd = -1;
    bool sealed = false;
    std::uint64_t size = 0, chunks = 0;
    header head{};
    secret_key key{};
    cipher c;
    bytes stored, plain;                       // the latest chunk, as on disk and opened
    std::uint64_t index = UINT64_MAX;

    ~impl() {
        if (fd >= 0) ::close(fd);
        OPENSSL_cleanse(key.data(), key.size());
    }
    result<void> take(std::uint64_t i) {
        if (i == index) return {};
        auto const length = i + 1 < chunks ? sealed_chunk_bytes : static_cast<std::size_t>(size - i * sealed_chunk_bytes);
        stored.resize(length + sealed_tag_bytes), plain.resize(length + sealed_tag_bytes);
        index = UINT64_MAX;
        if (!read_all(fd, stored.data(), stored.size(), sealed_header_bytes + i * stored_chunk)) return errc::io;
        if (!chunk(c.get(), false, key, head, i, i + 1 == chunks, byte_view(stored).first(length), plain.data())) return errc::mismatch;
        index = i;
        return {};
    }
};

image_reader::image_reader(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
image_reader::~image_reader() = default;
image_reader::image_reader(image_reader&&) noexcept = default;
image_reader& image_reader::operator=(image_reader&&) noexcept = default;
std::uint64_t image_reader::size() const { return impl_->size; }

result<image_reader> image_reader::open(std::string const& path, bool sealed, image_keys const& keys) {
    auto i = std::make_unique<impl>();
    // A plain file may be a person's own, behind a link; sealed ones are ours.
    i->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (sealed ? O_NOFOLLOW : 0));
    struct stat st {};
    if (i->fd < 0) return errno == ENOENT ? errc::not_found : errc::io;
    if (::fstat(i->fd, &st) != 0 || !S_ISREG(st.st_mode)) return errc::io;
    i->size = static_cast<std::uint64_t>(st.st_size);
    if (!sealed) return image_reader(std::move(i));
    i->sealed = true;
    auto const size = opened_size(i->size);
    if (!size || !read_all(i->fd, i->head.data(), i->head.size(), 0)) return errc::mismatch;
    auto const* k = keys.find(std::span(i->head).subspan(key_id_at, 8));
    if (!k) return errc::unknown_key;
    if (i->head != make_header(*k, std::span(i->head).subspan(salt_at, salt_bytes))) return errc::mismatch;
    i->size = *size, i->chunks = (*size + sealed_chunk_bytes - 1) / sealed_chunk_bytes;
    i->c.reset(EVP_CIPHER_CTX_new());
    if (!i->c || !derive(*k, i->head, i->key)) return errc::io;
    // The end first: of a file that was cut, not even the beginning is given out.
    if (auto last = i->take(i->chunks - 1); !last) return last.error();
    return image_reader(std::move(i));
}

result<void> image_reader::read(std::uint64_t at, std::span<std::uint8_t> out) {
    auto& i = *impl_;
    if (at > i.size || out.size() > i.size - at) return errc::io;
    if (!i.sealed) {
        if (!read_all(i.fd, out.data(), out.size(), at)) return errc::io;
        return {};
    }
    while (!out.empty()) {
        auto const index = at / sealed_chunk_bytes;
        if (auto done = i.take(index); !done) return done;
        auto const from = static_cast<std::size_t>(at % sealed_chunk_bytes), n = std::min(out.size(), i.plain.size() - sealed_tag_bytes - from);
        std::memcpy(out.data(), i.plain.data() + from, n);
        out = out.subspan(n), at += n;
    }
    return {};
}

result<digest256> hash_image(image_reader& in, std::uint64_t limit) {
    if (limit != UINT64_MAX && in.size() < limit) return errc::mismatch;
    sha256 h;
    bytes buffer(sealed_chunk_bytes);
    auto const end = std::min(limit, in.size());
    for (std::uint64_t at = 0; at < end;) {
        auto const piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), end - at));
        if (auto got = in.read(at, piece); !got) return got.error();
        h.update(piece), at += piece.size();
    }
    return h.finish();
}

result<std::string> key_of_sealed(std::string const& path) {
    int const fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? errc::not_found : errc::io;
    header h{};
    bool const read = read_all(fd, h.data(), h.size(), 0);
    ::close(fd);
    if (!read || !std::equal(magic.begin(), magic.end(), h.begin())) return errc::bad_format;
    return to_hex(std::span(h).subspan(key_id_at, 8));
}

}
