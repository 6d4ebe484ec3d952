#include "tools/airmailctl/device_bundle.hpp"

#include "storage/firmware/files.hpp"
#include "storage/firmware/release_manifest.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/airmailctl/firmware_keygen.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace airmail::ctl;
using airmail::testing::temp_dir;
namespace fw = airmail::storage::firmware;

namespace {

device_bundle sample(certificate_authority& ca, std::string const& id = "TX-1") {
    auto i = ca.issue_device(id);
    return {id, "broker.example.com", 8883, i.key_pem, i.certificate_pem, ca.certificate_pem(), R"({"payload":"eA=="})"};
}

}

TEST_CASE("a bundle holds all a device needs and comes back from its file") {
    temp_dir dir;
    auto ca = certificate_authority::in_memory();
    auto b = sample(ca);
    b.save(dir / "b.pem");
    auto got = device_bundle::load(dir / "b.pem");
    CHECK(got.id == "TX-1");
    CHECK(got.host == "broker.example.com");
    CHECK(got.port == 8883);
    CHECK(got.key_pem == b.key_pem);
    CHECK(got.certificate_pem == b.certificate_pem);
    CHECK(got.ca_pem == b.ca_pem);
    CHECK(got.keys_json == b.keys_json);
    CHECK_THROWS_AS(b.save(dir / "b.pem"), failure);
    REQUIRE(::chmod((dir / "b.pem").c_str(), 0640) == 0);
    CHECK_THROWS_AS(device_bundle::load(dir / "b.pem"), failure);
    b.host = "2001:db8::1";
    CHECK(device_bundle::parse(b.to_text()).host == "2001:db8::1");
}

TEST_CASE("a bundle is one file that every PEM reader takes for key, certificate and CA") {
    temp_dir dir;
    auto ca = certificate_authority::in_memory();
    sample(ca).save(dir / "b.pem");
    auto run = [](std::string const& c) { return std::system((c + " >/dev/null 2>&1").c_str()); };
    CHECK(run("openssl pkey -noout -in " + (dir / "b.pem")) == 0);
    CHECK(run("openssl x509 -noout -subject -in " + (dir / "b.pem")) == 0);
    CHECK(run("openssl verify -CAfile " + (dir / "b.pem") + " " + (dir / "b.pem")) == 0);
}

TEST_CASE("a bundle whose parts do not belong together is refused with the reason") {
    auto ca = certificate_authority::in_memory(), other = certificate_authority::in_memory();
    auto good = sample(ca);
    auto why = [](device_bundle const& b) {
        try {
            device_bundle::parse(b.to_text());
        } catch (failure const& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    CHECK(why(good).empty());
    auto b = good;
    b.key_pem = sample(ca).key_pem;
    CHECK(why(b) == "device bundle: the key does not belong to the certificate");
    b = good;
    b.ca_pem = other.certificate_pem();
    CHECK(why(b) == "device bundle: the certificate is not of this CA");
    b = good;
    b.id = "TX-2";
    CHECK(why(b) == "device bundle: the certificate is of TX-1, not of TX-2");
    b = good;
    b.ca_pem.clear();
    CHECK(why(b) == "device bundle: there is no CERTIFICATE");
    b = good;
    b.key_pem.clear();
    CHECK(why(b) == "device bundle: there is no PRIVATE KEY");
    b = good;
    b.port = 0;
    CHECK(why(b) == "device bundle: the line Airmail-Broker is missing or wrong");
}

TEST_CASE("keygen makes a private and a public file and writes over neither") {
    temp_dir dir;
    auto kid = firmware_keygen(dir / "release.pem");
    CHECK(fw::private_key::load(dir / "release.pem")->kid() == kid);
    CHECK(fw::public_key::load(dir / "release.pem.pub")->kid() == kid);
    CHECK_THROWS_WITH_AS(firmware_keygen(dir / "release.pem"), doctest::Contains("exists already"), failure);
    CHECK(firmware_keygen(dir / "p256.pem", fw::algorithm::ecdsa_p256_sha256).size() == 16);
}

TEST_CASE("a first trust verifies itself, and its release key signs what its list accepts") {
    temp_dir dir;
    auto p = make_trust(dir / "trust", {.root_keys = 3, .root_threshold = 2, .expires = 5000});
    CHECK(p.root.size() == 3);
    auto e = fw::envelope::parse(fw::read_small_file(p.keys_json, fw::secrecy::anyone).value()).value();
    auto list = fw::verify_keys(e, 1000).value();
    CHECK(list.version == 1);
    CHECK(list.roles.at("root").threshold == 2);
    auto release = fw::private_key::load(p.release).value(), command = fw::private_key::load(p.command).value();
    auto sealed = fw::seal(fw::release_type, "x", release).value();
    CHECK(fw::verify(sealed, fw::release_type, list.signers_of("release")));
    CHECK_FALSE(fw::verify(sealed, fw::release_type, list.signers_of("command")));        // roles do not stand in for each other
    CHECK_FALSE(fw::verify(fw::seal(fw::release_type, "x", command).value(), fw::release_type, list.signers_of("release")));
    CHECK_THROWS_AS(make_trust(dir / "trust", {.expires = 5000}), failure);
    CHECK_THROWS_AS(make_trust(dir / "t2", {.root_keys = 1, .root_threshold = 2, .expires = 5000}), failure);
    CHECK_THROWS_AS(make_trust(dir / "t2", {}), failure);
}
