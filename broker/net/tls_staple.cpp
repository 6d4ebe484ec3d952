// The answer about our own certificate that a handshake carries along (RFC 6066, status_request): a client need not ask its authority.
// ocsp_desk fetches it; here it is kept and given.

#include "broker/net/tls.hpp"

#include <ctime>
#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace airmail::net {
namespace {

struct certificate_free { void operator()(X509* p) const { X509_free(p); } };
using certificate_ptr = std::unique_ptr<X509, certificate_free>;

bool signed_by(X509* certificate, X509* by) { return X509_check_issued(by, certificate) == X509_V_OK && X509_verify(certificate, X509_get0_pubkey(by)) == 1; }

/// Who signed the certificate we show: the next in certfile, or one of cafile.
certificate_ptr issuer_of(SSL_CTX* ctx, X509* leaf) {
    STACK_OF(X509)* sent = nullptr;
    SSL_CTX_get0_chain_certs(ctx, &sent);
    for (int i = 0; i < sk_X509_num(sent); ++i)
        if (X509* const c = sk_X509_value(sent, i); signed_by(leaf, c) && X509_up_ref(c) == 1) return certificate_ptr{c};
    X509* found = nullptr;
    if (auto* const where = X509_STORE_CTX_new()) {
        if (X509_STORE_CTX_init(where, SSL_CTX_get_cert_store(ctx), leaf, nullptr) == 1 && X509_STORE_CTX_get1_issuer(&found, where, leaf) != 1) found = nullptr;
        X509_STORE_CTX_free(where);
    }
    certificate_ptr owned{found};
    return owned && signed_by(leaf, owned.get()) ? std::move(owned) : nullptr;
}

}

tls_result<void> tls_context::prepare_staple(tls_settings const& s) {
    if (!s.staple) return {};
    auto* const leaf = SSL_CTX_get0_certificate(ctx_.get());
    auto const issuer = issuer_of(ctx_.get(), leaf);
    ERR_clear_error();
    if (!issuer) return tls_error{"tls_stapling needs the certificate of who signed the server's: put it behind the server's own in certfile " + s.certificate_file};
    own_question_ = acl::ocsp_question::about(leaf, issuer.get());
    if (!own_question_) return tls_error{"tls_stapling: " + take_openssl_error()};
    if (own_question_->responder().empty() && s.responder.empty())
        return tls_error{"tls_stapling: certfile " + s.certificate_file + " names no OCSP responder (authorityInfoAccess); name one with tls_ocsp_responder"};
    SSL_CTX_set_tlsext_status_cb(ctx_.get(), &tls_context::give_staple);
    SSL_CTX_set_tlsext_status_arg(ctx_.get(), this);
    return {};
}

void tls_context::staple(std::string der, std::int64_t until) const {
    auto next = std::make_shared<answer_to_staple const>(answer_to_staple{std::move(der), until});
    std::lock_guard hold{staple_lock_};
    staple_ = std::move(next);
}

std::shared_ptr<tls_context::answer_to_staple const> tls_context::current_staple() const {
    std::lock_guard hold{staple_lock_};
    // One whose time is over would make clients that look at it go away.
    return staple_ && (staple_->until == 0 || ::time(nullptr) < staple_->until) ? staple_ : nullptr;
}

int tls_context::give_staple(SSL* s, void* self) {
    auto const answer = static_cast<tls_context const*>(self)->current_staple();
    if (!answer) return SSL_TLSEXT_ERR_NOACK;
    void* const copy = OPENSSL_memdup(answer->der.data(), answer->der.size());   // the SSL frees it
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(s, static_cast<unsigned char*>(copy), static_cast<long>(answer->der.size()));
    return SSL_TLSEXT_ERR_OK;
}

}
