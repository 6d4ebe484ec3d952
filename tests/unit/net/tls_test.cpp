#include "broker/net/tls.hpp"

#include "tests/unit/net/test_ca.hpp"

#include <array>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <sys/socket.h>
#include <unistd.h>

using namespace airmail;
using namespace airmail::net;
using airmail::test::credential;
using airmail::test::write_pem;

namespace {

/// A server's files, and a client and a server on a socket pair, both driven by one thread.
struct tls_pair {
    tls_pair() {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd.data()) == 0);
        auto server = ca.issue("localhost");
        write_pem(dir / "ca.pem", ca.certificate());
        write_pem(dir / "server.pem", server.certificate.get());
        write_pem(dir / "server.key", server.key.get());
        settings.certificate_file = dir / "server.pem";
        settings.key_file = dir / "server.key";
        settings.ca_file = dir / "ca.pem";
    }
    ~tls_pair() {
        client.reset(), server.reset();
        ::close(fd[0]), ::close(fd[1]);
    }
    /// Makes both ends; `mine` may be null: a client without certificate.
    void make(credential* mine, int client_version = TLS1_3_VERSION) {
        auto loaded = tls_context::load(settings);
        REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().text));
        context = *loaded;
        client_ctx.reset(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_set_max_proto_version(client_ctx.get(), client_version);
        if (mine) {
            SSL_CTX_use_certificate(client_ctx.get(), mine->certificate.get());
            SSL_CTX_use_PrivateKey(client_ctx.get(), mine->key.get());
        }
        server = context->accept(fd[0]);
        client.reset(SSL_new(client_ctx.get()));
        SSL_set_fd(client.get(), fd[1]);
        SSL_set_connect_state(client.get());
    }
    /// Shakes hands until both are done or the server refuses. True when the server accepted.
    bool shake() {
        for (int i = 0; i < 20; ++i) {
            int const c = SSL_do_handshake(client.get());
            int const s = SSL_do_handshake(server.get());
            if (s != 1 && SSL_get_error(server.get(), s) != SSL_ERROR_WANT_READ) return why = take_openssl_error(), false;
            if (c == 1 && s == 1) return true;
            if (c != 1 && SSL_get_error(client.get(), c) != SSL_ERROR_WANT_READ) take_openssl_error();
        }
        return false;
    }
    static bool carries(SSL* from, SSL* to, std::string const& text) {
        for (std::size_t at = 0; at < text.size();) {  // partial writes are on
            int const n = SSL_write(from, text.data() + at, static_cast<int>(text.size() - at));
            if (n <= 0) return false;
            at += static_cast<std::size_t>(n);
        }
        std::string got(text.size(), 0);
        std::size_t at = 0;
        for (int i = 0; i < 10 && at < got.size(); ++i)
            if (int n = SSL_read(to, got.data() + at, static_cast<int>(got.size() - at)); n > 0) at += static_cast<std::size_t>(n);
        return got == text;
    }

    test::scratch_dir dir;
    test::test_ca ca;
    tls_settings settings;
    std::array<int, 2> fd{};
    std::shared_ptr<tls_context> context;
    std::unique_ptr<SSL_CTX, ssl_free> client_ctx;
    ssl_ptr server, client;
    std::string why;
};

}

TEST_CASE("after the strip data flows both ways, either side updates keys, and close_notify ends it") {
    tls_pair p;
    SUBCASE("AES-128") { p.settings.ciphersuites = "TLS_AES_128_GCM_SHA256"; }
    SUBCASE("AES-256") { p.settings.ciphersuites = "TLS_AES_256_GCM_SHA384"; }
    SUBCASE("ChaCha20") { p.settings.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256"; }
    auto device = p.ca.issue("dev-1");
    p.make(&device);
    REQUIRE(p.shake());
    REQUIRE(SSL_get0_peer_certificate(p.server.get()));
    REQUIRE(p.context->strip(p.server.get()));
    CHECK(SSL_get0_peer_certificate(p.server.get()) == nullptr);
    CHECK(SSL_get_current_cipher(p.server.get()) != nullptr);
    auto both_ways = [&] {
        CHECK(p.carries(p.client.get(), p.server.get(), "up"));
        CHECK(p.carries(p.server.get(), p.client.get(), std::string(20000, 'd')));
    };
    both_ways();
    REQUIRE(SSL_key_update(p.client.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    both_ways(), both_ways();
    REQUIRE(SSL_key_update(p.server.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    both_ways(), both_ways();
    CHECK(SSL_shutdown(p.server.get()) == 0);
    char c;
    CHECK(SSL_read(p.client.get(), &c, 1) <= 0);
    CHECK((SSL_get_shutdown(p.client.get()) & SSL_RECEIVED_SHUTDOWN) != 0);
    CHECK(SSL_shutdown(p.client.get()) == 1);
    CHECK(SSL_shutdown(p.server.get()) == 1);
}

TEST_CASE("many stripped connections share the bare session and die in any order") {
    std::vector<std::unique_ptr<tls_pair>> all;
    tls_pair first;
    auto device = first.ca.issue("dev-1");
    auto context = *tls_context::load(first.settings);
    for (int i = 0; i < 8; ++i) {
        auto p = std::make_unique<tls_pair>();
        p->make(&device);
        p->server = context->accept(p->fd[0]);
        p->context = context;
        REQUIRE(p->shake());
        CHECK(context->strip(p->server.get()));
        all.push_back(std::move(p));
    }
    context.reset();
    all.erase(all.begin() + 2, all.begin() + 5);
    for (auto& p : all) CHECK(p->carries(p->client.get(), p->server.get(), "still here"));
}

TEST_CASE("the strip leaves TLS 1.2, tickets and `tls_strip false` alone") {
    tls_pair p;
    auto device = p.ca.issue("dev-1");
    SUBCASE("TLS 1.2") {
        p.settings.version_min = TLS1_2_VERSION;
        p.make(&device, TLS1_2_VERSION);
    }
    SUBCASE("tickets") {
        p.settings.tickets = 1;
        p.make(&device);
    }
    SUBCASE("off") {
        p.settings.strip = false;
        p.make(&device);
    }
    REQUIRE(p.shake());
    CHECK_FALSE(p.context->strip(p.server.get()));
    CHECK(SSL_get0_peer_certificate(p.server.get()));
    CHECK(p.carries(p.server.get(), p.client.get(), "hello"));
}

TEST_CASE("bad client certificates are refused") {
    tls_pair p;
    SUBCASE("none") { p.make(nullptr); }
    SUBCASE("of another CA") {
        test::test_ca other{"other CA"};
        auto c = other.issue("dev-1");
        p.make(&c);
    }
    SUBCASE("expired") {
        auto c = p.ca.issue("dev-1", {-7200, -3600});
        p.make(&c);
    }
    SUBCASE("not yet valid") {
        auto c = p.ca.issue("dev-1", {3600, 7200});
        p.make(&c);
    }
    SUBCASE("for servers only") {
        auto c = p.ca.issue("dev-1", {.usage = "serverAuth"});
        p.make(&c);
    }
    SUBCASE("revoked") {
        auto c = p.ca.issue("dev-1");
        write_pem(p.dir / "crl.pem", p.ca.revoke(c.certificate.get()).get());
        p.settings.crl_file = p.dir / "crl.pem";
        p.make(&c);
    }
    SUBCASE("too old a protocol") {
        auto c = p.ca.issue("dev-1");
        p.make(&c, TLS1_2_VERSION);
    }
    CHECK_FALSE(p.shake());
    CHECK_FALSE(p.why.empty());
}

TEST_CASE("disable_client_cert_date_checks lets in who is out of time, and nobody else") {
    tls_pair p;
    p.settings.check_dates = false;
    SUBCASE("expired") {
        auto c = p.ca.issue("dev-1", {-7200, -3600});
        p.make(&c);
        CHECK_MESSAGE(p.shake(), p.why);
    }
    SUBCASE("of another CA") {
        test::test_ca other{"other CA"};
        auto c = other.issue("dev-1");
        p.make(&c);
        CHECK_FALSE(p.shake());
    }
}

TEST_CASE("a certificate that the CRL does not name is accepted, and without a required one nobody needs any") {
    tls_pair p;
    SUBCASE("CRL of others") {
        auto c = p.ca.issue("dev-1"), other = p.ca.issue("dev-2");
        write_pem(p.dir / "crl.pem", p.ca.revoke(other.certificate.get()).get());
        p.settings.crl_file = p.dir / "crl.pem";
        p.make(&c);
    }
    SUBCASE("optional") {
        p.settings.require_certificate = false;
        p.make(nullptr);
    }
    SUBCASE("not asked") {
        p.settings.require_certificate = p.settings.request_certificate = false;
        p.settings.ca_file.clear();
        p.make(nullptr);
    }
    CHECK(p.shake());
}

TEST_CASE("files that cannot be used are named in one line, with the cause") {
    tls_pair p;
    std::string expected;
    auto other = p.ca.issue("other");
    SUBCASE("missing certificate") { p.settings.certificate_file = p.dir / "nowhere.pem", expected = "No such file"; }
    SUBCASE("certificate that is none") {
        std::ofstream(p.dir / "junk.pem") << "junk";
        p.settings.certificate_file = p.dir / "junk.pem", expected = "holds no PEM certificate";
    }
    SUBCASE("key of another certificate") {
        write_pem(p.dir / "other.key", other.key.get());
        p.settings.key_file = p.dir / "other.key", expected = "is not the key of certfile";
    }
    SUBCASE("missing key") { p.settings.key_file = p.dir / "nowhere.key", expected = "nowhere.key: No such file"; }
    SUBCASE("key that others can read") {
        write_pem(p.dir / "server.key", other.key.get(), 0644);
        expected = "mode 0644 lets others read it";
    }
    SUBCASE("no CA") { p.settings.ca_file.clear(), expected = "cafile or capath is needed"; }
    SUBCASE("missing CA") { p.settings.ca_file = p.dir / "ca2.pem", expected = "ca2.pem: No such file"; }
    SUBCASE("bad groups") { p.settings.groups = "X25520", expected = "tls groups"; }
    auto r = tls_context::load(p.settings);
    REQUIRE_FALSE(r.has_value());
    CAPTURE(r.error().text);
    CHECK(r.error().text.find(expected) != std::string::npos);
    CHECK(r.error().text.find('\n') == std::string::npos);
}

TEST_CASE("a reload swaps whole sets: a bad one keeps the old, connections keep theirs") {
    tls_pair p;
    auto made = tls::make(p.settings);
    REQUIRE(made.has_value());
    auto& t = **made;
    auto const before = t.current();
    auto next = p.ca.issue("renewed");
    write_pem(p.dir / "server.pem", next.certificate.get());
    CHECK_FALSE(t.reload().has_value());  // the key is still the old one
    CHECK(t.current() == before);
    write_pem(p.dir / "server.key", next.key.get());
    CHECK(t.reload().has_value());
    CHECK(t.current() != before);
    CHECK(X509_cmp(SSL_CTX_get0_certificate(t.current()->native()), next.certificate.get()) == 0);
}

TEST_CASE("D12: a chain without end, or a key that costs seconds to compute with, is refused before anything is computed") {
    tls_pair p;
    auto device = p.ca.issue("dev-1");
    SUBCASE("120 certificates") {
        p.make(&device);
        for (int i = 0; i < 120; ++i) REQUIRE(SSL_CTX_add1_chain_cert(p.client_ctx.get(), p.ca.issue(("c" + std::to_string(i)).c_str()).certificate.get()) == 1);
    }
    SUBCASE("RSA of 16,384 bits in the chain") {
        p.make(&device);
        BIGNUM* n = BN_new();
        REQUIRE(BN_rand(n, 16384, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1);   // no key that anybody has: nobody may even try
        std::vector<unsigned char> modulus(2048);
        BN_bn2bin(n, modulus.data());
        BN_free(n);
        // SubjectPublicKeyInfo by hand: OpenSSL makes no keys of this size in a test's time.
        std::vector<unsigned char> key{0x30, 0x82, 0x08, 0x0A, 0x02, 0x82, 0x08, 0x01, 0x00};
        key.insert(key.end(), modulus.begin(), modulus.end());
        key.insert(key.end(), {0x02, 0x03, 0x01, 0x00, 0x01});
        unsigned char const* at = key.data();
        std::unique_ptr<EVP_PKEY, test::x509_free> huge{d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(key.size()))};
        REQUIRE(huge);
        std::unique_ptr<X509, test::x509_free> big{X509_dup(device.certificate.get())};
        REQUIRE(X509_set_pubkey(big.get(), huge.get()) == 1);
        REQUIRE(X509_sign(big.get(), device.key.get(), EVP_sha256()) > 0);
        REQUIRE(SSL_CTX_add1_chain_cert(p.client_ctx.get(), big.get()) == 1);
    }
    // The client's SSL was made before its chain.
    p.client.reset(SSL_new(p.client_ctx.get()));
    SSL_set_fd(p.client.get(), p.fd[1]);
    SSL_set_connect_state(p.client.get());
    CHECK_FALSE(p.shake());
    CHECK((p.why == "certificate verify failed" || p.why == "excessive message size"));
    CHECK(SSL_get_verify_result(p.server.get()) != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_CASE("D03 D04: no version below what is configured, none below 1.2 whatever that is, and nobody renegotiates") {
    tls_pair p;
    p.settings.version_min = TLS1_2_VERSION;
    auto device = p.ca.issue("dev-1");
    SUBCASE("TLS 1.1") {
        p.make(&device, TLS1_1_VERSION);
        SSL_set_security_level(p.client.get(), 0);
        CHECK_FALSE(p.shake());
    }
    SUBCASE("TLS 1.2 where 1.3 is the least, as it is unless written") {
        p.settings.version_min = tls_settings{}.version_min;
        p.make(&device, TLS1_2_VERSION);
        CHECK_FALSE(p.shake());
    }
    SUBCASE("renegotiation by the client") {
        p.make(&device, TLS1_2_VERSION);
        REQUIRE_MESSAGE(p.shake(), p.why);
        REQUIRE(p.carries(p.client.get(), p.server.get(), "before"));
        REQUIRE(SSL_renegotiate(p.client.get()) == 1);
        for (int i = 0; i < 4; ++i) {
            char c;
            CHECK(SSL_do_handshake(p.client.get()) != 1);
            (void)SSL_read(p.server.get(), &c, 1);
        }
        take_openssl_error();
        CHECK(SSL_num_renegotiations(p.server.get()) == 0);
    }
}

namespace {

/// A second connection of the same client to the same context, with the session of the first.
void come_back(tls_pair& p) {
    REQUIRE(p.carries(p.server.get(), p.client.get(), "with the ticket"));
    std::unique_ptr<SSL_SESSION, ssl_free> session{SSL_get1_session(p.client.get())};
    REQUIRE(SSL_SESSION_is_resumable(session.get()) == 1);
    CHECK(SSL_SESSION_get_max_early_data(session.get()) == 0);   // D15
    SSL_set_shutdown(p.client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);   // else OpenSSL takes the session for a broken one
    p.client.reset(), p.server.reset();
    ::close(p.fd[0]), ::close(p.fd[1]);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd.data()) == 0);
    p.server = p.context->accept(p.fd[0]);
    p.client.reset(SSL_new(p.client_ctx.get()));
    SSL_set_fd(p.client.get(), p.fd[1]);
    SSL_set_connect_state(p.client.get());
    REQUIRE(SSL_set_session(p.client.get(), session.get()) == 1);
}

}

TEST_CASE("D07 D15: a ticket resumes with the same identity, without early data, and asks for the authority again") {
    tls_pair p;
    p.settings.tickets = 1, p.settings.keep_issuer = true;
    auto device = p.ca.issue("dev-1");
    p.make(&device);
    REQUIRE(p.shake());
    auto const first = p.context->question_about_peer(p.server.get());
    REQUIRE(first);
    come_back(p);
    std::size_t written = 0;
    CHECK(SSL_write_early_data(p.client.get(), "too early", 9, &written) != 1);
    take_openssl_error();
    REQUIRE_MESSAGE(p.shake(), p.why);
    CHECK(SSL_session_reused(p.server.get()) == 1);
    CHECK(X509_cmp(SSL_get0_peer_certificate(p.server.get()), device.certificate.get()) == 0);
    auto const again = p.context->question_about_peer(p.server.get());
    REQUIRE(again);
    CHECK(again->id() == first->id());
}

TEST_CASE("D07: a ticket lets nobody in who would be refused now") {
    tls_pair p;
    p.settings.tickets = 1;
    auto device = p.ca.issue("dev-1");
    p.make(&device);
    REQUIRE(p.shake());
    come_back(p);
    SUBCASE("what is asked of certificates has changed") {
        X509_VERIFY_PARAM_set_flags(SSL_get0_param(p.server.get()), X509_V_FLAG_CRL_CHECK);   // and there is no list
        CHECK_FALSE(p.shake());
        CHECK(SSL_session_reused(p.server.get()) == 0);
    }
    SUBCASE("a reload has changed the keys of tickets") {
        write_pem(p.dir / "crl.pem", p.ca.revoke(device.certificate.get()).get());
        p.settings.crl_file = p.dir / "crl.pem";
        p.context = *tls_context::load(p.settings);
        p.server = p.context->accept(p.fd[0]);
        CHECK_FALSE(p.shake());
    }
}
