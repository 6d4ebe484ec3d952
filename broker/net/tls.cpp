#include "broker/net/tls.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::net {
namespace {

struct bio_free { void operator()(BIO* b) const noexcept { BIO_free_all(b); } };
using file_ptr = std::unique_ptr<BIO, bio_free>;

constexpr long certificate_list_bytes_max = 32 * 1024;

tls_error wrong(std::string_view what, std::string const& file, std::string_view why) {
    return {fmt::format("{} {}: {}", what, file, why)};
}

/// Opens a file here rather than letting OpenSSL do it, so that errno reaches the message.
tls_result<file_ptr> open_file(std::string_view what, std::string const& path, bool secret) {
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return wrong(what, path, std::strerror(errno));
    struct stat st{};
    ::fstat(fd, &st);
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) return ::close(fd), wrong(what, path, "is not a file");
    if (secret && (st.st_mode & 077) != 0) {
        ::close(fd);
        return wrong(what, path, fmt::format("mode {:04o} lets others read it; make it 0600", st.st_mode & 07777));
    }
    FILE* f = ::fdopen(fd, "r");
    return file_ptr{BIO_new_fp(f, BIO_CLOSE)};
}

/// A key with a pass phrase must fail, not ask on the terminal.
int no_pass_phrase(char*, int, int, void*) { return 0; }

std::int64_t seconds_of(ASN1_TIME const* t) {
    tm parts{};
    return ASN1_TIME_to_tm(t, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

tls_result<void> use_certificate(SSL_CTX* ctx, std::string const& path, std::int64_t& not_before, std::int64_t& not_after) {
    if (path.empty()) return tls_error{"certfile is not set"};
    auto file = open_file("certfile", path, false);
    if (!file) return file.error();
    std::unique_ptr<X509, decltype(&X509_free)> leaf{PEM_read_bio_X509(file->get(), nullptr, no_pass_phrase, nullptr), X509_free};
    if (!leaf) return take_openssl_error(), wrong("certfile", path, "holds no PEM certificate");
    if (SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return wrong("certfile", path, take_openssl_error());
    not_before = seconds_of(X509_get0_notBefore(leaf.get())), not_after = seconds_of(X509_get0_notAfter(leaf.get()));
    while (X509* next = PEM_read_bio_X509(file->get(), nullptr, no_pass_phrase, nullptr))
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) return X509_free(next), wrong("certfile", path, take_openssl_error());
    ERR_clear_error();  // the end of the file
    return {};
}

tls_result<void> use_key(SSL_CTX* ctx, tls_settings const& s) {
    if (s.key_file.empty()) return tls_error{"keyfile is not set"};
    auto file = open_file("keyfile", s.key_file, s.strict_files);
    if (!file) return file.error();
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{PEM_read_bio_PrivateKey(file->get(), nullptr, no_pass_phrase, nullptr),
                                                             EVP_PKEY_free};
    if (!key) return take_openssl_error(), wrong("keyfile", s.key_file, "holds no PEM private key without a pass phrase");
    X509* leaf = SSL_CTX_get0_certificate(ctx);
    if (!leaf || X509_check_private_key(leaf, key.get()) != 1)
        return take_openssl_error(), wrong("keyfile", s.key_file, "is not the key of certfile " + s.certificate_file);
    if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1) return wrong("keyfile", s.key_file, take_openssl_error());
    return {};
}

tls_result<void> trust(SSL_CTX* ctx, tls_settings const& s, std::shared_ptr<acl::crl_set const>& revocations) {
    if (!s.request_certificate && !s.require_certificate) return {};
    if (s.ca_file.empty() && s.ca_path.empty()) return tls_error{"cafile or capath is needed to check client certificates"};
    if (!s.ca_file.empty()) {
        auto file = open_file("cafile", s.ca_file, false);
        if (!file) return file.error();
        X509_STORE* store = SSL_CTX_get_cert_store(ctx);
        int count = 0;
        while (X509* ca = PEM_read_bio_X509(file->get(), nullptr, no_pass_phrase, nullptr)) {
            X509_STORE_add_cert(store, ca);
            SSL_CTX_add_client_CA(ctx, ca);
            X509_free(ca);
            ++count;
        }
        ERR_clear_error();
        if (count == 0) return wrong("cafile", s.ca_file, "holds no PEM certificate");
    }
    if (!s.ca_path.empty() && SSL_CTX_load_verify_dir(ctx, s.ca_path.c_str()) != 1)
        return wrong("capath", s.ca_path, take_openssl_error());
    if (!s.crl_file.empty()) {
        auto file = open_file("crlfile", s.crl_file, false);
        if (!file) return file.error();
        // Not into OpenSSL's store: it would keep three hundred bytes an entry, and look nobody up who is already connected.
        auto lists = acl::crl_set::read(file->get(), SSL_CTX_get_cert_store(ctx));
        if (!lists) return wrong("crlfile", s.crl_file, lists.error());
        revocations = std::move(*lists);
    }
    return {};
}

/// Where a connection keeps the identity that its key was asked for: OpenSSL 3.0 forgets it under TLS 1.3.
int psk_identity_slot() {
    static int const slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, [](void*, void* text, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<std::string*>(text); });
    return slot;
}

/// Finds the key of the identity that a client named; 0 ends the handshake. TLS 1.3 asks here too.
unsigned find_key(SSL* s, char const* identity, unsigned char* key, unsigned key_bytes_max) {
    auto const* keys = static_cast<acl::psk_file const*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(s)));
    auto const* found = keys && identity ? keys->find(identity) : nullptr;
    if (!found || found->size() > key_bytes_max) return 0;
    delete static_cast<std::string*>(SSL_get_ex_data(s, psk_identity_slot()));
    SSL_set_ex_data(s, psk_identity_slot(), new std::string{identity});
    std::memcpy(key, found->data(), found->size());
    return static_cast<unsigned>(found->size());
}

tls_result<void> use_keys(SSL_CTX* ctx, tls_settings const& s) {
    SSL_CTX_set_app_data(ctx, const_cast<acl::psk_file*>(s.psk.get()));
    SSL_CTX_set_psk_server_callback(ctx, find_key);
    if (SSL_CTX_use_psk_identity_hint(ctx, s.psk_hint.c_str()) != 1) return wrong("psk_hint", s.psk_hint, take_openssl_error());
    // TLS 1.2 suites in which the key alone, or the key and an ephemeral exchange, authenticates; 1.3 has its own list.
    if (SSL_CTX_set_cipher_list(ctx, "kECDHEPSK:kDHEPSK:kPSK:!eNULL:!aNULL:!SHA1:!CAMELLIA:!ARIA") != 1) return wrong("psk ciphers", "", take_openssl_error());
    return {};
}

tls_result<void> set_protocol(SSL_CTX* ctx, tls_settings const& s) {
    SSL_CTX_set_min_proto_version(ctx, s.version_min);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF | (s.tickets == 0 ? SSL_OP_NO_TICKET : 0));
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, s.tickets);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_max_cert_list(ctx, certificate_list_bytes_max);
    static constexpr unsigned char session_context[] = "airmail";
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1);
    if (SSL_CTX_set1_groups_list(ctx, s.groups.c_str()) != 1) return wrong("tls groups", s.groups, take_openssl_error());
    if (SSL_CTX_set_ciphersuites(ctx, s.ciphersuites.c_str()) != 1) return wrong("ciphers_tls1.3", s.ciphersuites, take_openssl_error());
    if (s.version_min < TLS1_3_VERSION && SSL_CTX_set_cipher_list(ctx, s.ciphers.c_str()) != 1)
        return wrong("ciphers", s.ciphers, take_openssl_error());
    return {};
}

}

std::string take_openssl_error() {
    std::string text;
    if (unsigned long const e = ERR_get_error()) {
        char const* reason = ERR_reason_error_string(e);
        text = reason ? reason : fmt::format("OpenSSL error {:#x}", e);
    }
    ERR_clear_error();
    return text;
}

tls_result<std::shared_ptr<tls_context>> tls_context::load(tls_settings const& s) {
    ERR_clear_error();
    std::shared_ptr<tls_context> made{new tls_context};
    made->ctx_.reset(SSL_CTX_new(TLS_server_method()));
    made->strip_ = s.strip && s.tickets == 0;
    SSL_CTX* ctx = made->ctx_.get();
    if (!ctx) return tls_error{"no TLS context: " + take_openssl_error()};
    if (auto r = set_protocol(ctx, s); !r) return r.error();
    if (s.psk) {
        made->psk_ = s.psk;
        if (auto r = use_keys(ctx, s); !r) return r.error();
        return made;
    }
    if (auto r = use_certificate(ctx, s.certificate_file, made->not_before_, made->not_after_); !r) return r.error();
    if (auto r = use_key(ctx, s); !r) return r.error();
    if (auto r = trust(ctx, s, made->revocations_); !r) return r.error();
    if (auto r = made->verify_clients(s); !r) return r.error();
    if (auto r = made->prepare_staple(s); !r) return r.error();
    return made;
}

std::string tls_context::psk_identity(SSL* s) const {
    auto const* text = psk_ ? static_cast<std::string*>(SSL_get_ex_data(s, psk_identity_slot())) : nullptr;
    return text ? *text : std::string{};
}

ssl_ptr tls_context::accept(int fd) const {
    ssl_ptr s{SSL_new(ctx_.get())};
    if (!s || SSL_set_fd(s.get(), fd) != 1) return nullptr;
    SSL_set_accept_state(s.get());
    return s;
}

tls_result<std::shared_ptr<tls>> tls::make(tls_settings s) {
    std::shared_ptr<tls> made{new tls};
    if (auto r = made->reload(std::move(s)); !r) return r.error();
    return made;
}

tls_result<void> tls::reload() {
    std::unique_lock guard{lock_};
    auto s = settings_;
    guard.unlock();
    return reload(std::move(s));
}

tls_result<void> tls::reload(tls_settings s) {
    auto next = tls_context::load(s);
    if (!next) return next.error();
    std::lock_guard guard{lock_};
    settings_ = std::move(s);
    current_ = std::move(*next);
    return {};
}

std::shared_ptr<tls_context const> tls::current() const {
    std::lock_guard guard{lock_};
    return current_;
}

}
