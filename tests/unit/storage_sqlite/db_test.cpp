#include "storage/sqlite/db.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sqlite3.h>
#include <sys/stat.h>

using namespace airmail::storage::sqlite;
using airmail::testing::temp_dir;

namespace {
unsigned mode_of(std::string const& path) {
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    return st.st_mode & 0777;
}
}

TEST_CASE("a value comes back as it went in") {
    db d(":memory:");
    d.script("CREATE TABLE t(a INTEGER, b REAL, c TEXT, d BLOB, e)");
    d.exec("INSERT INTO t VALUES(?, ?, ?, ?, ?)", {std::int64_t(1) << 62, 1.5, std::string("a\0b", 3), blob{0, 1, 255}, nullptr});
    auto r = d.exec("SELECT a, b, c, d, e FROM t");
    REQUIRE(r.size() == 1);
    CHECK(std::get<std::int64_t>(r[0][0]) == std::int64_t(1) << 62);
    CHECK(std::get<double>(r[0][1]) == 1.5);
    CHECK(std::get<std::string>(r[0][2]) == std::string("a\0b", 3));
    CHECK(std::get<blob>(r[0][3]) == blob{0, 1, 255});
    CHECK(std::holds_alternative<std::nullptr_t>(r[0][4]));
}

TEST_CASE("an empty text is a text and an empty blob is a blob, not null") {
    db d(":memory:");
    auto r = d.exec("SELECT typeof(?), typeof(?), typeof(?)", {std::string(), blob{}, nullptr});
    CHECK(std::get<std::string>(r[0][0]) == "text");
    CHECK(std::get<std::string>(r[0][1]) == "blob");
    CHECK(std::get<std::string>(r[0][2]) == "null");
}

TEST_CASE("a file is durable at every commit and only its owner may read it") {
    temp_dir dir;
    db d(dir / "registry.db");
    d.script("CREATE TABLE t(a)");
    CHECK(mode_of(dir / "registry.db") == 0600);
    CHECK(mode_of(dir / "registry.db-wal") == 0600);
    CHECK(std::get<std::string>(d.scalar("PRAGMA journal_mode")) == "wal");
    CHECK(d.integer("PRAGMA synchronous") == 2);
    CHECK(d.integer("PRAGMA foreign_keys") == 1);
}

TEST_CASE("a file that others could read is tightened, and a symlink is refused") {
    temp_dir dir;
    { db d(dir / "a.db"); }
    REQUIRE(::chmod((dir / "a.db").c_str(), 0644) == 0);
    { db d(dir / "a.db"); }
    CHECK(mode_of(dir / "a.db") == 0600);
    std::filesystem::create_symlink(dir / "a.db", dir / "b.db");
    CHECK_THROWS_WITH_AS(db(dir / "b.db"), doctest::Contains("symlink"), error);
}

TEST_CASE("what is not our database is refused by name and left as it was") {
    temp_dir dir;
    SUBCASE("a text") {
        std::ofstream(dir / "x.db") << std::string(4096, 'x');
        CHECK_THROWS_WITH_AS(db(dir / "x.db"), doctest::Contains("not a database"), error);
    }
    SUBCASE("another program's") {
        sqlite3* h = nullptr;
        REQUIRE(sqlite3_open((dir / "x.db").c_str(), &h) == SQLITE_OK);
        sqlite3_exec(h, "CREATE TABLE theirs(a)", nullptr, nullptr, nullptr);
        sqlite3_close(h);
        CHECK_THROWS_WITH_AS(db(dir / "x.db"), doctest::Contains("another program"), error);
    }
    SUBCASE("none, when it must exist") {
        CHECK_THROWS_WITH_AS(db(dir / "x.db", {.create = false}), doctest::Contains("No such file"), error);
    }
}

TEST_CASE("an error tells the statement and SQLite's own words") {
    db d(":memory:");
    d.script("CREATE TABLE t(a UNIQUE)");
    d.exec("INSERT INTO t VALUES(1)");
    try {
        d.exec("INSERT INTO t VALUES(?)", {1});
        FAIL("no error");
    } catch (error const& e) {
        CHECK(e.is_constraint());
        CHECK(e.code() == SQLITE_CONSTRAINT_UNIQUE);
        CHECK(std::string(e.what()).find("UNIQUE constraint failed: t.a") != std::string::npos);
        CHECK(std::string(e.what()).find("INSERT INTO t VALUES(?)") != std::string::npos);
    }
    CHECK_NOTHROW(d.exec("INSERT INTO t VALUES(2)"));
}

TEST_CASE("a second statement, a missing parameter and a text in double quotes are errors") {
    db d(":memory:");
    CHECK_THROWS_AS(d.exec("SELECT 1; DROP TABLE t"), error);
    CHECK_THROWS_AS(d.exec("SELECT ?"), error);
    CHECK_THROWS_AS(d.exec("SELECT ?", {1, 2}), error);
    CHECK_THROWS_AS(d.exec("SELECT \"text\""), error);
    CHECK_THROWS_AS(d.exec(""), error);
    CHECK_NOTHROW(d.exec("SELECT 1;\n"));
}

TEST_CASE("rows stream, and the reader may stop and may ask the same thing inside") {
    db d(":memory:");
    constexpr auto sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n";
    int outer = 0, inner = 0;
    d.each(sql, {}, [&](std::span<cell const>) {
        if (outer == 0) d.each(sql, {}, [&](std::span<cell const>) { return ++inner, true; });
        return ++outer < 10;
    });
    CHECK(outer == 10);
    CHECK(inner == 100);
    CHECK(d.exec(sql).size() == 100);
}

TEST_CASE("the statement cache stays small and right") {
    db d(":memory:", {.statements_max = 4});
    for (int round = 0; round < 3; ++round)
        for (int i = 0; i < 20; ++i) CHECK(d.integer("SELECT " + std::to_string(i)) == i);
}

TEST_CASE("a transaction that dies leaves nothing, and so does a step inside one that lives") {
    db d(":memory:");
    d.script("CREATE TABLE t(a)");
    {
        transaction t(d);
        d.exec("INSERT INTO t VALUES(1)");
    }
    CHECK(d.integer("SELECT count(*) FROM t") == 0);
    {
        transaction t(d);
        d.exec("INSERT INTO t VALUES(1)");
        {
            savepoint s(d, "one \"item\"");
            d.exec("INSERT INTO t VALUES(2)");
        }
        {
            savepoint s(d);
            d.exec("INSERT INTO t VALUES(3)");
            s.release();
        }
        t.commit();
    }
    CHECK(d.integer("SELECT sum(a) FROM t") == 4);
    CHECK_FALSE(d.in_transaction());
}

TEST_CASE("changes counts rows, not what triggers did") {
    db d(":memory:");
    d.script("CREATE TABLE t(a); CREATE TABLE copy(a); CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO copy VALUES(NEW.a); END");
    d.exec("INSERT INTO t VALUES(1), (2), (3)");
    CHECK(d.changes() == 3);
}

TEST_CASE("the authorizer keeps a scope to its own tables, through triggers only where it says so") {
    db d(":memory:");
    d.script("CREATE TABLE mine(a); CREATE TABLE theirs(a); CREATE TABLE log(a);"
             "CREATE TRIGGER mine_log AFTER INSERT ON mine BEGIN INSERT INTO log VALUES(NEW.a); END");
    CHECK_NOTHROW(d.exec("INSERT INTO theirs VALUES(1)"));      // compiled and kept for scope 0
    d.authorizer([](action const& a) {
        CHECK(a.scope == 7);
        if (a.code == SQLITE_SELECT || a.code == SQLITE_FUNCTION) return permission::allow;
        if (a.first == "mine" || (a.first == "log" && !a.trigger.empty())) return permission::allow;
        return permission::deny;
    });
    d.scope(7);
    CHECK_NOTHROW(d.exec("INSERT INTO mine VALUES(1)"));
    CHECK_THROWS_AS(d.exec("INSERT INTO theirs VALUES(1)"), error);   // not even by a statement another scope has prepared
    CHECK_THROWS_AS(d.exec("INSERT INTO log VALUES(1)"), error);
    CHECK_THROWS_AS(d.exec("DROP TABLE theirs"), error);
    CHECK_THROWS_AS(d.exec("PRAGMA writable_schema = ON"), error);
    d.scope(0);
    CHECK_NOTHROW(d.exec("INSERT INTO theirs VALUES(1)"));
    CHECK(d.integer("SELECT count(*) FROM log") == 1);
}

TEST_CASE("a scope is asked again when the schema has changed under its statement") {
    db d(":memory:");
    d.script("CREATE TABLE t(a)");
    bool allowed = true;
    d.authorizer([&](action const&) { return allowed ? permission::allow : permission::deny; });
    d.scope(1);
    d.exec("SELECT a FROM t");
    allowed = false;
    CHECK_NOTHROW(d.exec("SELECT a FROM t"));
    d.scope(0);
    d.script("CREATE INDEX i ON t(a)");
    d.scope(1);
    CHECK_THROWS_AS(d.exec("SELECT a FROM t"), error);
}

TEST_CASE("a backup is a whole database, private, and never over an existing file") {
    temp_dir dir;
    db d(dir / "a.db");
    d.script("CREATE TABLE t(a); INSERT INTO t VALUES(5)");
    d.backup_to(dir / "copy.db");
    CHECK(mode_of(dir / "copy.db") == 0600);
    CHECK_THROWS_AS(d.backup_to(dir / "copy.db"), error);
    db copy(dir / "copy.db");
    CHECK(copy.integer("SELECT a FROM t") == 5);
    CHECK(d.checkpoint());
}
