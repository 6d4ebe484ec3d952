#pragma once
// TLS of one listener: contexts made from files, swapped whole on reload. OpenSSL works on the non-blocking descriptor
// itself (reference/architecture.md 1.3): 26 KB a connection where asio::ssl::stream holds 95, and 14 KB after strip().
// Files and protocol: tls.cpp; what is asked of a client's certificate: tls_verify.cpp; stapling: tls_staple.cpp.
//
//   tls (a listener's, lives on) --current()--> tls_context (one set of files, immutable, counted) --> SSL_CTX
//                                 --reload()-->  a new one; connections keep the one they began with

#include "acl/crl.hpp"
#include "acl/ocsp.hpp"
#include "acl/psk.hpp"

#include <boost/system/result.hpp>
#include <memory>
#include <cstdint>
#include <mutex>
#include <openssl/ssl.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace airmail::net {

struct ssl_free {
    void operator()(SSL* s) const noexcept { SSL_free(s); }
    void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
    void operator()(SSL_SESSION* s) const noexcept { SSL_SESSION_free(s); }
};
using ssl_ptr = std::unique_ptr<SSL, ssl_free>;

/// What a listener's TLS is made of. Paths are read by tls::make and again by each reload.
struct tls_settings {
    std::string certificate_file;   // PEM, leaf first, then its intermediates
    std::string key_file;           // PEM, without a pass phrase
    std::string ca_file, ca_path;   // who may sign client certificates
    std::string crl_file;           // PEM; when set, a certificate whose CA has no current CRL is refused
    std::shared_ptr<acl::psk_file const> psk;   // pre-shared keys instead of all of the above
    std::string psk_hint;
    bool request_certificate = true;
    bool require_certificate = true;    // no certificate, no handshake
    bool check_dates = true;            // disable_client_cert_date_checks: false takes certificates before and after their time
    bool strict_files = true;           // device listener: refuse a key that group or others can read
    int version_min = TLS1_3_VERSION;   // `tls_version tlsv1.2` lowers it
    std::string groups = "X25519:P-256";
    std::string ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    std::string ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";   // TLS 1.2 only
    unsigned tickets = 0;               // per handshake; not 0 turns the strip off
    bool keep_issuer = false;           // tls_ocsp: remembers through the handshake who signed the client's certificate
    bool staple = false;                // tls_stapling
    std::string responder;              // tls_ocsp_responder: asked about our own certificate when it names none
    bool strip = true;                  // tls_strip: give the peer's certificates and the session back after the handshake
};

/// One line for the operator: what is wrong with which file.
struct tls_error { std::string text; };
[[noreturn]] inline void throw_exception_from_error(tls_error const& e, boost::source_location const&) {
    throw std::runtime_error(e.text);
}
template <class T> using tls_result = boost::system::result<T, tls_error>;

/// One loaded set of files. Immutable after load(); any thread may make connections of it.
class tls_context {
public:
    /// Reads the files. Errors name the file and the cause: not readable, not PEM, key of another certificate, no CA.
    static tls_result<std::shared_ptr<tls_context>> load(tls_settings const& s);

    /// A server's SSL on a connected, non-blocking socket; null when memory is out. The SSL does not own the descriptor.
    ssl_ptr accept(int fd) const;
    /// After the handshake, and after what identity needs was copied out: replaces the connection's session by a shared
    /// empty one, so that the peer's certificates go (26 -> 14 KB). TLS 1.3 without tickets only; otherwise, or with
    /// `strip` off, does nothing. Data, KeyUpdate and close_notify keep working; SSL_get_peer_certificate gives null.
    /// @return whether it stripped
    bool strip(SSL* s) const;

    /// The identity with which a pre-shared key was asked for, once the handshake is done; empty on a listener of certificates.
    std::string psk_identity(SSL* s) const;
    bool psk() const { return psk_ != nullptr; }

    /// What to ask the authority of the client's certificate, once the handshake is done and before strip(); null when no
    /// certificate was shown, or `keep_issuer` is off. Once per connection.
    std::shared_ptr<acl::ocsp_question const> question_about_peer(SSL* s) const;

    /// What to ask about our own certificate; null without `staple`.
    std::shared_ptr<acl::ocsp_question const> const& own_question() const { return own_question_; }
    /// From now on handshakes carry this answer, until `until` (unix seconds; 0 = for ever). Any thread.
    void staple(std::string der, std::int64_t until) const;
    /// Is there an answer that still holds? Any thread.
    bool stapled() const { return current_staple() != nullptr; }

    SSL_CTX* native() const { return ctx_.get(); }
    /// notAfter of the leaf certificate, unix seconds; for the expiry metric.
    std::int64_t not_after() const { return not_after_; }
    /// notBefore of it: a clock that reads less has not been set yet.
    std::int64_t not_before() const { return not_before_; }
    /// What the authorities have taken back; null without crlfile.
    acl::crl_set const* revocations() const { return revocations_.get(); }

private:
    struct answer_to_staple { std::string der; std::int64_t until; };

    tls_context() = default;
    bool prepare_strip(SSL* s) const;
    tls_result<void> verify_clients(tls_settings const& s);   // tls_verify.cpp
    tls_result<void> prepare_staple(tls_settings const& s);   // tls_staple.cpp
    std::shared_ptr<answer_to_staple const> current_staple() const;
    static int give_staple(SSL* s, void* self);
    static int verify_apart(X509_STORE_CTX* given, void* self);
    static SSL_TICKET_RETURN look_at_ticket(SSL* s, SSL_SESSION* session, unsigned char const* name, std::size_t size, SSL_TICKET_STATUS status, void* self);
    /// X509_V_OK, or why this certificate may not come in.
    int judge(X509* leaf, STACK_OF(X509)* untrusted, SSL* s) const;

    std::unique_ptr<SSL_CTX, ssl_free> ctx_;
    std::int64_t not_after_ = 0, not_before_ = 0;
    std::shared_ptr<acl::crl_set const> revocations_;
    bool strip_ = true, keep_issuer_ = false, require_certificate_ = false;
    std::shared_ptr<acl::ocsp_question const> own_question_;
    mutable std::mutex staple_lock_;   // once per handshake that asks for a staple
    mutable std::shared_ptr<answer_to_staple const> staple_;
    std::shared_ptr<acl::psk_file const> psk_;
    // Made at the first handshake: OpenSSL tells the method of TLS 1.3 only from a connection that speaks it.
    mutable std::once_flag strip_once_;
    mutable std::unique_ptr<SSL_CTX, ssl_free> bare_ctx_;
    mutable std::vector<std::pair<SSL_CIPHER const*, std::unique_ptr<SSL_SESSION, ssl_free>>> bare_sessions_;
};

/// A listener's TLS, reloadable. Any thread.
class tls {
public:
    /// The first load; an error means: do not start.
    static tls_result<std::shared_ptr<tls>> make(tls_settings s);
    /// Loads the files again beside the running set and swaps. On an error the running set stays.
    tls_result<void> reload();
    /// The same with other settings (paths may have changed).
    tls_result<void> reload(tls_settings s);
    std::shared_ptr<tls_context const> current() const;

private:
    tls() = default;
    mutable std::mutex lock_;  // once per accepted connection, not where a packet walks
    tls_settings settings_;
    std::shared_ptr<tls_context const> current_;
};

/// Takes the oldest error off OpenSSL's queue of this thread as text ("" when there was none) and empties the queue.
std::string take_openssl_error();

}
