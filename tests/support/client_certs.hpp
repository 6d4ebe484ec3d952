#pragma once
// Certificates made on the spot with OpenSSL's library: a CA, and leaves for servers and devices. P-256, valid for ten years
// (tests that fake the clock need the room).

#include <memory>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>

namespace airmail::test {

/// A certificate and its key as PEM text.
struct credentials {
    std::string certificate, key;
};

/// A certificate authority that lives as long as the test. Throws std::runtime_error when OpenSSL refuses.
class test_ca {
public:
    explicit test_ca(std::string const& name = "Airmail test CA") : key_(new_key()) {
        certificate_ = make(name, key_.get(), "", "critical,CA:TRUE", "critical,keyCertSign,cRLSign", "");
    }

    /// The CA's certificate, for trust stores.
    std::string pem() const { return pem_of(certificate_.get()); }

    /// A leaf. @param san  OpenSSL's notation: "IP:127.0.0.1,DNS:localhost", "URI:urn:device:1"; empty = none
    credentials issue(std::string const& common_name, std::string const& san, bool server = false) const {
        auto const key = new_key();
        auto const leaf = make(common_name, key.get(), san, "critical,CA:FALSE", "critical,digitalSignature", server ? "serverAuth" : "clientAuth");
        return {pem_of(leaf.get()), pem_of(key.get())};
    }
    credentials server(std::string const& san = "IP:127.0.0.1,DNS:localhost") const { return issue("server", san, true); }
    credentials device(std::string const& id) const { return issue(id, "DNS:" + id); }

private:
    struct free_all {
        void operator()(X509* p) const { X509_free(p); }
        void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
        void operator()(BIO* p) const { BIO_free_all(p); }
        void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
    };
    template <class T> using owned = std::unique_ptr<T, free_all>;

    static void must(bool good) {
        if (!good) throw std::runtime_error("test certificates: OpenSSL refused");
    }
    static owned<EVP_PKEY> new_key() {
        owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
        must(key != nullptr);
        return key;
    }
    static std::string text_of(BIO* b) {
        char* data = nullptr;
        auto const size = BIO_get_mem_data(b, &data);
        return {data, static_cast<std::size_t>(size)};
    }
    static std::string pem_of(X509* x) {
        owned<BIO> out{BIO_new(BIO_s_mem())};
        must(PEM_write_bio_X509(out.get(), x) == 1);
        return text_of(out.get());
    }
    static std::string pem_of(EVP_PKEY* k) {
        owned<BIO> out{BIO_new(BIO_s_mem())};
        must(PEM_write_bio_PrivateKey(out.get(), k, nullptr, nullptr, 0, nullptr, nullptr) == 1);
        return text_of(out.get());
    }
    static void extend(X509* x, X509* issuer, int nid, std::string const& value) {
        if (value.empty()) return;
        X509V3_CTX context{};
        X509V3_set_ctx(&context, issuer, x, nullptr, nullptr, 0);
        owned<X509_EXTENSION> const e{X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
        must(e && X509_add_ext(x, e.get(), -1) == 1);
    }

    owned<X509> make(std::string const& name, EVP_PKEY* key, std::string const& san, char const* basic, char const* usage, std::string const& extended) const {
        owned<X509> x{X509_new()};
        auto* const issuer = certificate_ ? certificate_.get() : x.get();
        X509_set_version(x.get(), 2);
        std::uint64_t serial = 0;
        must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(x.get()), serial >> 1);
        X509_gmtime_adj(X509_getm_notBefore(x.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(x.get()), 10L * 365 * 24 * 3600);
        X509_set_pubkey(x.get(), key);
        auto* const subject = X509_get_subject_name(x.get());
        must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(name.c_str()), -1, -1, 0) == 1);
        must(X509_set_issuer_name(x.get(), X509_get_subject_name(issuer)) == 1);
        extend(x.get(), issuer, NID_basic_constraints, basic);
        extend(x.get(), issuer, NID_key_usage, usage);
        extend(x.get(), issuer, NID_ext_key_usage, extended);
        extend(x.get(), issuer, NID_subject_alt_name, san);
        extend(x.get(), issuer, NID_subject_key_identifier, "hash");
        must(X509_sign(x.get(), key_.get(), EVP_sha256()) > 0);
        return x;
    }

    owned<EVP_PKEY> key_;
    owned<X509> certificate_;
};

}
