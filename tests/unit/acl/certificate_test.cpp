#include "acl/certificate.hpp"
#include "acl/device_id.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <vector>

using namespace airmail::acl;

namespace {

struct san {
    int type;
    std::string text;
};

/// A certificate with these names, unsigned: only its words are read here.
std::shared_ptr<X509> certificate(std::vector<std::string> const& cns, std::vector<san> const& names) {
    std::shared_ptr<X509> x{X509_new(), X509_free};
    ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 0xBEEF);
    ASN1_TIME_set_string_X509(X509_getm_notAfter(x.get()), "20300102030405Z");
    auto* subject = X509_get_subject_name(x.get());
    for (auto const& cn : cns)
        X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(cn.data()), static_cast<int>(cn.size()), -1, 0);
    X509_NAME_add_entry_by_txt(subject, "OU", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>("lab"), -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x.get()), "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>("Test CA"), -1, -1, 0);
    if (names.empty()) return x;
    auto* all = GENERAL_NAMES_new();
    for (auto const& n : names) {
        auto* g = GENERAL_NAME_new();
        auto* text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, n.text.data(), static_cast<int>(n.text.size()));
        GENERAL_NAME_set0_value(g, n.type, text);
        sk_GENERAL_NAME_push(all, g);
    }
    X509_add1_ext_i2d(x.get(), NID_subject_alt_name, all, 0, 0);
    GENERAL_NAMES_free(all);
    return x;
}

certificate_source const uri{}, dns{certificate_field::san_dns, ""}, cn{certificate_field::cn, ""};

}

TEST_CASE("the one configured field names the device") {
    auto const x = certificate({"from-cn"}, {{GEN_URI, "urn:airmail:device:from-uri"}, {GEN_DNS, "from-dns"}});
    CHECK(*device_id(x.get(), uri) == "from-uri");
    CHECK(*device_id(x.get(), dns) == "from-dns");
    CHECK(*device_id(x.get(), cn) == "from-cn");
    auto const who = identify(x.get(), uri, 7);
    REQUIRE(who.has_value());
    CHECK(who->name == "from-uri");
    CHECK(who->role == "device");
    CHECK(who->tenant == 7);
    CHECK(who->how == proof::certificate);
    CHECK(who->certificate_serial == "BEEF");
    CHECK(who->issuer == "CN=Test CA");
    CHECK(who->not_after == 1893553445);
}

TEST_CASE("there is no falling back to another field") {
    auto const x = certificate({"from-cn"}, {});
    CHECK(device_id(x.get(), uri).error() == errc::no_identity);
    CHECK(device_id(x.get(), dns).error() == errc::no_identity);
    auto const y = certificate({}, {{GEN_DNS, "d"}});
    CHECK(device_id(y.get(), uri).error() == errc::no_identity);
    CHECK(device_id(y.get(), cn).error() == errc::no_identity);
}

TEST_CASE("two values of the field are refused, even equal ones") {
    auto const x = certificate({"a", "a"}, {{GEN_URI, "urn:airmail:device:a"}, {GEN_URI, "https://other/"}, {GEN_DNS, "a"}, {GEN_DNS, "a"}});
    for (auto const& from : {uri, dns, cn}) CHECK(device_id(x.get(), from).error() == errc::ambiguous_identity);
}

TEST_CASE("names with NUL, blanks, slashes or too many letters are refused") {
    for (std::string const& bad : {std::string{"a\0b", 3}, std::string{"a b"}, std::string{"a/b"}, std::string{"+"}, std::string{}, std::string(65, 'a'), std::string{".."}}) {
        auto const x = certificate({bad}, {{GEN_URI, "urn:airmail:device:" + bad}, {GEN_DNS, bad}});
        for (auto const& from : {uri, dns}) CHECK(device_id(x.get(), from).error() == errc::bad_identity);
        if (!bad.empty() && bad.size() < 65) CHECK(device_id(x.get(), cn).error() == errc::bad_identity);
    }
    CHECK(device_id(certificate({}, {{GEN_URI, "urn:other:a"}}).get(), uri).error() == errc::bad_identity);
    CHECK(valid_device_id(std::string(64, 'Z')));
    CHECK(valid_device_id("aA0._:-"));
    CHECK(!valid_device_id("\xC3\xA4"));
}

TEST_CASE("Mosquitto's use_identity_as_username and use_subject_as_username") {
    auto const x = certificate({"alice smith"}, {});
    CHECK(*common_name(x.get()) == "alice smith");
    CHECK(*subject_name(x.get()) == "OU=lab,CN=alice smith");
    CHECK(common_name(certificate({std::string{"a\0b", 3}}, {}).get()).error() == errc::bad_identity);
    CHECK(common_name(certificate({"a", "b"}, {}).get()).error() == errc::ambiguous_identity);
}

TEST_CASE("C06: wildcard and control characters are no identity, from a certificate or from a proxy (a_wildcard_identity, t_wildcard_cn)") {
    for (std::string const& bad : {std::string{"+"}, std::string{"#"}, std::string{"a+b"}, std::string{"dev/#"}, std::string{"a\nb"}, std::string{"a\x7f"}, std::string{"a\0b", 3}}) {
        CHECK(common_name(certificate({bad}, {}).get()).error() == errc::bad_identity);
        CHECK(device_id(certificate({bad}, {}).get(), cn).error() == errc::bad_identity);
        CHECK_FALSE(valid_common_name(bad));
    }
    CHECK_FALSE(valid_common_name(""));
    CHECK_FALSE(valid_common_name(std::string(257, 'a')));
    CHECK(valid_common_name("alice smith/lab"));
}
