#pragma once
// The few things OpenSSL is asked for when certificates are made, with its handles owned. Part of airmailctl's ca.

#include "tools/airmailctl/failure.hpp"

#include <cstdint>
#include <memory>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::ctl {

struct openssl_free {
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(X509* p) const { X509_free(p); }
    void operator()(X509_CRL* p) const { X509_CRL_free(p); }
    void operator()(X509_REQ* p) const { X509_REQ_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
};
using key_handle = std::unique_ptr<EVP_PKEY, openssl_free>;
using certificate_handle = std::unique_ptr<X509, openssl_free>;

key_handle make_p256_key();
key_handle key_from_pem(std::string_view pem);
certificate_handle certificate_from_pem(std::string_view pem);
/// The public key of a PEM certificate request, once the request's own signature proves who holds the private one.
key_handle key_of_request(std::string_view pem);
std::string to_pem(EVP_PKEY* k);
std::string to_pem(X509* c);
/// Lower-case hex, at least two digits.
std::string serial_of(X509 const* c);

struct certificate_plan {
    std::string common_name;
    std::vector<std::string> dns, uri, ip;   // subject alternative names
    char const* usage = nullptr;             // "serverAuth", "clientAuth"; null = a CA
    std::int64_t not_before = 0, not_after = 0;
};
/// Signs `subject_key` under `issuer` (null = itself) with a fresh 127-bit random serial number.
certificate_handle make_certificate(certificate_plan const& p, EVP_PKEY* subject_key, X509* issuer, EVP_PKEY* issuer_key);

struct revoked_serial {
    std::string serial;
    std::int64_t at = 0;
};
/// A version 2 list with a number, in PEM.
std::string make_crl_pem(std::vector<revoked_serial> const& revoked, std::uint64_t number, std::int64_t from, std::int64_t until,
                         X509* issuer, EVP_PKEY* issuer_key);

}
