#include "tools/client/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace airmail::client {
namespace {

template <auto Free> struct deleter {
    void operator()(auto* p) const { Free(p); }
};
using bio_ptr = std::unique_ptr<BIO, deleter<BIO_free_all>>;
using x509_ptr = std::unique_ptr<X509, deleter<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, deleter<EVP_PKEY_free>>;

/// PEM text, or the file of that name.
bio_ptr open(std::string const& source) {
    if (source.starts_with("-----")) return bio_ptr{BIO_new_mem_buf(source.data(), static_cast<int>(source.size()))};
    return bio_ptr{BIO_new_file(source.c_str(), "r")};
}

x509_ptr next_certificate(BIO* in) { return x509_ptr{PEM_read_bio_X509(in, nullptr, nullptr, nullptr)}; }

bool trust(SSL_CTX* ctx, std::string const& ca) {
    if (ca.empty()) return SSL_CTX_set_default_verify_paths(ctx) == 1;
    auto const in = open(ca);
    if (!in) return false;
    int count = 0;
    while (auto const certificate = next_certificate(in.get())) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate.get()) != 1) return false;
        ++count;
    }
    if (count > 0) ERR_clear_error();  // the end of the text is not an error
    return count > 0;
}

bool present(SSL_CTX* ctx, std::string const& chain) {
    auto const in = open(chain);
    if (!in) return false;
    auto const leaf = next_certificate(in.get());
    if (!leaf || SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return false;
    while (auto const more = next_certificate(in.get()))
        if (SSL_CTX_add1_chain_cert(ctx, more.get()) != 1) return false;
    ERR_clear_error();
    return true;
}

bool use_key(SSL_CTX* ctx, std::string const& source) {
    auto const in = open(source);
    if (!in) return false;
    key_ptr const key{PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr)};
    return key && SSL_CTX_use_PrivateKey(ctx, key.get()) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

}

result<std::shared_ptr<tls_context const>> tls_context::make(tls_options const& o) {
    ERR_clear_error();
    auto* const ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) return take_openssl_error();
    std::shared_ptr<tls_context const> const made{new tls_context(ctx)};
    SSL_CTX_set_min_proto_version(ctx, o.allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(ctx, o.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (o.verify && !trust(ctx, o.ca)) return take_openssl_error();
    if (!o.certificate.empty() && !present(ctx, o.certificate)) return take_openssl_error();
    if (!o.key.empty() && !use_key(ctx, o.key)) return take_openssl_error();
    return made;
}

tls_context::~tls_context() { SSL_CTX_free(ctx_); }

}
