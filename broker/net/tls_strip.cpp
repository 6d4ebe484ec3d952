// The memory strip, step b (reference/architecture.md 1.3): what it relies on in OpenSSL 3.0, and why it is safe there.
//
// SSL_set_session() on a connection whose SSL_CTX has another method than the connection would reset the connection; hence
// a second SSL_CTX with exactly the method that TLS 1.3 negotiated, swapped in first. After the handshake TLS 1.3 takes its
// traffic secrets, KeyUpdate included, from the SSL itself and from the session only the cipher, which the bare session
// carries. The session has no id, so nobody looks it up, and its count is atomic, so shards share it. tls_test.cpp repeats the
// check (data, KeyUpdate by either side, close_notify) on whatever OpenSSL the house is built with.

#include "broker/net/tls.hpp"

#include <openssl/err.h>

namespace airmail::net {

bool tls_context::prepare_strip(SSL* s) const {
    std::unique_ptr<SSL_CTX, ssl_free> bare{SSL_CTX_new(TLS_server_method())};
    if (!bare) return false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    if (SSL_CTX_set_ssl_version(bare.get(), SSL_get_ssl_method(s)) != 1) return false;
#pragma GCC diagnostic pop
    SSL_CTX_set_session_cache_mode(bare.get(), SSL_SESS_CACHE_OFF);
    STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(ctx_.get());
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
        SSL_CIPHER const* cipher = sk_SSL_CIPHER_value(ciphers, i);
        if (SSL_CIPHER_get_protocol_id(cipher) >> 8 != 0x13) continue;  // 0x13xx: the suites of TLS 1.3
        std::unique_ptr<SSL_SESSION, ssl_free> session{SSL_SESSION_new()};
        if (!session || SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1 ||
            SSL_SESSION_set_cipher(session.get(), cipher) != 1)
            return false;
        bare_sessions_.emplace_back(cipher, std::move(session));
    }
    bare_ctx_ = std::move(bare);
    return true;
}

bool tls_context::strip(SSL* s) const {
    if (!strip_ || SSL_version(s) != TLS1_3_VERSION || !SSL_is_init_finished(s)) return false;
    std::call_once(strip_once_, [&] { prepare_strip(s); });
    if (!bare_ctx_) return ERR_clear_error(), false;
    SSL_CIPHER const* cipher = SSL_get_current_cipher(s);
    for (auto const& [id, session] : bare_sessions_) {
        if (id != cipher) continue;
        if (!SSL_set_SSL_CTX(s, bare_ctx_.get())) return ERR_clear_error(), false;
        bool const done = SSL_set_session(s, session.get()) == 1;
        if (!done) ERR_clear_error();
        return done;
    }
    return false;
}

}
