#include "acl/crl.hpp"

#include "tests/unit/net/test_ca.hpp"

#include <chrono>
#include <cstdlib>
#include <doctest/doctest.h>
#include <openssl/x509_vfy.h>

using namespace airmail;
using acl::crl_set;

namespace {

struct store {
    explicit store(std::initializer_list<X509*> trusted) {
        for (auto* x : trusted) X509_STORE_add_cert(s, x);
    }
    ~store() { X509_STORE_free(s); }
    X509_STORE* s = X509_STORE_new();
};

boost::system::result<std::shared_ptr<crl_set const>, std::string> read(std::initializer_list<X509_CRL*> lists, store const& trusted) {
    BIO* b = BIO_new(BIO_s_mem());
    for (auto* l : lists) PEM_write_bio_X509_CRL(b, l);
    auto r = crl_set::read(b, trusted.s);
    BIO_free(b);
    return r;
}

std::int64_t now() { return std::time(nullptr); }
std::string hex(X509 const* x) {
    BIGNUM* n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), nullptr);
    char* text = BN_bn2hex(n);
    std::string out = text;
    OPENSSL_free(text), BN_free(n);
    return out;
}

}

TEST_CASE("D09: a list takes back whom it names and nobody else, by certificate and by what an identity keeps of it") {
    test::test_ca ca;
    auto const bad = ca.issue("bad"), good = ca.issue("good");
    auto const crl = ca.revoke(bad.certificate.get());
    store const trusted{ca.certificate()};
    auto const set = read({crl.get()}, trusted);
    REQUIRE(set);
    CHECK((*set)->entries() == 1);
    CHECK((*set)->check(bad.certificate.get(), now()) == crl_set::answer::revoked);
    CHECK((*set)->check(good.certificate.get(), now()) == crl_set::answer::good);
    acl::identity who;
    who.issuer = "CN=test CA";
    who.certificate_serial = hex(bad.certificate.get());
    CHECK((*set)->revoked(who));
    who.issuer = "CN=another CA";
    CHECK_FALSE((*set)->revoked(who));
    who.issuer = "CN=test CA", who.certificate_serial = hex(good.certificate.get());
    CHECK_FALSE((*set)->revoked(who));
    for (auto const* odd : {"", "X", "0", "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}) {
        who.certificate_serial = odd;
        CHECK_FALSE((*set)->revoked(who));
    }
}

TEST_CASE("D09: no list of its authority, and a list that has expired or is not yet valid, fail closed") {
    test::test_ca ca, other{"other CA"};
    auto const theirs = other.issue("x"), ours = ca.issue("y");
    auto const crl = ca.revoke(nullptr);
    store const trusted{ca.certificate(), other.certificate()};
    auto const set = read({crl.get()}, trusted);
    REQUIRE(set);
    CHECK((*set)->check(theirs.certificate.get(), now()) == crl_set::answer::no_list);
    CHECK((*set)->check(ours.certificate.get(), now()) == crl_set::answer::good);
    CHECK((*set)->check(ours.certificate.get(), now() + 2 * 86400) == crl_set::answer::expired);
    CHECK((*set)->check(ours.certificate.get(), now() - 86400) == crl_set::answer::not_yet_valid);
    CHECK((*set)->next_update() > now());
    // One per authority.
    auto const second = other.revoke(theirs.certificate.get());
    auto const both = read({crl.get(), second.get()}, trusted);
    REQUIRE(both);
    CHECK((*both)->lists() == 2);
    CHECK((*both)->check(theirs.certificate.get(), now()) == crl_set::answer::revoked);
}

TEST_CASE("D09: a list that nobody trusted has signed is refused, and so is what is no list") {
    test::test_ca ca, stranger{"stranger CA"}, namesake;
    store const trusted{ca.certificate()};
    CHECK(read({stranger.revoke(nullptr).get()}, trusted).error().find("signed by no authority") != std::string::npos);
    CHECK(read({namesake.revoke(nullptr).get()}, trusted).error().find("signed by no authority") != std::string::npos);
    CHECK(read({}, trusted).error() == "holds no PEM certificate revocation list");
}

TEST_CASE("D09: a hundred thousand entries (a million in the long run) are found by bisection and kept in 20 bytes each") {
    std::size_t const n = std::getenv("AIRMAIL_LONG") ? 1'000'000 : 100'000;
    test::test_ca ca;
    auto const crl = ca.revoke(nullptr);
    ASN1_TIME* t = X509_gmtime_adj(nullptr, -60);
    for (std::size_t i = 0; i < n; ++i) {
        X509_REVOKED* r = X509_REVOKED_new();
        ASN1_INTEGER* number = ASN1_INTEGER_new();
        ASN1_INTEGER_set_uint64(number, 1'000'000 + 2 * i);
        X509_REVOKED_set_serialNumber(r, number);
        X509_REVOKED_set_revocationDate(r, t);
        X509_CRL_add0_revoked(crl.get(), r);
        ASN1_INTEGER_free(number);
    }
    ASN1_TIME_free(t);
    REQUIRE(ca.sign_again(crl.get()));
    store const trusted{ca.certificate()};
    auto const began = std::chrono::steady_clock::now();
    auto const set = read({crl.get()}, trusted);
    auto const read_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
    REQUIRE(set);
    CHECK((*set)->entries() == n);
    acl::identity who;
    who.issuer = "CN=test CA";
    std::size_t found = 0;
    auto const asked = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 200'000; ++i) {
        char text[24];
        std::snprintf(text, sizeof text, "%lX", static_cast<unsigned long>(1'000'000 + (i * 7919) % (2 * n)));
        who.certificate_serial = text;
        found += (*set)->revoked(who);
    }
    auto const ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - asked).count() / 200'000;
    CHECK(found == doctest::Approx(100'000).epsilon(0.01));   // every second number is in it
    MESSAGE(n << " entries read in " << read_ms << " ms, one question takes " << ns << " ns");
}
