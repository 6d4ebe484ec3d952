#include "storage/firmware/release_manifest.hpp"

#include "storage/firmware/command_envelope.hpp"
#include "storage/firmware/files.hpp"
#include "storage/firmware/keys_json.hpp"
#include "tests/support/results.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace airmail::storage::firmware;
using airmail::testing::temp_dir;

namespace {

release_manifest sample() {
    release_manifest m;
    m.model = {"TX-100", "TX-110"};
    m.hw = {"revB"};
    m.version = "v1.2.0";
    m.security_counter = 7;
    m.min_from_version = "1.0";
    m.must_pass = {"network", "sensor"};
    m.created = 1'700'000'000;
    return m;
}

signers trusting(private_key const& k) { return {{k.public_part()}, 1}; }

}

TEST_CASE("a manifest comes back as it was written, and tomorrow's members do no harm") {
    auto m = sample();
    m.components = {{"image", sha256_of("x"), 1}, {"radio", sha256_of("y"), std::uint64_t(5) << 32}};
    m.expires = 1'800'000'000;
    auto text = m.to_json();
    auto back = release_manifest::parse(text).value();
    CHECK(back.to_json() == text);
    CHECK(back.components[1].size == std::uint64_t(5) << 32);
    CHECK(release_manifest::parse(text.substr(0, text.size() - 1) + R"(,"later":{"a":[1]}})"));
}

TEST_CASE("a manifest that lacks what it must say is refused") {
    auto m = sample();
    m.components = {{"image", sha256_of("x"), 1}};
    auto broken = [&](auto change) {
        auto copy = m;
        change(copy);
        return release_manifest::parse(copy.to_json());
    };
    CHECK(broken([](auto&) {}));
    CHECK_FALSE(broken([](auto& c) { c.model.clear(); }));
    CHECK_FALSE(broken([](auto& c) { c.components.clear(); }));
    CHECK_FALSE(broken([](auto& c) { c.version = "latest"; }));
    CHECK_FALSE(broken([](auto& c) { c.min_from_version = "old"; }));
    CHECK_FALSE(broken([](auto& c) { c.created = -1; }));
    for (auto bad : {"", "{", "[]", R"({"model":"TX"})"}) CHECK_FALSE(release_manifest::parse(bad));
}

TEST_CASE("a device judges model, hardware, counter, the version it comes from and the date") {
    auto m = sample();
    m.expires = 2000;
    device_facts d{"TX-100", "revB", "1.1.0", 7, 1000};
    CHECK(acceptable(m, d));
    SUBCASE("model") { d.model = "TX-200"; CHECK(acceptable(m, d).error() == errc::not_for_us); }
    SUBCASE("hardware") { d.hw = "revA"; CHECK(acceptable(m, d).error() == errc::not_for_us); }
    SUBCASE("any hardware") { d.hw = "revA"; m.hw.clear(); CHECK(acceptable(m, d)); }
    SUBCASE("counter") { d.security_counter = 8; CHECK(acceptable(m, d).error() == errc::downgrade); }
    SUBCASE("too old to step from") { d.version = "v0.9"; CHECK(acceptable(m, d).error() == errc::downgrade); }
    SUBCASE("expired") { d.now = 2001; CHECK(acceptable(m, d).error() == errc::expired); }
    SUBCASE("no clock") { d.now = 0; CHECK(acceptable(m, d)); }
}

TEST_CASE("a signed image tells what it is, and every change of it is seen") {
    temp_dir dir;
    auto key = private_key::generate().value();
    std::string image(5000, 'i');
    REQUIRE(write_new_file(dir / "raw", image, 0644));
    auto made = sign_release_file(dir / "raw", dir / "signed", sample(), std::span(&key, 1)).value();
    CHECK(made.image_bytes == 5000);
    CHECK(made.manifest.components[0].sha256 == sha256_of(image));
    auto whole = read_small_file(dir / "signed", secrecy::anyone).value();
    CHECK(whole.starts_with(image));
    CHECK(whole.ends_with("AIRMAIL1"));
    auto seen = verify_release_file(dir / "signed", trusting(key)).value();
    CHECK(seen.manifest.version == "v1.2.0");
    CHECK(seen.manifest_sha256 == made.manifest_sha256);
    CHECK(hash_file(dir / "signed").value() != sha256_of(image));       // the file's name in the store covers the trailer too

    CHECK(verify_release_file(dir / "raw", trusting(key)).error() == errc::not_found);
    CHECK(verify_release_file(dir / "signed", trusting(private_key::generate().value())).error() == errc::bad_signature);
    CHECK_FALSE(sign_release_file(dir / "signed", dir / "twice", sample(), std::span(&key, 1)));
    CHECK_FALSE(sign_release_file(dir / "raw", dir / "signed", sample(), std::span(&key, 1)));      // never over a file
    int accepted = 0;
    for (std::size_t i = 0; i < whole.size(); i += i < 5000 ? 97 : 1) {
        auto bad = whole;
        bad[i] = char(bad[i] ^ 1);
        REQUIRE(replace_file(dir / "bad", bad, 0644));
        if (verify_release_file(dir / "bad", trusting(key))) ++accepted;
    }
    CHECK(accepted == 0);
    for (std::size_t cut : {1u, 8u, 16u, 17u, 400u}) {
        REQUIRE(replace_file(dir / "bad", whole.substr(0, whole.size() - cut), 0644));
        CHECK_FALSE(verify_release_file(dir / "bad", trusting(key)));
    }
}

TEST_CASE("a trailer that lies about its length is refused") {
    auto tail = [](std::uint64_t n) {
        std::string s(100, 'x');
        for (int shift = 56; shift >= 0; shift -= 8) s += char(n >> shift & 0xff);
        return s + "AIRMAIL1";
    };
    CHECK(parse_trailer(as_bytes(tail(0)), 116).error() == errc::bad_format);
    CHECK(parse_trailer(as_bytes(tail(100)), 116).error() == errc::bad_format);       // no image before it
    CHECK(parse_trailer(as_bytes(tail(101)), 1000).error() == errc::bad_format);
    CHECK(parse_trailer(as_bytes(tail(70000)), 1u << 30).error() == errc::too_large);
    CHECK(parse_trailer(as_bytes(tail(UINT64_MAX)), 1u << 30).error() == errc::too_large);
    CHECK(parse_trailer(as_bytes("AIRMAIL1"), 8).error() == errc::not_found);
}

TEST_CASE("a command is for one device, once, and not for ever") {
    auto key = private_key::generate().value();
    signed_command c;
    c.device_id = "dev-1";
    c.seq = 5;
    c.issued_at = 1000;
    c.expires_at = 2000;
    c.campaign_id = "camp";
    c.command_id = "cmd";
    c.version = "1.2.0";
    c.sha256 = sha256_of("file");
    c.size_bytes = std::uint64_t(1) << 33;
    c.manifest_sha256 = sha256_of("manifest");
    auto text = make_command(c, key)->to_json();
    command_checks checks{"dev-1", 4, 1500, {}};
    auto got = verify_command(text, trusting(key), checks).value();
    CHECK(got.to_json() == c.to_json());
    CHECK(got.size_bytes == c.size_bytes);
    auto fails_with = [&](command_checks const& k) { return verify_command(text, trusting(key), k).error(); };
    CHECK(fails_with({"dev-2", 4, 1500, {}}) == errc::not_for_us);
    CHECK(fails_with({"dev-1", 5, 1500, {}}) == errc::replayed);
    CHECK(fails_with({"dev-1", 5, 1500, "other"}) == errc::replayed);
    CHECK(fails_with({"dev-1", 4, 2001, {}}) == errc::expired);
    CHECK(verify_command(text, trusting(key), {"dev-1", 4, 0, {}}));
    CHECK(verify_command(text, trusting(key), {"dev-1", 5, 1500, "cmd"}));            // the same again, after a crash
    CHECK(verify_command(text, trusting(private_key::generate().value()), checks).error() == errc::bad_signature);
    CHECK(verify_command(seal(release_type, c.to_json(), key)->to_json(), trusting(key), checks).error() == errc::wrong_type);
    CHECK(verify_command(std::string(20000, ' '), trusting(key), checks).error() == errc::too_large);
    c.expires_at = 999;
    CHECK(verify_command(make_command(c, key)->to_json(), trusting(key), checks).error() == errc::bad_format);
}

namespace {

struct key_house {
    private_key r1 = private_key::generate().value(), r2 = private_key::generate().value(), r3 = private_key::generate().value();
    private_key release = private_key::generate().value(), online = private_key::generate(algorithm::ecdsa_p256_sha256).value();
    key_list list;

    key_house() {
        list.expires = 5000;
        for (auto const* k : {&r1, &r2, &r3, &release, &online}) list.keys.emplace(k->kid(), k->public_part());
        list.roles["root"] = {{r1.kid(), r2.kid(), r3.kid()}, 2};
        list.roles["release"] = {{release.kid()}, 1};
        list.roles["command"] = {{online.kid()}, 1};
    }
    static envelope sealed(key_list const& l, std::initializer_list<private_key> by) {
        return seal(keys_type, l.to_json(), std::span(by.begin(), by.size())).value();
    }
};

}

TEST_CASE("a key list is trusted when its own root threshold has signed it") {
    key_house h;
    auto got = verify_keys(h.sealed(h.list, {h.r1, h.r3}), 1000).value();
    CHECK(got.to_json() == h.list.to_json());
    CHECK(got.signers_of("release").keys.at(0).kid() == h.release.kid());
    CHECK(got.signers_of("nobody").keys.empty());
    CHECK(verify_keys(h.sealed(h.list, {h.r1}), 1000).error() == errc::bad_signature);
    CHECK(verify_keys(h.sealed(h.list, {h.r1, h.release}), 1000).error() == errc::bad_signature);
    CHECK(verify_keys(h.sealed(h.list, {h.r1, h.r2}), 5001).error() == errc::expired);
    CHECK(verify_keys(h.sealed(h.list, {h.r1, h.r2}), 0));
}

TEST_CASE("a revoked key signs nothing any more") {
    key_house h;
    auto spare = private_key::generate().value();
    h.list.keys.emplace(spare.kid(), spare.public_part());
    h.list.roles["release"].kids.push_back(spare.kid());
    h.list.revoked = {h.release.kid()};
    auto got = verify_keys(h.sealed(h.list, {h.r1, h.r2}), 1000).value();
    CHECK_FALSE(verify(seal(release_type, "x", h.release).value(), release_type, got.signers_of("release")));
    CHECK(verify(seal(release_type, "x", spare).value(), release_type, got.signers_of("release")));
}

TEST_CASE("a rotation is one step forward, signed by the old and the new roots") {
    key_house h;
    auto r4 = private_key::generate().value(), r5 = private_key::generate().value();
    auto next = h.list;
    next.version = 2;
    next.keys.emplace(r4.kid(), r4.public_part());
    next.keys.emplace(r5.kid(), r5.public_part());
    next.roles["root"] = {{r4.kid(), r5.kid(), h.r1.kid()}, 2};
    CHECK(verify_rotation(h.list, h.sealed(next, {h.r1, h.r2, r4}), 1000));
    CHECK_FALSE(verify_rotation(h.list, h.sealed(next, {r4, r5}), 1000));             // the new ones alone
    CHECK_FALSE(verify_rotation(h.list, h.sealed(next, {h.r2, h.r3}), 1000));         // the old ones alone
    next.version = 3;
    CHECK(verify_rotation(h.list, h.sealed(next, {h.r1, h.r2, r4}), 1000).error() == errc::replayed);
    next.version = 1;
    CHECK(verify_rotation(h.list, h.sealed(next, {h.r1, h.r2, r4}), 1000).error() == errc::replayed);
}

TEST_CASE("a key list that contradicts itself is refused") {
    key_house h;
    auto refused = [&](auto change) {
        auto l = h.list;
        change(l);
        return key_list::parse(l.to_json()).has_error();
    };
    CHECK_FALSE(refused([](key_list&) {}));
    CHECK(refused([](key_list& l) { l.version = 0; }));
    CHECK(refused([](key_list& l) { l.roles.erase("command"); }));
    CHECK(refused([](key_list& l) { l.roles["root"].threshold = 4; }));
    CHECK(refused([](key_list& l) { l.roles["root"].threshold = 0; }));
    CHECK(refused([&](key_list& l) { l.roles["root"].kids[1] = h.r1.kid(); }));       // the same twice
    CHECK(refused([](key_list& l) { l.roles["release"].kids = {"0000000000000000"}; }));
    CHECK(refused([&](key_list& l) { l.revoked = {h.release.kid()}; }));              // nobody left to sign
    auto text = h.list.to_json();
    auto at = text.find(h.release.kid(), text.find("\"keys\""));
    REQUIRE(at != text.npos);
    text.replace(at, 16, h.online.kid());                                             // one key under another's name
    CHECK(key_list::parse(text).has_error());
}
