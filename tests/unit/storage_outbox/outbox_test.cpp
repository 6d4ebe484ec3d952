#include "storage/outbox/outbox.hpp"

#include "storage/sqlite/migrations.hpp"

#include <doctest/doctest.h>

using namespace airmail::storage;
using airmail::storage::sqlite::blob;
using airmail::storage::sqlite::db;

namespace {

// One registry with one replicated table, and a clock that stands at 1000.
struct fixture {
    db d{":memory:"};
    std::int64_t now = 1000;
    outbox box;

    explicit fixture(std::int64_t rows_max = 1000) : box(d, {.node_id = 3, .rows_max = rows_max, .wall_ms = [this] { return now; }}) {
        sqlite::migrate_core(d, 1);
        d.script("CREATE TABLE devices(device_id TEXT PRIMARY KEY, model TEXT, size INTEGER, key BLOB) STRICT;"
                 "CREATE TABLE tags(device_id TEXT REFERENCES devices ON DELETE CASCADE, tag TEXT, PRIMARY KEY(device_id, tag)) STRICT");
        install_outbox_triggers(d, {"devices", {}, {}});
        install_outbox_triggers(d, {"tags", {"device_id", "tag"}, {}});
    }
    void reads_from_the_start(char const* name) {
        box.add_destination(name);
        box.snapshot_taken(name, 0);
    }
    std::vector<outbox_entry> all() { return box.read("postgres", 1000); }
};

}

TEST_CASE("an insert, an update and a delete each leave one row, in order, with the whole row in JSON") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.box.traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    f.d.exec("INSERT INTO devices VALUES('d1', 'TX \"100\"', 5000000000, ?)", {blob{0xde, 0xad}});
    f.now = 2000;
    f.box.traceparent("");
    f.d.exec("UPDATE devices SET model = 'TX-200', key = NULL");
    f.d.exec("DELETE FROM devices");
    auto e = f.all();
    REQUIRE(e.size() == 3);
    CHECK(e[0].op == 'I');
    CHECK(e[0].row == R"({"device_id":"d1","model":"TX \"100\"","size":5000000000,"key":{"$blob":"dead"}})");
    CHECK(e[0].pk == R"(["d1"])");
    CHECK(e[0].device == "d1");
    CHECK(e[0].node_id == 3);
    CHECK(e[0].at_ms == 1000);
    CHECK(e[0].traceparent.size() == 55);
    CHECK(e[1].op == 'U');
    CHECK(e[1].row == R"({"device_id":"d1","model":"TX-200","size":5000000000,"key":null})");
    CHECK(e[1].at_ms == 2000);
    CHECK(e[1].traceparent.empty());
    CHECK(e[2].op == 'D');
    CHECK(e[2].row.empty());
    CHECK(e[0].seq < e[1].seq);
    CHECK(e[1].seq < e[2].seq);
}

TEST_CASE("an update that changes nothing writes nothing") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices VALUES('d1', NULL, 1, NULL)");
    f.d.exec("UPDATE devices SET model = NULL, size = 1");
    CHECK(f.all().size() == 1);
}

TEST_CASE("a changed primary key is a delete and an insert") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices VALUES('d1', 'm', 1, NULL)");
    f.d.exec("UPDATE devices SET device_id = 'd2'");
    auto e = f.all();
    REQUIRE(e.size() == 3);
    CHECK(e[1].op == 'D');
    CHECK(e[1].pk == R"(["d1"])");
    CHECK(e[2].op == 'I');
    CHECK(e[2].pk == R"(["d2"])");
}

TEST_CASE("what upserts, REPLACE and cascades do is told too") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices VALUES('d1', 'm', 1, NULL)");
    f.d.exec("INSERT INTO tags VALUES('d1', 'canary')");
    f.d.exec("INSERT INTO devices VALUES('d1', 'n', 1, NULL) ON CONFLICT DO UPDATE SET model = excluded.model");
    auto e = f.all();
    REQUIRE(e.size() == 3);
    CHECK(e[1].pk == R"(["d1","canary"])");
    CHECK(e[2].op == 'U');
    f.d.exec("DELETE FROM devices");
    e = f.all();
    REQUIRE(e.size() == 5);
    CHECK(e[3].op == 'D');
    CHECK(e[4].op == 'D');
    f.d.exec("INSERT INTO devices VALUES('d1', 'm', 1, NULL)");
    f.d.exec("REPLACE INTO devices VALUES('d1', 'o', 1, NULL)");
    e = f.all();
    REQUIRE(e.size() == 8);
    CHECK(e[6].op == 'D');
    CHECK(e[7].op == 'I');
}

TEST_CASE("a change that is rolled back was never said, and numbers have no hole") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices VALUES('d1', 'm', 1, NULL)");
    {
        sqlite::transaction t(f.d);
        f.d.exec("INSERT INTO devices VALUES('d2', 'm', 1, NULL)");
    }
    f.d.exec("INSERT INTO devices VALUES('d3', 'm', 1, NULL)");
    auto e = f.all();
    REQUIRE(e.size() == 2);
    CHECK(e[1].seq == e[0].seq + 1);
    CHECK(f.box.size() == 2);
}

TEST_CASE("triggers follow a table that grew, and installing them twice changes nothing") {
    fixture f;
    f.reads_from_the_start("postgres");
    auto before = f.d.integer("PRAGMA schema_version");
    install_outbox_triggers(f.d, {"devices", {}, {}});
    CHECK(f.d.integer("PRAGMA schema_version") == before);
    f.d.script("ALTER TABLE devices ADD COLUMN stage TEXT");
    install_outbox_triggers(f.d, {"devices", {}, {}});
    f.d.exec("INSERT INTO devices(device_id, stage) VALUES('d1', 'probation')");
    CHECK(f.all().at(0).row.find(R"("stage":"probation")") != std::string::npos);
    remove_outbox_triggers(f.d, "devices");
    f.d.exec("DELETE FROM devices");
    CHECK(f.all().size() == 1);
}

TEST_CASE("a table that is not there, has no key or no such column is refused") {
    fixture f;
    f.d.script("CREATE TABLE keyless(a)");
    CHECK_THROWS_WITH_AS(install_outbox_triggers(f.d, {"nowhere", {}, {}}), doctest::Contains("no table nowhere"), sqlite::error);
    CHECK_THROWS_WITH_AS(install_outbox_triggers(f.d, {"keyless", {}, {}}), doctest::Contains("no primary key"), sqlite::error);
    CHECK_THROWS_WITH_AS(install_outbox_triggers(f.d, {"devices", {"other"}, {}}), doctest::Contains("no column other"), sqlite::error);
}

TEST_CASE("each destination has its own cursor, and rows leave when all have read them") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.reads_from_the_start("redis");
    for (int i = 0; i < 10; ++i) f.d.exec("INSERT INTO devices(device_id) VALUES(?)", {std::to_string(i)});
    f.box.advance("postgres", 11);                               // the first number is 2: 1 was the first destination's
    f.box.advance("redis", 5);
    f.box.advance("redis", 3);                                   // never back
    CHECK(f.box.trim() == 4);
    CHECK(f.box.read("postgres", 100).empty());
    auto left = f.box.read("redis", 3);
    REQUIRE(left.size() == 3);
    CHECK(left[0].seq == 6);
    f.box.advance("redis", 11);
    f.box.trim();
    CHECK(f.box.size() == 0);
    CHECK(f.box.last() == 11);
    f.d.exec("INSERT INTO devices(device_id) VALUES('x')");      // numbers go on after the rows are gone
    CHECK(f.box.read("redis", 1).at(0).seq == 12);
}

TEST_CASE("at its bound the outbox is dropped and whoever had not read it needs a snapshot") {
    fixture f(100);
    f.reads_from_the_start("postgres");
    f.reads_from_the_start("redis");
    for (int i = 0; i < 100; ++i) f.d.exec("INSERT INTO devices(device_id) VALUES(?)", {std::to_string(i)});
    f.box.trim();
    CHECK(f.box.size() == 100);
    f.d.exec("INSERT INTO devices(device_id) VALUES('last')");
    f.box.advance("redis", 102);
    f.box.trim();
    CHECK(f.box.size() == 0);
    CHECK(f.box.dropped() == 101);
    auto d = f.box.destinations();
    REQUIRE(d.size() == 2);
    CHECK(d[0].name == "postgres");
    CHECK(d[0].needs_snapshot);
    CHECK(d[0].reason == "outbox at its bound");
    CHECK_FALSE(d[1].needs_snapshot);
    f.d.exec("INSERT INTO devices(device_id) VALUES('after')");
    CHECK(f.box.read("postgres", 10).empty());                   // not before it has its copy
    f.box.snapshot_taken("postgres", 102);
    CHECK(f.box.read("postgres", 10).size() == 1);
    CHECK(f.box.read("redis", 10).size() == 1);
}

TEST_CASE("without a destination nothing is written; who comes later is filled anew, with numbers beyond all that were") {
    fixture f;
    f.reads_from_the_start("postgres");
    for (int i = 0; i < 20; ++i) f.d.exec("INSERT INTO devices(device_id) VALUES(?)", {std::to_string(i)});
    auto const newest = f.box.last();
    f.box.remove_destination("postgres");
    for (int i = 0; i < 20; ++i) f.d.exec("UPDATE devices SET model = 'x' WHERE device_id = ?", {std::to_string(i)});
    f.d.exec("DELETE FROM devices WHERE device_id = '7'");
    CHECK(f.box.last() == newest);
    CHECK(f.box.trim() == 20);
    CHECK(f.box.size() == 0);
    f.box.add_destination("postgres");
    CHECK(f.box.read("postgres", 10).empty());
    CHECK(f.box.destinations().at(0).needs_snapshot);
    CHECK(f.box.snapshot_begin("postgres") > newest);
    f.d.exec("DELETE FROM devices WHERE device_id = '8'");
    CHECK(f.box.size() == 1);
}

TEST_CASE("a change of folded columns alone leaves one row a key, however often, and none in the outbox") {
    fixture f;
    f.d.script("CREATE TABLE clocks(id TEXT PRIMARY KEY, seen INTEGER, name TEXT) STRICT");
    install_outbox_triggers(f.d, {"clocks", {}, {}, {"seen"}});
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO clocks VALUES('a', 1, 'x'), ('b', 1, 'x')");
    for (int i = 2; i < 100; ++i) f.d.exec("UPDATE clocks SET seen = ?", {std::int64_t{i}});
    CHECK(f.all().size() == 2);
    auto rows = f.box.read_folded(0, 10);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].row == R"({"id":"a","seen":99})");
    CHECK(rows[1].n > rows[0].n);
    f.d.exec("UPDATE clocks SET seen = 200 WHERE id = 'a'");          // the newest change has the newest number
    CHECK(f.box.read_folded(rows[1].n, 10).size() == 1);
    f.d.exec("UPDATE clocks SET seen = 201, name = 'y' WHERE id = 'a'");
    CHECK(f.all().size() == 3);                                       // with another column it is a row like any other
    f.d.exec("DELETE FROM clocks WHERE id = 'a'");
    CHECK(f.box.read_folded(0, 10).size() == 1);
}

TEST_CASE("compaction keeps the last row of each key, in order") {
    fixture f(100'000);
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices(device_id, model) VALUES('a', '0'), ('b', '0')");
    for (int i = 1; i <= 50; ++i) f.d.exec("UPDATE devices SET model = ?", {std::to_string(i)});
    f.d.exec("DELETE FROM devices WHERE device_id = 'b'");
    while (f.box.compact(7)) {}
    auto e = f.all();
    REQUIRE(e.size() == 2);
    CHECK(e[0].pk == R"(["a"])");
    CHECK(e[0].row.find(R"("model":"50")") != std::string::npos);
    CHECK(e[1].op == 'D');
    CHECK(f.box.compacted() == 101);
    CHECK(f.box.size() == 2);
}

TEST_CASE("rows are kept for a snapshot under way, and a snapshot over which the outbox was dropped does not count") {
    fixture f(10);
    f.box.add_destination("postgres");
    auto from = f.box.snapshot_begin("postgres");
    f.d.exec("INSERT INTO devices(device_id) VALUES('a')");
    f.box.trim();
    CHECK(f.box.snapshot_taken("postgres", from));
    CHECK(f.all().size() == 1);
    from = f.box.snapshot_begin("postgres");
    for (int i = 0; i < 20; ++i) f.d.exec("INSERT INTO devices(device_id) VALUES(?)", {std::to_string(i)});
    f.box.trim();
    CHECK(f.box.size() == 0);
    CHECK_FALSE(f.box.snapshot_taken("postgres", from));
    CHECK(f.all().empty());
    CHECK(f.box.snapshot_taken("postgres", f.box.snapshot_begin("postgres")));
}

TEST_CASE("a destination that was put back reads again from where it is, if the rows are still there") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.reads_from_the_start("redis");
    for (int i = 0; i < 5; ++i) f.d.exec("INSERT INTO devices(device_id) VALUES(?)", {std::to_string(i)});
    f.box.advance("postgres", 5);
    CHECK(f.box.resume("postgres", 3));
    CHECK(f.all().size() == 3);
    f.box.advance("postgres", 6), f.box.advance("redis", 4);
    f.box.trim();
    CHECK_FALSE(f.box.resume("postgres", 2));
    CHECK(f.box.resume("postgres", 4));
}

TEST_CASE("a new epoch's numbers are greater than any before, and everybody is filled anew") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices(device_id) VALUES('a')");
    f.box.begin_epoch_after(12345);
    CHECK(f.box.size() == 0);
    f.d.exec("INSERT INTO devices(device_id) VALUES('b')");
    CHECK(f.box.last() == (std::int64_t{1} << 40) + 1);
    CHECK(f.box.destinations()[0].needs_snapshot);
}

TEST_CASE("what a destination refuses is set aside with its words, once") {
    fixture f;
    f.reads_from_the_start("postgres");
    f.d.exec("INSERT INTO devices(device_id) VALUES('a')");
    auto e = f.all();
    f.box.set_aside("postgres", e[0], "first");
    f.box.set_aside("postgres", e[0], "second");
    CHECK(f.box.poison_rows("postgres") == 1);
    CHECK(std::get<std::string>(f.d.scalar("SELECT reason FROM airmail_outbox_poison")) == "second");
}
