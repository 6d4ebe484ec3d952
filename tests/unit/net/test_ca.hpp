#pragma once
// A small certificate authority in memory for the tests of net: P-256 keys, PEM files in a directory of their own.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>
#include <sys/stat.h>

namespace airmail::test {

struct x509_free {
    void operator()(X509* p) const { X509_free(p); }
    void operator()(X509_CRL* p) const { X509_CRL_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};

/// A certificate and its key.
struct credential {
    std::unique_ptr<X509, x509_free> certificate;
    std::unique_ptr<EVP_PKEY, x509_free> key;
};

/// A directory that is removed at the end.
struct scratch_dir {
    scratch_dir() {
        std::string name = (std::filesystem::temp_directory_path() / "airmail-net-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        path = name;
    }
    scratch_dir(scratch_dir const&) = delete;
    ~scratch_dir() { std::filesystem::remove_all(path); }
    std::string operator/(char const* file) const { return (path / file).string(); }
    std::filesystem::path path;
};

/// What a test may want to be wrong with a certificate.
struct wish {
    long from_s = -3600, until_s = 86400;   // validity, seconds from now
    char const* usage = "clientAuth,serverAuth";
};

class test_ca {
public:
    explicit test_ca(char const* name = "test CA") : self_{make(name, nullptr, {}, true)} {}

    /// A leaf signed by this CA, with `name` as its CN.
    credential issue(char const* name, wish const& w = {}) { return make(name, &self_, w, false); }
    X509* certificate() const { return self_.certificate.get(); }

    /// A CRL of this CA that revokes `which` (or nobody).
    std::unique_ptr<X509_CRL, x509_free> revoke(X509 const* which) const {
        std::unique_ptr<X509_CRL, x509_free> crl{X509_CRL_new()};
        X509_CRL_set_version(crl.get(), 1);
        X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(certificate()));
        ASN1_TIME* t = X509_gmtime_adj(nullptr, -60);
        X509_CRL_set1_lastUpdate(crl.get(), t);
        X509_gmtime_adj(t, 86400);
        X509_CRL_set1_nextUpdate(crl.get(), t);
        if (which) {
            X509_REVOKED* r = X509_REVOKED_new();
            X509_REVOKED_set_serialNumber(r, const_cast<ASN1_INTEGER*>(X509_get0_serialNumber(which)));
            X509_gmtime_adj(t, -60);
            X509_REVOKED_set_revocationDate(r, t);
            X509_CRL_add0_revoked(crl.get(), r);
        }
        ASN1_TIME_free(t);
        X509_CRL_sort(crl.get());
        X509_CRL_sign(crl.get(), self_.key.get(), EVP_sha256());
        return crl;
    }

    /// Signs a list once more, after a test has added to it.
    bool sign_again(X509_CRL* crl) const { return X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, self_.key.get(), EVP_sha256()) > 0; }

private:
    static void extend(X509* c, X509* issuer, int nid, char const* value) {
        X509V3_CTX ctx;
        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, issuer, c, nullptr, nullptr, 0);
        X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value);
        if (!e) throw std::runtime_error(value);
        X509_add_ext(c, e, -1);
        X509_EXTENSION_free(e);
    }
    credential make(char const* name, credential const* issuer, wish const& w, bool authority) {
        credential c{std::unique_ptr<X509, x509_free>{X509_new()}, std::unique_ptr<EVP_PKEY, x509_free>{EVP_EC_gen("P-256")}};
        X509* x = c.certificate.get();
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
        X509_gmtime_adj(X509_getm_notBefore(x), w.from_s);
        X509_gmtime_adj(X509_getm_notAfter(x), w.until_s);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, reinterpret_cast<unsigned char const*>(name), -1, -1, 0);
        X509* by = issuer ? issuer->certificate.get() : x;
        X509_set_issuer_name(x, X509_get_subject_name(by));
        X509_set_pubkey(x, c.key.get());
        extend(x, by, NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
        if (authority) extend(x, by, NID_key_usage, "critical,keyCertSign,cRLSign");
        else extend(x, by, NID_ext_key_usage, w.usage);
        X509_sign(x, issuer ? issuer->key.get() : c.key.get(), EVP_sha256());
        return c;
    }
    inline static long serial_ = 1000;
    credential self_;
};

inline void write_pem(std::string const& path, X509* x) {
    FILE* f = std::fopen(path.c_str(), "w");
    PEM_write_X509(f, x);
    std::fclose(f);
}
inline void write_pem(std::string const& path, X509_CRL* x) {
    FILE* f = std::fopen(path.c_str(), "w");
    PEM_write_X509_CRL(f, x);
    std::fclose(f);
}
inline void write_pem(std::string const& path, EVP_PKEY* key, mode_t mode = 0600) {
    FILE* f = std::fopen(path.c_str(), "w");
    PEM_write_PrivateKey(f, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(f);
    ::chmod(path.c_str(), mode);
}

}
