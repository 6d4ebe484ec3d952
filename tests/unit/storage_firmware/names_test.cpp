#include "storage/firmware/semver.hpp"

#include "storage/firmware/ids.hpp"
#include "tests/support/results.hpp"

#include <doctest/doctest.h>
#include <random>
#include <set>

using namespace airmail::storage::firmware;

namespace {

std::string random_version(std::mt19937& r) {
    std::string s = r() % 2 ? "v" : "";
    int parts = 1 + int(r() % 4);
    for (int i = 0; i < parts; ++i) s += (i ? "." : "") + std::to_string(r() % 3);
    static char const* const pre[] = {"", "", "-rc.1", "-rc.2", "-rc.10", "-alpha", "-1", "-rc", "-01", "-rc.x"};
    s += pre[r() % 10];
    return s + (r() % 4 == 0 ? "+b" + std::to_string(r() % 3) : "");
}

}

TEST_CASE("versions order as Semantic Versioning says [section 11]") {
    char const* rising[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                            "v1", "1.0.0.1", "1.0.1", "V1.1", "1.9.0", "1.10.0", "2"};
    for (std::size_t i = 0; i + 1 < std::size(rising); ++i) CHECK_MESSAGE(compare_versions(rising[i], rising[i + 1]) < 0, rising[i]);
    CHECK(compare_versions("1.0", "v1.0.0+build.7") == 0);
    CHECK(compare_versions("1.0.0-1", "1.0.0-01") == 0);
    CHECK(compare_versions("unknown", "0.0.0-0") < 0);
    CHECK(compare_versions("abc", "abd") < 0);
}

TEST_CASE("texts that are no versions are refused") {
    for (auto bad : {"", "v", "x", "1.", ".1", "1..2", "1.2.3.4.5", "1.0-", "1.0+", "1.0-a..b", "1.0-\xc3\xa4", "1 .0", "vv1", "-1", "1.0-a_b", "99999999999999999999999"})
        CHECK_MESSAGE(version::parse(bad).error() == errc::bad_format, bad);
    CHECK_FALSE(version::parse("1." + std::string(70, '1')));
    CHECK(version::parse(" v1.2 "));
}

TEST_CASE("the order of versions is total: antisymmetric and transitive, for any three") {
    std::mt19937 r(7);
    for (int i = 0; i < 20000; ++i) {
        auto a = version::parse(random_version(r)).value(), b = version::parse(random_version(r)).value(), c = version::parse(random_version(r)).value();
        CHECK_FALSE(((a < b) && (b < a)));
        CHECK((a < b) == (b > a));
        CHECK((a == b) == ((a <=> b) == 0));
        if (a <= b && b <= c) CHECK(a <= c);
        if (a == b) CHECK((a <=> c) == (b <=> c));
    }
}

TEST_CASE("a range holds what its words say") {
    auto holds = [](char const* range, char const* v) { return version_range::parse(range).value().contains(std::string_view(v)); };
    CHECK(holds("<v1.1.0 >=1.0", "1.0.5"));
    CHECK_FALSE(holds("<v1.1.0 >=1.0", "1.1.0"));
    CHECK_FALSE(holds("<v1.1.0 >=1.0", "0.9"));
    CHECK(holds("< v1.1.0", "v1.0.9"));                          // as the architecture document writes it
    CHECK(holds("<v1.1.0", "1.1.0-rc.1"));
    CHECK(holds(">=1,<2", "1.5"));
    CHECK(holds(">=1<2", "1.5"));
    CHECK(holds("1.0 || =3.1", "v1.0.0"));
    CHECK(holds("1.0||3.1", "3.1"));
    CHECK_FALSE(holds("1.0||3.1", "2"));
    CHECK(holds("!=1.0", "1.0.1"));
    CHECK_FALSE(holds("!=1.0", "1.0.0"));
    CHECK(holds("", "anything at all"));
    CHECK(holds("*", "unknown"));
    CHECK_FALSE(holds(">=0", "unknown"));
    for (auto bad : {"<", "<<1", ">= ", "1 ||", "|| 1", "||", "<x", "1 - 2", "=>1", "*1", "! 1"}) CHECK_MESSAGE(version_range::parse(bad).has_error(), bad);
}

TEST_CASE("for any two versions a range agrees with the order") {
    std::mt19937 r(11);
    for (int i = 0; i < 5000; ++i) {
        auto a = random_version(r), b = random_version(r);
        auto order = compare_versions(a, b);
        CHECK(version_range::parse("<" + b)->contains(std::string_view(a)) == (order < 0));
        CHECK(version_range::parse(">=" + b)->contains(std::string_view(a)) == (order >= 0));
        CHECK(version_range::parse("=" + b)->contains(std::string_view(a)) == (order == 0));
        CHECK(version_range::parse("<" + b + " || >" + b)->contains(std::string_view(a)) == (order != 0));
        CHECK_FALSE(version_range::parse("<" + b + " >" + b)->contains(std::string_view(a)));
    }
}

TEST_CASE("UUIDs are those of RFC 9562") {
    auto dns = parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8").value();
    CHECK(to_string(uuid_v5(dns, "www.example.com")) == "2ed6657d-e927-568b-95e1-2665a8aea6a2");       // its appendix A.4
    CHECK(to_string(parse_uuid("2ED6657D-E927-568B-95E1-2665A8AEA6A2").value()) == "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    for (auto bad : {"", "2ed6657de927568b95e12665a8aea6a2", "2ed6657d-e927-568b-95e1-2665a8aea6ag", "2ed6657d-e927-568b-95e12-665a8aea6a2"}) CHECK_FALSE(parse_uuid(bad));
    std::set<std::string> seen;
    std::string last;
    for (std::int64_t ms = 1'700'000'000'000; ms < 1'700'000'000'500; ++ms) {
        auto id = new_id(ms);
        CHECK(id[14] == '7');
        CHECK((id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b'));
        CHECK(last < id);                                        // sorts by time
        last = id;
        seen.insert(id);
    }
    CHECK(seen.size() == 500);
    CHECK(to_string(uuid_v7(0x0123456789ab)).starts_with("01234567-89ab-7"));
}

TEST_CASE("a device's id follows from tenant and serial number alone, a command's from campaign, device and attempt") {
    CHECK(device_id(0, "TX-1") == device_id(0, "TX-1"));
    CHECK(device_id(0, "TX-1") != device_id(1, "TX-1"));
    CHECK(device_id(0, "TX-1") != device_id(0, "TX-2"));
    CHECK(device_id(0, "TX-1") == "fe2ecdc4-b394-55e8-9644-bdf009f86a4b");          // as any other UUIDv5 computes it: this must never change
    CHECK(command_id("c", "d", 1) == command_id("c", "d", 1));
    CHECK(command_id("c", "d", 1).size() == 32);
    CHECK(command_id("c", "d", 1) != command_id("c", "d", 2));
    CHECK(command_id("ab", "c", 1) != command_id("a", "bc", 1));
}

TEST_CASE("a serial number is 1 to 64 of the characters that need no care") {
    CHECK(is_serial_no("TX-100_a.b:c"));
    CHECK(is_serial_no(std::string(64, 'x')));
    for (auto bad : {"", "a/b", "a+b", "a#", "a b", "\xc3\xa4", "a%", "a\n"}) CHECK_FALSE(is_serial_no(bad));
    CHECK_FALSE(is_serial_no(std::string(65, 'x')));
}
