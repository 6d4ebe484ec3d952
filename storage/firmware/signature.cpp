#include "storage/firmware/signature.hpp"

#include "storage/firmware/files.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace airmail::storage::firmware {

namespace {

using key_ptr = std::shared_ptr<evp_pkey_st>;
using bio_ptr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using digest_ptr = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

key_ptr own(EVP_PKEY* k) { return key_ptr(k, EVP_PKEY_free); }
bio_ptr reader(std::string_view s) { return {BIO_new_mem_buf(s.data(), int(s.size())), BIO_free}; }

std::string text_of(BIO* b) {
    char* data = nullptr;
    long n = BIO_get_mem_data(b, &data);
    return {data, std::size_t(n)};
}

// An encrypted key is refused: a daemon has nobody to ask for its password.
int no_password(char*, int, int, void*) { return -1; }

std::optional<algorithm> kind_of(EVP_PKEY* k) {
    if (EVP_PKEY_get_base_id(k) == EVP_PKEY_ED25519) return algorithm::ed25519;
    char group[32] = {};
    if (EVP_PKEY_get_base_id(k) == EVP_PKEY_EC && EVP_PKEY_get_group_name(k, group, sizeof group, nullptr) == 1 &&
        std::string_view(group) == "prime256v1")
        return algorithm::ecdsa_p256_sha256;
    return std::nullopt;
}

EVP_MD const* hash_for(algorithm a) { return a == algorithm::ed25519 ? nullptr : EVP_sha256(); }

bytes spki(EVP_PKEY* k) {
    unsigned char* out = nullptr;
    int n = i2d_PUBKEY(k, &out);
    bytes der(out, out + (n > 0 ? n : 0));
    OPENSSL_free(out);
    return der;
}

}

std::string_view name_of(algorithm a) { return a == algorithm::ed25519 ? "ed25519" : "ecdsa-p256-sha256"; }

std::optional<algorithm> algorithm_named(std::string_view s) {
    for (auto a : {algorithm::ed25519, algorithm::ecdsa_p256_sha256})
        if (s == name_of(a)) return a;
    return std::nullopt;
}

result<public_key> public_key::wrap(key_ptr k) {
    ERR_clear_error();
    if (!k) return errc::bad_key;
    auto kind = kind_of(k.get());
    if (!kind) return errc::bad_key;
    public_key p;
    p.alg_ = *kind;
    auto der = spki(k.get());
    if (der.empty()) return errc::bad_key;
    p.kid_ = to_hex(sha256_of(der)).substr(0, 16);
    p.key_ = std::move(k);
    return p;
}

result<public_key> public_key::from_pem(std::string_view pem) {
    auto in = reader(pem);
    return wrap(own(in ? PEM_read_bio_PUBKEY(in.get(), nullptr, no_password, nullptr) : nullptr));
}

result<public_key> public_key::from_der(byte_view der) {
    auto const* at = der.data();
    auto k = own(d2i_PUBKEY(nullptr, &at, long(der.size())));
    if (k && at != der.data() + der.size()) return errc::bad_key;      // something behind it
    return wrap(std::move(k));
}

result<public_key> public_key::load(std::string const& path) {
    auto text = read_small_file(path, secrecy::anyone, 64 * 1024);
    if (!text) return text.error();
    return from_pem(*text);
}

std::string public_key::pem() const {
    bio_ptr out(BIO_new(BIO_s_mem()), BIO_free);
    if (!out || PEM_write_bio_PUBKEY(out.get(), key_.get()) != 1) return {};
    return text_of(out.get());
}

bytes public_key::der() const { return spki(key_.get()); }

bool public_key::verify(byte_view message, byte_view signature) const {
    if (!key_) return false;
    digest_ptr c(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    bool good = c && EVP_DigestVerifyInit(c.get(), nullptr, hash_for(alg_), nullptr, key_.get()) == 1 &&
                EVP_DigestVerify(c.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
    ERR_clear_error();
    return good;
}

result<private_key> private_key::wrap(key_ptr k) {
    auto p = public_key::wrap(k);
    if (!p) return p.error();
    private_key out;
    out.key_ = std::move(k);
    out.public_ = std::move(*p);
    return out;
}

result<private_key> private_key::generate(algorithm a) {
    return wrap(own(a == algorithm::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519") : EVP_EC_gen("P-256")));
}

result<private_key> private_key::from_pem(std::string_view pem) {
    auto in = reader(pem);
    return wrap(own(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr) : nullptr));
}

result<private_key> private_key::load(std::string const& path) {
    auto text = read_small_file(path, secrecy::owner_only, 64 * 1024);
    if (!text) return text.error();
    auto key = from_pem(*text);
    OPENSSL_cleanse(text->data(), text->size());
    return key;
}

std::string private_key::pem() const {
    bio_ptr out(BIO_new(BIO_s_secmem()), BIO_free);
    if (!out || PEM_write_bio_PKCS8PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) return {};
    return text_of(out.get());
}

result<void> private_key::save_new(std::string const& path) const {
    auto text = pem();
    if (text.empty()) return errc::bad_key;
    auto done = write_new_file(path, text, 0600);
    OPENSSL_cleanse(text.data(), text.size());
    return done;
}

result<bytes> private_key::sign(byte_view message) const {
    digest_ptr c(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (!key_ || !c || EVP_DigestSignInit(c.get(), nullptr, hash_for(alg()), nullptr, key_.get()) != 1) return errc::bad_key;
    std::size_t n = 0;
    if (EVP_DigestSign(c.get(), nullptr, &n, message.data(), message.size()) != 1) return errc::bad_key;
    bytes out(n);
    if (EVP_DigestSign(c.get(), out.data(), &n, message.data(), message.size()) != 1) return errc::bad_key;
    out.resize(n);
    return out;
}

}
