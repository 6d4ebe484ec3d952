// What is asked of a client's certificate: in the handshake, and again when a ticket stands for one.

#include "broker/net/tls.hpp"

#include <ctime>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace airmail::net {
namespace {

/// Chains longer than this are somebody's attack: leaf, two intermediates, root, and one to spare.
constexpr int chain_depth_max = 4;
/// So are keys larger than this: checking a signature of 16,384 bits costs sixteen times one of 4,096.
constexpr int key_bits_max = 8192;

/// X509_V_OK, or the error of OpenSSL that means the same.
int error_of(acl::crl_set::answer a) {
    switch (a) {
    case acl::crl_set::answer::good: return X509_V_OK;
    case acl::crl_set::answer::revoked: return X509_V_ERR_CERT_REVOKED;
    case acl::crl_set::answer::no_list: return X509_V_ERR_UNABLE_TO_GET_CRL;
    case acl::crl_set::answer::expired: return X509_V_ERR_CRL_HAS_EXPIRED;
    case acl::crl_set::answer::not_yet_valid: return X509_V_ERR_CRL_NOT_YET_VALID;
    }
    return X509_V_ERR_UNSPECIFIED;
}

bool too_large(X509 const* c) {
    auto const* key = X509_get0_pubkey(c);
    return !key || EVP_PKEY_get_bits(key) > key_bits_max;
}

/// Where a handshake keeps who signed the client's certificate.
int issuer_slot() {
    static int const slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, [](void*, void* x, CRYPTO_EX_DATA*, int, long, void*) { X509_free(static_cast<X509*>(x)); });
    return slot;
}

void remember_issuer(SSL* s, X509_STORE_CTX* verified) {
    auto* const chain = X509_STORE_CTX_get0_chain(verified);
    // The leaf may itself be trusted: then it is its own issuer.
    X509* const issuer = chain && sk_X509_num(chain) > 0 ? sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0) : nullptr;
    if (!issuer || X509_up_ref(issuer) != 1) return;
    X509_free(static_cast<X509*>(SSL_get_ex_data(s, issuer_slot())));
    SSL_set_ex_data(s, issuer_slot(), issuer);
}

}

/// In a context of its own, so that OpenSSL keeps no `verified_chain` with the connection: half of what strip() gives back
/// (reference/architecture.md 1.3, step a).
int tls_context::judge(X509* leaf, STACK_OF(X509)* untrusted, SSL* s) const {
    // Before anything is computed with them.
    if (too_large(leaf)) return X509_V_ERR_APPLICATION_VERIFICATION;   // OpenSSL has no word for it; newcomer has
    for (int i = 0; i < sk_X509_num(untrusted); ++i)
        if (too_large(sk_X509_value(untrusted, i))) return X509_V_ERR_APPLICATION_VERIFICATION;
    X509_STORE_CTX* own = X509_STORE_CTX_new();
    if (!own || X509_STORE_CTX_init(own, SSL_CTX_get_cert_store(ctx_.get()), leaf, untrusted) != 1) return X509_STORE_CTX_free(own), X509_V_ERR_OUT_OF_MEM;
    // "ssl_client": extended key usage must allow a client, as the default callback would ask.
    X509_STORE_CTX_set_default(own, "ssl_client");
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(own);
    X509_VERIFY_PARAM_set_depth(param, chain_depth_max);
    X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(s));
    X509_VERIFY_PARAM_set_flags(param, X509_VERIFY_PARAM_get_flags(SSL_get0_param(s)));
    bool const good = X509_verify_cert(own) == 1;
    int error = X509_STORE_CTX_get_error(own);
    if (!good && error == X509_V_OK) error = X509_V_ERR_UNSPECIFIED;
    if (good && revocations_) error = error_of(revocations_->check(leaf, ::time(nullptr)));
    if (good && error == X509_V_OK && keep_issuer_) remember_issuer(s, own);
    X509_STORE_CTX_free(own);
    return error;
}

int tls_context::verify_apart(X509_STORE_CTX* given, void* self) {
    SSL* s = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(given, SSL_get_ex_data_X509_STORE_CTX_idx()));
    int const error = static_cast<tls_context const*>(self)->judge(X509_STORE_CTX_get0_cert(given), X509_STORE_CTX_get0_untrusted(given), s);
    X509_STORE_CTX_set_error(given, error);
    return error == X509_V_OK;
}

/// A ticket carries the certificate of the handshake it came from, and no chain. Whatever would not pass now has to show everything
/// again: the ticket is ignored, and a full handshake says what is wrong.
SSL_TICKET_RETURN tls_context::look_at_ticket(SSL* s, SSL_SESSION* session, unsigned char const*, std::size_t, SSL_TICKET_STATUS status, void* context) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
    auto const& self = *static_cast<tls_context const*>(context);
    X509* const peer = SSL_SESSION_get0_peer(session);
    bool const may = peer ? self.judge(peer, nullptr, s) == X509_V_OK : !self.require_certificate_;
    ERR_clear_error();
    if (!may) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

tls_result<void> tls_context::verify_clients(tls_settings const& s) {
    if (!s.request_certificate && !s.require_certificate) return {};
    auto* const ctx = ctx_.get();
    keep_issuer_ = s.keep_issuer, require_certificate_ = s.require_certificate;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (s.require_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
    SSL_CTX_set_verify_depth(ctx, chain_depth_max);
    if (!s.check_dates) X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME);
    SSL_CTX_set_cert_verify_callback(ctx, verify_apart, this);
    if (s.tickets && SSL_CTX_set_session_ticket_cb(ctx, nullptr, look_at_ticket, this) != 1) return tls_error{"tls_tickets: " + take_openssl_error()};
    return {};
}

std::shared_ptr<acl::ocsp_question const> tls_context::question_about_peer(SSL* s) const {
    auto* const issuer = static_cast<X509*>(SSL_get_ex_data(s, issuer_slot()));
    auto const* const leaf = SSL_get0_peer_certificate(s);
    if (!issuer || !leaf) return nullptr;
    auto question = acl::ocsp_question::about(leaf, issuer);
    X509_free(issuer);
    SSL_set_ex_data(s, issuer_slot(), nullptr);
    return question;
}

}
