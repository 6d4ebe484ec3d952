#include "plugins/dashboard/api/people.hpp"

#include "storage/firmware/encoding.hpp"
#include "storage/sqlite/migrations.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>
#include <functional>
#include <openssl/evp.h>
#include <openssl/hmac.h>

using namespace airmail::dashboard;
namespace fw = airmail::storage::firmware;
namespace json = boost::json;

namespace {

struct house {
    airmail::testing::temp_dir dir;
    std::int64_t now = 1'700'000'000'000;
    std::unique_ptr<people> all;
    airmail::sdk::web_who root{"control", "admin", "control", ""};
    house() {
        airmail::storage::sqlite::db d(dir / "registry.db");
        airmail::storage::sqlite::migrate_core(d, now);
        all = std::make_unique<people>(dir.path(), [this] { return now; });
    }
};

std::string refusal(std::function<void()> f) {
    try {
        f();
    } catch (refused const& r) { return r.code; }
    return {};
}

std::string b64(json::object const& o) { return fw::to_base64url(fw::as_bytes(json::serialize(o))); }

}

TEST_CASE("a token is believed only whole, ours, and in its time [J02]") {
    auto key = token_key::make().value(), other = token_key::make().value();
    token_claims c{"u1", "ada", "admin", "j", 1000, 1900, 7};
    auto token = key.sign(c).value();
    auto back = key.verify(token, 1000);
    REQUIRE(back.has_value());
    CHECK(back->name == "ada");
    CHECK(back->generation == 7);
    CHECK(token_key::parse(key.pem()).value().verify(token, 1000).has_value());
    CHECK_FALSE(other.verify(token, 1000).has_value());
    CHECK(key.verify(token, 1900).error() == airmail::acl::errc::expired_key);
    CHECK(key.verify(token, 900).error() == airmail::acl::errc::expired_key);     // nbf in the future
    // The header's words: whoever signs with something else than our key is refused, whatever he writes there.
    auto body = token.substr(token.find('.'));
    body = body.substr(0, body.rfind('.'));
    for (json::object header : {json::object{{"alg", "none"}, {"typ", "JWT"}}, json::object{{"alg", "HS256"}, {"kid", "../../dev/null"}}, json::object{{"alg", "EdDSA"}, {"jku", "https://evil.example/keys"}}}) {
        auto head = b64(header) + body;
        std::uint8_t mac[32];
        unsigned n = 0;
        auto pem = key.pem();
        HMAC(EVP_sha256(), pem.data(), static_cast<int>(pem.size()), reinterpret_cast<unsigned char const*>(head.data()), head.size(), mac, &n);
        CHECK_FALSE(key.verify(head + ".", 1000).has_value());
        CHECK_FALSE(key.verify(head + "." + fw::to_base64url({mac, n}), 1000).has_value());
    }
    for (std::size_t i = 0; i < token.size(); ++i) {
        auto bent = token;
        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(key.verify(bent, 1000).has_value());
    }
    CHECK_FALSE(key.verify(std::string(100'000, 'a'), 1000).has_value());
}

TEST_CASE("a token lives as long as limit_jwt_life says") {
    house h;
    h.all = std::make_unique<people>(h.dir.path(), [&h] { return h.now; }, 120);
    CHECK(h.all->token_life_s() == 120);
    auto token = h.all->access_token(h.all->add("ada", "hash", "viewer", h.root, "r"));
    h.now += 119'000;
    CHECK(h.all->authenticate(token).has_value());
    h.now += 2'000;
    CHECK_FALSE(h.all->authenticate(token).has_value());
}

TEST_CASE("a user's token dies with any change of the user [J03]") {
    house h;
    auto u = h.all->add("ada", "hash", "viewer", h.root, "r");
    auto token = h.all->access_token(u);
    CHECK(h.all->authenticate(token)->role == "viewer");
    h.all->add("root", "hash", "admin", h.root, "r");
    h.all->set_role("ada", "operator", h.root, "r");
    CHECK_FALSE(h.all->authenticate(token).has_value());
    token = h.all->access_token(*h.all->by_name("ada"));
    CHECK(h.all->authenticate(token)->role == "operator");
    h.all->set_disabled("ada", true, h.root, "r");
    CHECK_FALSE(h.all->authenticate(token).has_value());
    h.now += 901'000;
    h.all->set_disabled("ada", false, h.root, "r");
    CHECK_FALSE(h.all->authenticate(token).has_value());
}

TEST_CASE("the last admin cannot be taken away") {
    house h;
    h.all->add("ada", "hash", "admin", h.root, "r");
    CHECK(refusal([&] { h.all->remove("ada", h.root, "r"); }) == "user.last_admin");
    CHECK(refusal([&] { h.all->set_role("ada", "viewer", h.root, "r"); }) == "user.last_admin");
    CHECK(refusal([&] { h.all->set_disabled("ada", true, h.root, "r"); }) == "user.last_admin");
    h.all->add("bob", "hash", "admin", h.root, "r");
    CHECK(refusal([&] { h.all->remove("ada", h.root, "r"); }).empty());
}

TEST_CASE("refresh tokens rotate; one that is used twice ends the family, not the user's other logins") {
    house h;
    auto u = h.all->add("ada", "hash", "viewer", h.root, "r");
    auto one = h.all->begin(u, "r"), elsewhere = h.all->begin(u, "r");
    auto two = h.all->refresh(one.refresh, "r");
    CHECK(two.refresh != one.refresh);
    CHECK(refusal([&] { h.all->refresh(one.refresh, "r"); }) == "auth.reused");
    CHECK(refusal([&] { h.all->refresh(two.refresh, "r"); }) == "auth.no_session");
    auto on = h.all->refresh(elsewhere.refresh, "r");
    h.now += (refresh_life_s + 1) * 1000;
    CHECK(refusal([&] { h.all->refresh(on.refresh, "r"); }) == "auth.no_session");
}

TEST_CASE("ten failures lock for a minute, then two, up to an hour; success forgives the name") {
    house h;
    auto fail = [&](int n) {
        for (int i = 0; i < n; ++i) h.all->failed("10.0.0.1", "ada");
    };
    fail(9);
    CHECK(refusal([&] { h.all->may_try("10.0.0.1", "ada"); }).empty());
    fail(1);
    CHECK(refusal([&] { h.all->may_try("10.0.0.1", "bob"); }) == "auth.locked");     // the address
    CHECK(refusal([&] { h.all->may_try("10.0.0.2", "ada"); }) == "auth.locked");     // the name
    CHECK(refusal([&] { h.all->may_try("10.0.0.2", "bob"); }).empty());
    h.now += 61'000;
    CHECK(refusal([&] { h.all->may_try("10.0.0.1", "ada"); }).empty());
    fail(10);
    h.now += 61'000;
    CHECK(refusal([&] { h.all->may_try("10.0.0.1", "ada"); }) == "auth.locked");
    h.now += 60'000;
    CHECK(refusal([&] { h.all->may_try("10.0.0.1", "ada"); }).empty());
}

TEST_CASE("the setup token survives a restart, opens once, and compares whole") {
    house h;
    auto token = h.all->setup_token();
    CHECK(token.size() == 64);
    h.all = std::make_unique<people>(h.dir.path(), [&h] { return h.now; });
    CHECK(h.all->setup_token() == token);
    CHECK(refusal([&] { h.all->first_admin("", "ada", "hash", "r"); }) == "auth.bad_setup_token");
    CHECK(refusal([&] { h.all->first_admin(token.substr(0, 63), "ada", "hash", "r"); }) == "auth.bad_setup_token");
    CHECK(h.all->first_admin(token, "ada", "hash", "r").role == "admin");
    CHECK(refusal([&] { h.all->first_admin(token, "eve", "hash", "r"); }) == "auth.setup_closed");
    CHECK(h.all->setup_token().empty());
}
