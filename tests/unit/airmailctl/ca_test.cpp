#include "tools/airmailctl/ca.hpp"

#include "tests/support/certs.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/airmailctl/x509.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sys/stat.h>

using namespace airmail::ctl;
using airmail::testing::certs;
using airmail::testing::temp_dir;

namespace {

int run(std::string const& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }

std::string output(std::string const& command) {
    temp_dir dir;
    REQUIRE(std::system((command + " > " + (dir / "out") + " 2>&1").c_str()) == 0);
    std::ifstream in(dir / "out");
    return {std::istreambuf_iterator<char>(in), {}};
}

bool has(std::string const& text, std::string const& what) { return text.find(what) != text.npos; }

unsigned mode_of(std::string const& path) {
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    return st.st_mode & 0777;
}

exit_code code_of(auto const& f) {
    try {
        f();
    } catch (failure const& e) {
        return e.code();
    }
    return exit_code(0);
}

}

TEST_CASE("a new CA lies in a private directory and signs nothing below its children") {
    temp_dir dir;
    auto ca = certificate_authority::create(dir / "ca");
    CHECK(mode_of(dir / "ca") == 0700);
    CHECK(mode_of(dir / "ca/ca.key") == 0600);
    CHECK(mode_of(dir / "ca/ca.crt") == 0644);
    CHECK(mode_of(dir / "ca/index.jsonl") == 0600);
    auto text = output("openssl x509 -noout -text -in " + (dir / "ca/ca.crt"));
    CHECK(has(text, "CA:TRUE, pathlen:0"));
    CHECK(has(text, "Certificate Sign, CRL Sign"));
    CHECK(has(text, "prime256v1"));
    CHECK(run("openssl verify -CAfile " + (dir / "ca/ca.crt") + " " + (dir / "ca/ca.crt")) == 0);
    CHECK(code_of([&] { certificate_authority::create(dir / "ca"); }) == exit_code::refused);
}

TEST_CASE("a device's certificate names it in CN, SAN URI and, where it is a host name, SAN DNS, and is for clients only") {
    certs c;
    auto d = c.device("TX-0001");
    auto text = output("openssl x509 -noout -text -in " + d.certificate);
    CHECK(has(text, "Subject: CN = TX-0001"));
    CHECK(has(text, "URI:urn:airmail:device:TX-0001"));
    CHECK(has(text, "DNS:TX-0001"));
    CHECK(has(text, "TLS Web Client Authentication"));
    CHECK_FALSE(has(text, "TLS Web Server Authentication"));
    CHECK(has(text, "CA:FALSE"));
    CHECK(mode_of(d.key) == 0600);
    auto verify = "openssl verify -x509_strict -CAfile " + c.ca_file();
    CHECK(run(verify + " -purpose sslclient " + d.certificate) == 0);
    CHECK(run(verify + " -purpose sslserver " + d.certificate) != 0);
    text = output("openssl x509 -noout -text -in " + c.device("a_b:c").certificate);
    CHECK(has(text, "URI:urn:airmail:device:a_b:c"));
    CHECK_FALSE(has(text, "DNS:"));
}

TEST_CASE("a server's certificate carries every name it was asked for") {
    certs c;
    auto text = output("openssl x509 -noout -text -in " + c.server().certificate);
    CHECK(has(text, "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"));
    auto verify = "openssl verify -x509_strict -purpose sslserver -CAfile " + c.ca_file();
    CHECK(run(verify + " -verify_hostname localhost " + c.server().certificate) == 0);
    CHECK(run(verify + " -verify_ip 127.0.0.1 " + c.server().certificate) == 0);
    CHECK(run(verify + " -verify_hostname example.com " + c.server().certificate) != 0);
    auto wild = c.ca().issue_server({"*.fleet.example.com"});
    CHECK(wild.serial.size() == 32);
}

TEST_CASE("names that would mean something else are refused") {
    certs c;
    for (auto bad : {"", "a/b", "a,b", "a b", "a\nb", "DNS:x", "-a", "a-", "a..b", "*", "a.*.b", "\xc3\xa4"})
        CHECK_MESSAGE(code_of([&] { c.ca().issue_server({bad}); }) == exit_code::usage, bad);
    CHECK(code_of([&] { c.ca().issue_server({}); }) == exit_code::usage);
    for (auto bad : {"", "a/b", "a,URI:x", "a+", "a#", "\xc3\xa4"}) CHECK_MESSAGE(code_of([&] { c.ca().issue_device(bad); }) == exit_code::usage, bad);
    CHECK(code_of([&] { c.ca().issue_device(std::string(65, 'x')); }) == exit_code::usage);
    CHECK(code_of([&] { c.ca().issue_device("x", 0); }) == exit_code::usage);
}

TEST_CASE("no certificate outlives its CA, and an expired CA issues none") {
    std::int64_t now = 1'800'000'000;
    auto ca = certificate_authority::in_memory({.days = 10, .now = [&] { return now; }});
    CHECK(ca.issue_device("d", 3650).not_after == now + 10 * 86400);
    now += 11 * 86400;
    CHECK(code_of([&] { ca.issue_device("d"); }) == exit_code::refused);
}

TEST_CASE("a revoked certificate fails where the list is looked at, others do not") {
    temp_dir dir;
    auto ca = certificate_authority::create(dir / "ca");
    write_issued(ca.issue_device("one"), dir / "one");
    write_issued(ca.issue_device("two"), dir / "two");
    auto check = [&](char const* who) {
        return run("openssl verify -crl_check -CAfile " + (dir / "ca/ca.crt") + " -CRLfile " + (dir / "ca/ca.crl") + " " + (dir / who) + ".crt") == 0;
    };
    CHECK(check("one"));
    CHECK(ca.revoke("one") == 1);
    CHECK_FALSE(check("one"));
    CHECK(check("two"));
    CHECK(code_of([&] { ca.revoke("one"); }) == exit_code::not_found);
    CHECK(code_of([&] { ca.revoke("three"); }) == exit_code::not_found);
    CHECK(has(output("openssl crl -noout -text -in " + (dir / "ca/ca.crl")), "X509v3 CRL Number: \n                2"));
}

TEST_CASE("revoking an id revokes all its living certificates, a serial only that one") {
    auto ca = certificate_authority::in_memory();
    auto first = ca.issue_device("d");
    ca.issue_device("d");
    ca.issue_device("d");
    CHECK(ca.revoke(first.serial) == 1);
    CHECK(ca.revoke("d") == 2);
    for (auto const& e : ca.list()) CHECK(e.revoked_at);
}

TEST_CASE("the index survives a restart and an append that a crash cut short") {
    temp_dir dir;
    std::string serial;
    {
        auto ca = certificate_authority::create(dir / "ca");
        ca.issue_server({"localhost"});
        serial = ca.issue_device("one").serial;
        ca.revoke("one");
    }
    std::ofstream(dir / "ca/index.jsonl", std::ios::app) << R"({"op":"issue","serial":"00)";
    auto ca = certificate_authority::open(dir / "ca");
    auto two = ca.issue_device("two");
    auto again = certificate_authority::open(dir / "ca");
    auto all = again.list();
    REQUIRE(all.size() == 3);
    CHECK(all[0].kind == certificate_kind::server);
    CHECK(all[1].serial == serial);
    CHECK(all[1].revoked_at);
    CHECK(all[2].id == "two");
    CHECK(std::filesystem::exists(dir / ("ca/issued/" + two.serial + ".crt")));
    std::ofstream(dir / "ca/index.jsonl", std::ios::app) << "junk\n";
    CHECK_THROWS_WITH_AS(certificate_authority::open(dir / "ca"), doctest::Contains("is damaged"), failure);
}

TEST_CASE("two openers see what the other has issued before they revoke") {
    temp_dir dir;
    certificate_authority::create(dir / "ca");
    auto a = certificate_authority::open(dir / "ca"), b = certificate_authority::open(dir / "ca");
    a.issue_device("one");
    b.issue_device("two");
    CHECK(a.revoke("two") == 1);
    CHECK(b.revoke("one") == 1);
    CHECK(has(output("openssl crl -noout -text -in " + (dir / "ca/ca.crl")), "X509v3 CRL Number: \n                3"));
}

TEST_CASE("a CA whose key others can read, is missing or does not fit is not used") {
    temp_dir dir;
    certificate_authority::create(dir / "ca");
    certificate_authority::create(dir / "other");
    CHECK(code_of([&] { certificate_authority::open(dir / "none"); }) == exit_code::not_found);
    REQUIRE(::chmod((dir / "ca/ca.key").c_str(), 0644) == 0);
    CHECK(code_of([&] { certificate_authority::open(dir / "ca"); }) == exit_code::refused);
    std::filesystem::copy_file(dir / "other/ca.crt", dir / "x.crt");
    REQUIRE(::chmod((dir / "ca/ca.key").c_str(), 0600) == 0);
    std::filesystem::rename(dir / "x.crt", dir / "ca/ca.crt");
    CHECK_THROWS_WITH_AS(certificate_authority::open(dir / "ca"), doctest::Contains("does not belong"), failure);
}

TEST_CASE("a device that made its own key gets a certificate for it, and only its key is taken from the request") {
    temp_dir dir;
    auto ca = certificate_authority::in_memory();
    REQUIRE(run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + (dir / "k") + " -out " + (dir / "r") +
                " -subj /CN=admin -addext subjectAltName=URI:urn:airmail:device:admin") == 0);
    std::ifstream in(dir / "r");
    std::string request{std::istreambuf_iterator<char>(in), {}};
    auto got = ca.issue_device_for_request("TX-1", request);
    CHECK(got.key_pem.empty());
    std::ofstream(dir / "c") << got.certificate_pem;
    auto text = output("openssl x509 -noout -text -in " + (dir / "c"));
    CHECK(has(text, "CN = TX-1"));
    CHECK_FALSE(has(text, "admin"));
    CHECK(output("openssl x509 -noout -pubkey -in " + (dir / "c")) == output("openssl pkey -pubout -in " + (dir / "k")));
    auto bent = request;
    bent[bent.size() / 2] = bent[bent.size() / 2] == 'A' ? 'B' : 'A';
    CHECK_THROWS_AS(ca.issue_device_for_request("TX-1", bent), failure);
    CHECK_THROWS_AS(ca.issue_device_for_request("TX-1", "nothing"), failure);
}

TEST_CASE("a written key is never written over") {
    temp_dir dir;
    auto ca = certificate_authority::in_memory();
    write_issued(ca.issue_device("d"), dir / "d", ca.certificate_pem());
    CHECK(mode_of(dir / "d.key") == 0600);
    CHECK_THROWS_AS(write_issued(ca.issue_device("d"), dir / "d"), failure);
}

TEST_CASE("serial numbers never repeat") {
    auto ca = certificate_authority::in_memory();
    std::set<std::string> seen;
    for (int i = 0; i < 200; ++i) CHECK(seen.insert(ca.issue_device("d").serial).second);
}
