#include "storage/firmware/envelope.hpp"

#include "storage/firmware/files.hpp"
#include "tests/support/results.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <sys/stat.h>

using namespace airmail::storage::firmware;
using airmail::testing::temp_dir;

namespace {

signers trusting(std::initializer_list<private_key> keys, std::size_t threshold = 1) {
    signers s;
    for (auto const& k : keys) s.keys.push_back(k.public_part());
    s.threshold = threshold;
    return s;
}

void write(std::string const& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

}

TEST_CASE("what is signed is exactly DSSEv1, lengths, type and payload") {
    CHECK(pre_authentication_encoding("http://example.com/HelloWorld", "hello world") == "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    CHECK(pre_authentication_encoding("", "") == "DSSEv1 0  0 ");
}

TEST_CASE("a sealed payload opens for the trusted key and for no other") {
    for (auto alg : {algorithm::ed25519, algorithm::ecdsa_p256_sha256}) {
        CAPTURE(name_of(alg));
        auto key = private_key::generate(alg).value(), other = private_key::generate(alg).value();
        std::string payload("{\"a\":1}\0\n ", 10);
        auto e = envelope::parse(seal(release_type, payload, key)->to_json()).value();
        CHECK(verify(e, release_type, trusting({key})).value() == payload);
        CHECK(verify(e, release_type, trusting({other})).error() == errc::bad_signature);
        CHECK(verify(e, command_type, trusting({key})).error() == errc::wrong_type);
        CHECK(verify(e, release_type, trusting({})).error() == errc::bad_signature);
        CHECK(verify(e, release_type, trusting({key}, 0)).error() == errc::bad_signature);
    }
}

TEST_CASE("a changed byte anywhere in an envelope refuses it") {
    for (auto alg : {algorithm::ed25519, algorithm::ecdsa_p256_sha256}) {
        auto key = private_key::generate(alg).value();
        auto who = trusting({key});
        auto good = seal(release_type, R"({"version":"1.2.3","model":["TX-100"]})", key)->to_json();
        REQUIRE(verify(envelope::parse(good).value(), release_type, who));
        int accepted = 0;
        for (std::size_t i = 0; i < good.size(); ++i) {
            for (int flip : {0x01, 0x02, 0x04, 0x20, 0x80, 0xff}) {
                auto bad = good;
                bad[i] = char(bad[i] ^ flip);
                auto e = envelope::parse(bad);
                if (e && verify(*e, release_type, who)) ++accepted;
            }
            auto e = envelope::parse(good.substr(0, i));
            if (e && verify(*e, release_type, who)) ++accepted;
        }
        CHECK(accepted == 0);
    }
}

TEST_CASE("a threshold of two wants two different people") {
    auto a = private_key::generate().value(), b = private_key::generate(algorithm::ecdsa_p256_sha256).value(), c = private_key::generate().value();
    auto who = trusting({a, b}, 2);
    auto e = seal(release_type, "x", a).value();
    CHECK_FALSE(verify(e, release_type, who));
    SUBCASE("the same one twice is one") {
        e.sigs.push_back(e.sigs[0]);
        CHECK_FALSE(verify(e, release_type, who));
    }
    SUBCASE("a stranger does not count") {
        REQUIRE(add_signature(e, c));
        CHECK_FALSE(verify(e, release_type, who));
    }
    SUBCASE("a second one does, beside a stranger") {
        REQUIRE(add_signature(e, c));
        REQUIRE(add_signature(e, b));
        CHECK(verify(e, release_type, who));
    }
    SUBCASE("signing again replaces") {
        REQUIRE(add_signature(e, a));
        CHECK(e.sigs.size() == 1);
    }
}

TEST_CASE("malformed envelopes are refused") {
    auto key = private_key::generate().value();
    auto e = seal(release_type, "x", key).value();
    for (auto bad : {"", "{}", "[]", "null", R"({"payload":"eA==","type":"t","sigs":[]})", R"({"payload":"eA==","type":"t","sigs":[{}]})",
                     R"({"payload":"eA==","type":"t","sigs":{}})", R"({"payload":1,"type":"t","sigs":[{"kid":"","alg":"","sig":""}]})",
                     R"({"payload":"eA==","type":"t","sigs":[{"kid":"","alg":"","sig":""}],"more":1})",
                     R"({"payload":"eA==","type":"t","sigs":[{"kid":"","alg":"","sig":"","more":1}]})"})
        CHECK_MESSAGE(envelope::parse(bad).error() == errc::bad_format, bad);
    CHECK(envelope::parse(std::string(70000, ' ')).error() == errc::too_large);
    CHECK_FALSE(envelope::parse(std::string(5000, '[')));
    auto many = e;
    for (int i = 0; i < 20; ++i) many.sigs.push_back(e.sigs[0]);
    CHECK_FALSE(envelope::parse(many.to_json()));
}

TEST_CASE("a key file is its owner's alone, and is never written over") {
    temp_dir dir;
    auto key = private_key::generate().value();
    REQUIRE(key.save_new(dir / "k.pem"));
    CHECK_FALSE(key.save_new(dir / "k.pem"));
    CHECK(private_key::load(dir / "k.pem")->kid() == key.kid());
    REQUIRE(::chmod((dir / "k.pem").c_str(), 0644) == 0);
    CHECK(private_key::load(dir / "k.pem").error() == errc::unsafe_file);
    CHECK(private_key::load(dir / "none.pem").error() == errc::not_found);
    REQUIRE(write_new_file(dir / "junk.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0600));
    CHECK(private_key::load(dir / "junk.pem").error() == errc::bad_key);
}

TEST_CASE("a key id is the beginning of the hash of its SubjectPublicKeyInfo") {
    auto key = private_key::generate().value();
    auto p = key.public_part();
    CHECK(p.kid() == to_hex(sha256_of(p.der())).substr(0, 16));
    CHECK(public_key::from_pem(p.pem())->kid() == p.kid());
    CHECK(public_key::from_der(p.der())->kid() == p.kid());
    auto longer = p.der();
    longer.push_back(0);
    CHECK(public_key::from_der(longer).error() == errc::bad_key);
}

TEST_CASE("keys of other kinds and encrypted ones are refused, and nobody is asked for a password") {
    temp_dir dir;
    auto make = [&](std::string const& how) { return std::system(("umask 077; openssl " + how + " -out " + (dir / "k.pem") + " 2>/dev/null </dev/null").c_str()); };
    for (auto how : {"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
                     "genpkey -algorithm ED25519 -aes256 -pass pass:secret", "genpkey -algorithm X25519"}) {
        CAPTURE(how);
        REQUIRE(make(how) == 0);
        CHECK(private_key::load(dir / "k.pem").error() == errc::bad_key);
        REQUIRE(::unlink((dir / "k.pem").c_str()) == 0);
    }
    REQUIRE(make("genpkey -algorithm ED25519") == 0);
    CHECK(private_key::load(dir / "k.pem"));
}

TEST_CASE("a stock OpenSSL verifies what we sign and signs what we verify") {
    temp_dir dir;
    auto run = [](std::string const& command) { return std::system((command + " >/dev/null 2>&1").c_str()); };
    for (auto alg : {algorithm::ed25519, algorithm::ecdsa_p256_sha256}) {
        CAPTURE(name_of(alg));
        auto key = private_key::generate(alg).value();
        auto e = seal(release_type, R"({"version":"1.0"})", key).value();
        std::string digest = alg == algorithm::ed25519 ? "" : " -digest sha256";
        write(dir / "pub.pem", key.public_part().pem());
        write(dir / "pae", pre_authentication_encoding(e.type, e.payload));
        write(dir / "sig", as_text(e.sigs[0].sig));
        std::string check = "openssl pkeyutl -verify -rawin" + digest + " -pubin -inkey " + (dir / "pub.pem") + " -in " + (dir / "pae") + " -sigfile ";
        CHECK(run(check + (dir / "sig")) == 0);
        auto bent = e.sigs[0].sig;
        bent.back() ^= 1;
        write(dir / "bent", as_text(bent));
        CHECK(run(check + (dir / "bent")) != 0);

        REQUIRE(replace_file(dir / "key.pem", key.pem(), 0600));
        REQUIRE(run("openssl pkeyutl -sign -rawin" + digest + " -inkey " + (dir / "key.pem") + " -in " + (dir / "pae") + " -out " + (dir / "theirs")) == 0);
        auto theirs = read_small_file(dir / "theirs", secrecy::anyone).value();
        e.sigs[0].sig.assign(theirs.begin(), theirs.end());
        CHECK(verify(e, release_type, trusting({key})));
    }
}
