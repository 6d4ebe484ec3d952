#include "tools/airmailctl/x509.hpp"

#include <algorithm>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace airmail::ctl {

namespace {

using bio = std::unique_ptr<BIO, openssl_free>;

[[noreturn]] void fail(std::string const& what) {
    char text[256] = "no reason given";
    if (auto e = ERR_peek_last_error()) ERR_error_string_n(e, text, sizeof text);
    ERR_clear_error();
    throw failure(exit_code::failed, what + ": " + text);
}

bio reader(std::string_view s) { return bio(BIO_new_mem_buf(s.data(), int(s.size()))); }

template <class Write>
std::string written(Write write) {
    bio out(BIO_new(BIO_s_secmem()));
    if (!out || !write(out.get())) fail("cannot write PEM");
    char* data = nullptr;
    long n = BIO_get_mem_data(out.get(), &data);
    return {data, std::size_t(n)};
}

int no_password(char*, int, int, void*) { return -1; }

void set_time(ASN1_TIME* t, std::int64_t unix_seconds) {
    if (!ASN1_TIME_set(t, time_t(unix_seconds))) fail("cannot set a date");
}

void set_random_serial(X509* c) {
    unsigned char raw[16];
    if (RAND_bytes(raw, sizeof raw) != 1) fail("no randomness");
    raw[0] = static_cast<unsigned char>((raw[0] & 0x7f) | 0x40);      // positive, and always 16 bytes long
    BIGNUM* n = BN_bin2bn(raw, sizeof raw, nullptr);
    bool good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
    BN_free(n);
    if (!good) fail("cannot set the serial number");
}

// Fixed texts only: OpenSSL's extension language would take commas in a value for more values.
void add_extension(X509* c, X509V3_CTX* context, int nid, char const* fixed_text) {
    X509_EXTENSION* e = X509V3_EXT_nconf_nid(nullptr, context, nid, fixed_text);
    bool good = e && X509_add_ext(c, e, -1) == 1;
    X509_EXTENSION_free(e);
    if (!good) fail(std::string("cannot add ") + OBJ_nid2sn(nid));
}

void add_name(GENERAL_NAMES* all, int type, std::string const& text) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    bool good = name != nullptr;
    if (good && type == GEN_IPADD) {
        auto* address = a2i_IPADDRESS(text.c_str());
        good = address != nullptr;
        if (good) GENERAL_NAME_set0_value(name, type, address);
    } else if (good) {
        auto* s = ASN1_IA5STRING_new();
        good = s && ASN1_STRING_set(s, text.data(), int(text.size())) == 1;
        if (good) GENERAL_NAME_set0_value(name, type, s);
        else ASN1_IA5STRING_free(s);
    }
    if (good && sk_GENERAL_NAME_push(all, name) > 0) return;
    GENERAL_NAME_free(name);
    fail("not a usable name: " + text);
}

void add_alternative_names(X509* c, certificate_plan const& p) {
    if (p.dns.empty() && p.uri.empty() && p.ip.empty()) return;
    std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(sk_GENERAL_NAME_new_null(), GENERAL_NAMES_free);
    for (auto const& n : p.uri) add_name(all.get(), GEN_URI, n);
    for (auto const& n : p.dns) add_name(all.get(), GEN_DNS, n);
    for (auto const& n : p.ip) add_name(all.get(), GEN_IPADD, n);
    if (X509_add1_ext_i2d(c, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT) != 1) fail("cannot add names");
}

}

key_handle make_p256_key() {
    key_handle k(EVP_EC_gen("P-256"));
    if (!k) fail("cannot make a key");
    return k;
}

key_handle key_from_pem(std::string_view pem) {
    auto in = reader(pem);
    key_handle k(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
    if (!k) fail("not a private key (or an encrypted one)");
    return k;
}

certificate_handle certificate_from_pem(std::string_view pem) {
    auto in = reader(pem);
    certificate_handle c(PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr));
    if (!c) fail("not a certificate");
    return c;
}

key_handle key_of_request(std::string_view pem) {
    auto in = reader(pem);
    std::unique_ptr<X509_REQ, openssl_free> r(PEM_read_bio_X509_REQ(in.get(), nullptr, no_password, nullptr));
    if (!r) fail("not a certificate request");
    key_handle k(X509_REQ_get_pubkey(r.get()));
    if (!k || X509_REQ_verify(r.get(), k.get()) != 1) fail("the request is not signed by its own key");
    int bits = EVP_PKEY_get_security_bits(k.get());
    if (bits < 112) throw failure(exit_code::refused, "the request's key is too weak (" + std::to_string(bits) + " bits of security, 112 are needed)");
    return k;
}

std::string to_pem(EVP_PKEY* k) {
    return written([&](BIO* b) { return PEM_write_bio_PKCS8PrivateKey(b, k, nullptr, nullptr, 0, nullptr, nullptr) == 1; });
}

std::string to_pem(X509* c) {
    return written([&](BIO* b) { return PEM_write_bio_X509(b, c) == 1; });
}

std::string serial_of(X509 const* c) {
    BIGNUM* n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c), nullptr);
    char* hex = n ? BN_bn2hex(n) : nullptr;
    std::string out = hex ? hex : "";
    OPENSSL_free(hex);
    BN_free(n);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'F' ? char(c - 'A' + 'a') : c; });
    return out;
}

certificate_handle make_certificate(certificate_plan const& p, EVP_PKEY* subject_key, X509* issuer, EVP_PKEY* issuer_key) {
    certificate_handle c(X509_new());
    if (!c || X509_set_version(c.get(), X509_VERSION_3) != 1) fail("cannot make a certificate");
    set_random_serial(c.get());
    set_time(X509_getm_notBefore(c.get()), p.not_before);
    set_time(X509_getm_notAfter(c.get()), p.not_after);
    auto* name = X509_get_subject_name(c.get());
    if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(p.common_name.data()),
                                   int(p.common_name.size()), -1, 0) != 1)
        fail("not a usable common name: " + p.common_name);
    X509* by = issuer ? issuer : c.get();
    if (X509_set_issuer_name(c.get(), X509_get_subject_name(by)) != 1 || X509_set_pubkey(c.get(), subject_key) != 1)
        fail("cannot fill the certificate");
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, by, c.get(), nullptr, nullptr, 0);
    // pathlen 0: what this CA signs can sign nothing further.
    add_extension(c.get(), &context, NID_basic_constraints, p.usage ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0");
    add_extension(c.get(), &context, NID_key_usage, p.usage ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign");
    if (p.usage) add_extension(c.get(), &context, NID_ext_key_usage, p.usage);
    add_extension(c.get(), &context, NID_subject_key_identifier, "hash");
    if (issuer) add_extension(c.get(), &context, NID_authority_key_identifier, "keyid:always");
    add_alternative_names(c.get(), p);
    if (X509_sign(c.get(), issuer_key, EVP_sha256()) == 0) fail("cannot sign the certificate");
    return c;
}

std::string make_crl_pem(std::vector<revoked_serial> const& revoked, std::uint64_t number, std::int64_t from, std::int64_t until,
                         X509* issuer, EVP_PKEY* issuer_key) {
    std::unique_ptr<X509_CRL, openssl_free> crl(X509_CRL_new());
    std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> t(ASN1_TIME_new(), ASN1_TIME_free);
    if (!crl || !t || X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) != 1 ||
        X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer)) != 1)
        fail("cannot make a revocation list");
    set_time(t.get(), from);
    X509_CRL_set1_lastUpdate(crl.get(), t.get());
    set_time(t.get(), until);
    X509_CRL_set1_nextUpdate(crl.get(), t.get());
    for (auto const& r : revoked) {
        BIGNUM* n = nullptr;
        auto* one = X509_REVOKED_new();
        bool good = one && BN_hex2bn(&n, r.serial.c_str()) != 0;
        ASN1_INTEGER* serial = good ? BN_to_ASN1_INTEGER(n, nullptr) : nullptr;
        set_time(t.get(), r.at);
        good = serial && X509_REVOKED_set_serialNumber(one, serial) == 1 && X509_REVOKED_set_revocationDate(one, t.get()) == 1 &&
               X509_CRL_add0_revoked(crl.get(), one) == 1;
        ASN1_INTEGER_free(serial);
        BN_free(n);
        if (!good) {
            X509_REVOKED_free(one);
            fail("cannot list " + r.serial);
        }
    }
    X509_CRL_sort(crl.get());
    std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> counter(ASN1_INTEGER_new(), ASN1_INTEGER_free);
    ASN1_INTEGER_set_uint64(counter.get(), number);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl.get(), 0);
    auto* whose = X509V3_EXT_nconf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always");
    bool good = whose && X509_CRL_add_ext(crl.get(), whose, -1) == 1 &&
                X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, counter.get(), 0, X509V3_ADD_DEFAULT) == 1 &&
                X509_CRL_sign(crl.get(), issuer_key, EVP_sha256()) != 0;
    X509_EXTENSION_free(whose);
    if (!good) fail("cannot sign the revocation list");
    return written([&](BIO* b) { return PEM_write_bio_X509_CRL(b, crl.get()) == 1; });
}

}
