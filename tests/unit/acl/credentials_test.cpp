#include "acl/api_key.hpp"
#include "acl/password.hpp"
#include "acl/role.hpp"

#include <doctest/doctest.h>

using namespace airmail::acl;

TEST_CASE("hashes that mosquitto_passwd made are verified") {
    // By Debian's mosquitto_passwd 2.0.11: the default (PBKDF2, 101 rounds, 12 bytes of salt) and -H sha512.
    std::string const pbkdf2 = "$7$101$Zqn5VU8E1bhXSRi3$RfEyvi9tq0Er39wF6lG+MiAJVKNihZ3idQdcTNzNj45sggm9eu0sBz/XPkbagp1izuzRxLwGzI6J+k4quX+tjg==";
    std::string const sha512 = "$6$CW7J6ywpgfqtI1Px$gfMllF3u0T8/SmoH0OJy1PMWJjgLJ82qkTOphHy1ghKuCD33seae61Vd7AX6QvC/O4nBJpEAysSuCs2DDjn6cg==";
    for (auto const& stored : {pbkdf2, sha512}) {
        CHECK(!verify_password(stored, "pass word"));
        CHECK(verify_password(stored, "pass word ") == errc::wrong_password);
        CHECK(verify_password(stored.substr(0, stored.size() - 4), "pass word") == errc::bad_hash);
    }
}

TEST_CASE("hashes of all three schemes are made with fresh salt and verified") {
    for (auto const how : {password_scheme::sha512, password_scheme::pbkdf2_sha512, password_scheme::argon2id}) {
        auto const stored = hash_password("pass wörd", how, how == password_scheme::pbkdf2_sha512 ? 101 : 0);
        REQUIRE(stored.has_value());
        CHECK(!verify_password(*stored, "pass wörd"));
        CHECK(verify_password(*stored, "pass word") == errc::wrong_password);
        CHECK(verify_password(*stored, "") == errc::wrong_password);
        CHECK(*stored != *hash_password("pass wörd", how, 101));
    }
}

TEST_CASE("stored hashes that are damaged or ask for too much work are refused") {
    for (auto const* bad : {"", "plain", "$5$a$b", "$6$$", "$6$AAAAAAAAAAAAAAAA$AAAA", "$7$0$AAAAAAAAAAAAAAAA$AAAA", "$7$99999999999$AAAAAAAAAAAAAAAA$AAAA",
                            "$7$x$AAAAAAAAAAAAAAAA$AAAA", "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAA", "$argon2i$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$AAAA"})
        CHECK_MESSAGE(verify_password(bad, "x") == errc::bad_hash, bad);
}

TEST_CASE("a password file knows its users, skips comments and refuses doubles") {
    auto const hash = *hash_password("secret", password_scheme::pbkdf2_sha512, 101);
    std::vector<complaint> said;
    auto const file = password_file::parse("# x\nalice:" + hash + "\r\nno colon\n\nbob:plain\n", said);
    CHECK(file.size() == 2);
    REQUIRE(said.size() == 1);
    CHECK(!said[0].fatal);
    CHECK(said[0].line == 5);
    CHECK(!file.check("alice", "secret"));
    CHECK(file.check("alice", "Secret") == errc::wrong_password);
    CHECK(file.check("bob", "plain") == errc::bad_hash);
    CHECK(file.check("carol", "secret") == errc::unknown_user);
    CHECK(file.knows("alice"));
    said.clear();
    password_file::parse("a:" + hash + "\na:" + hash + "\nb:\n:x\n", said);
    REQUIRE(said.size() == 3);
    CHECK(said[0].text == "user \"a\" is there twice");
    CHECK(said[1].text == "user \"b\" has no password");
    CHECK(said[2].fatal);
}

TEST_CASE("an API key is am_<id>_<secret>, and only its hash is kept") {
    auto const k = make_api_key();
    REQUIRE(k.has_value());
    CHECK(k->text.starts_with("am_" + k->id + '_'));
    CHECK(*api_key_id(k->text) == k->id);
    CHECK(k->hash.size() == 64);
    CHECK(k->hash == api_key_hash(k->text));
    CHECK(make_api_key()->text != k->text);
    for (std::string const& bad : {std::string{}, std::string{"am_"}, k->text + "0", k->text.substr(1), "AM" + k->text.substr(2), k->text.substr(0, k->text.size() - 1) + "G"})
        CHECK(api_key_id(bad).error() == errc::bad_key);
}

TEST_CASE("a key is refused when wrong, revoked or expired; who has the wrong secret learns nothing more") {
    auto const k = *make_api_key(), other = *make_api_key();
    api_key_record r{k.id, k.hash, role::operator_, "", 1000, false};
    CHECK(!check_api_key(r, k.text, 999));
    CHECK(check_api_key(r, k.text, 1000) == errc::expired_key);
    CHECK(check_api_key(r, other.text, 2000) == errc::bad_key);
    r.revoked = true;
    CHECK(check_api_key(r, k.text, 0) == errc::revoked_key);
    CHECK(check_api_key(r, other.text, 0) == errc::bad_key);
}

TEST_CASE("a scope is everything, one method, or a prefix with a star") {
    CHECK(in_scope("", "campaign.start"));
    CHECK(in_scope("campaign.*", "campaign.start"));
    CHECK(!in_scope("campaign.*", "device.list"));
    CHECK(in_scope("device.list", "device.list"));
    CHECK(!in_scope("device.list", "device.listen"));
}

TEST_CASE("roles are a ladder, and a device stands beside it") {
    CHECK(covers(role::admin, role::viewer));
    CHECK(covers(role::operator_, role::operator_));
    CHECK(!covers(role::viewer, role::operator_));
    CHECK(!covers(role::device, role::viewer));
    CHECK(!covers(role::admin, role::device));
    CHECK(covers(role::device, role::device));
    CHECK(covers(role::none, role::none));
    CHECK(!covers(role::none, role::viewer));
    role r{};
    CHECK(parse("operator", r));
    CHECK(r == role::operator_);
    CHECK(!parse("root", r));
}
