#include "storage/sqlite/migrations.hpp"

#include "storage/sqlite/api_keys.hpp"
#include "storage/sqlite/audit.hpp"
#include "storage/sqlite/fingerprint.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace airmail::storage::sqlite;

TEST_CASE("the core tables are made once and the second start does nothing") {
    airmail::testing::temp_dir dir;
    for (std::size_t expected : {core_migrations().size(), std::size_t(0)}) {
        db d(dir / "registry.db");
        CHECK(migrate_core(d, 1000) == expected);
        for (auto const* t : {"airmail_applied", "airmail_dead_letters", "audit_log", "api_keys", "users", "outbox"})
            CHECK_MESSAGE(d.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", {t}) == 1, t);
    }
}

TEST_CASE("owners count their steps apart and later steps join earlier ones") {
    db d(":memory:");
    std::vector<migration> steps{{1, "one", "CREATE TABLE a(x)"}};
    CHECK(migrate(d, "ota.registry", steps, 1) == 1);
    CHECK(migrate(d, "ota.status", std::vector<migration>{{1, "one", "CREATE TABLE b(x)"}}, 1) == 1);
    steps.push_back({2, "two", "ALTER TABLE a ADD COLUMN y; INSERT INTO a VALUES(1, 2)"});
    CHECK(migrate(d, "ota.registry", steps, 2) == 1);
    CHECK(d.integer("SELECT y FROM a") == 2);
}

TEST_CASE("a step that fails leaves nothing of itself") {
    db d(":memory:");
    std::vector<migration> steps{{1, "half", "CREATE TABLE a(x); INSERT INTO nowhere VALUES(1)"}};
    CHECK_THROWS_WITH_AS(migrate(d, "p", steps, 1), doctest::Contains("nowhere"), error);
    steps[0].sql = "CREATE TABLE a(x)";
    CHECK(migrate(d, "p", steps, 1) == 1);
}

TEST_CASE("a database newer than the program is refused with both numbers") {
    db d(":memory:");
    migrate(d, "p", std::vector<migration>{{1, "a", "CREATE TABLE a(x)"}, {2, "b", "CREATE TABLE b(x)"}}, 1);
    CHECK_THROWS_WITH_AS(migrate(d, "p", std::vector<migration>{{1, "a", "CREATE TABLE a(x)"}}, 1),
                         doctest::Contains("at step 2, this program knows 1"), error);
}

TEST_CASE("a changed past and a gap are refused") {
    db d(":memory:");
    migrate(d, "p", std::vector<migration>{{1, "a", "CREATE TABLE a(x)"}}, 1);
    CHECK_THROWS_WITH_AS(migrate(d, "p", std::vector<migration>{{1, "a", "CREATE TABLE a(x, y)"}}, 1), doctest::Contains("was changed"), error);
    CHECK_THROWS_WITH_AS(migrate(d, "q", std::vector<migration>{{2, "b", "SELECT 1"}}, 1), doctest::Contains("out of order"), error);
}

TEST_CASE("the audit chain holds, and shows a changed, a missing and a forged row") {
    db d(":memory:");
    migrate_core(d, 1);
    for (int i = 1; i <= 5; ++i)
        CHECK(audit_append(d, {.at_ms = i, .actor = "eve", .role = "admin", .action = "campaign.start", .target = "c" + std::to_string(i)}) == i);
    auto v = audit_verify(d);
    CHECK(v.good);
    CHECK(v.rows == 5);
    CHECK_THROWS_WITH_AS(d.exec("UPDATE audit_log SET actor = 'mallory' WHERE seq = 3"), doctest::Contains("append-only"), error);
    CHECK_THROWS_AS(d.exec("DELETE FROM audit_log"), error);
    d.script("DROP TRIGGER audit_log_keeps_its_rows; DROP TRIGGER audit_log_keeps_its_word");      // someone with the file in hand
    SUBCASE("changed") {
        d.exec("UPDATE audit_log SET actor = 'mallory' WHERE seq = 3");
        CHECK(audit_verify(d).broken_at == 3);
    }
    SUBCASE("a character moved from one field to the next") {
        d.exec("UPDATE audit_log SET actor = 'ev', role = 'eadmin' WHERE seq = 2");
        CHECK(audit_verify(d).broken_at == 2);
    }
    SUBCASE("missing") {
        d.exec("DELETE FROM audit_log WHERE seq = 4");
        CHECK(audit_verify(d).broken_at == 4);
    }
    SUBCASE("cut at the end: the head tells") {
        d.exec("DELETE FROM audit_log WHERE seq = 5");
        CHECK(audit_verify(d).good);
        CHECK(audit_verify(d).head != v.head);
    }
}

TEST_CASE("an api key opens until it expires or is revoked, and is never stored") {
    db d(":memory:");
    migrate_core(d, 1);
    auto made = create_api_key(d, {.name = "ci", .role = "operator", .scope = "model=TX-100", .created_by = "root", .expires_at_ms = 1000}, 10);
    auto k = authenticate_api_key(d, made.token, 999);
    REQUIRE(k);
    CHECK(k->role == "operator");
    CHECK(k->scope == "model=TX-100");
    CHECK_FALSE(authenticate_api_key(d, made.token, 1000));
    for (std::size_t i = 0; i < made.token.size(); ++i) {
        auto other = made.token;
        other[i] = other[i] == '0' ? '1' : '0';
        CHECK_FALSE(authenticate_api_key(d, other, 500));
    }
    CHECK_FALSE(authenticate_api_key(d, "", 500));
    auto secret = made.token.substr(made.token.rfind('_') + 1);
    CHECK(std::get<std::string>(d.scalar("SELECT secret_hash FROM api_keys")) == sha256_hex(secret));
    CHECK(revoke_api_key(d, made.key_id, "root", 600));
    CHECK_FALSE(revoke_api_key(d, made.key_id, "root", 601));
    CHECK_FALSE(authenticate_api_key(d, made.token, 700));
    CHECK(list_api_keys(d).size() == 1);
}
