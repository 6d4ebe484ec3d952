#include "storage/replicate/redis_views.hpp"

#include "storage/replicate/cluster_slots.hpp"
#include "storage/replicate/postgres_link.hpp"
#include "storage/replicate/postgres_schema.hpp"
#include "storage/replicate/redis_client.hpp"
#include "storage/replicate/secret.hpp"
#include "storage/sqlite/migrations.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>

using namespace airmail::storage;
using namespace airmail::storage::replicate;

namespace {

struct registry {
    sqlite::db d{":memory:"};
    outbox box{d, {.wall_ms = [] { return std::int64_t{1}; }}};
    registry() {
        sqlite::migrate_core(d, 1);
        d.script("CREATE TABLE devices(device_id TEXT PRIMARY KEY NOT NULL, tenant INTEGER NOT NULL DEFAULT 0, serial_no TEXT NOT NULL, model TEXT, current_firmware TEXT, last_seen INTEGER NOT NULL,"
                 " status TEXT NOT NULL CHECK(status IN ('online','offline','updating')), updated_at INTEGER NOT NULL DEFAULT 0, ever_seen INTEGER NOT NULL DEFAULT 1, key BLOB, UNIQUE(tenant, serial_no)) STRICT;"
                 "CREATE INDEX by_model ON devices(model, current_firmware);"
                 "CREATE TABLE device_configs(device_id TEXT, config_key TEXT, config_value TEXT, updated_at INTEGER, reported INTEGER DEFAULT 1, PRIMARY KEY(device_id, config_key)) STRICT;"
                 "CREATE TABLE notes(note_id INTEGER PRIMARY KEY, at INTEGER, text TEXT) STRICT");
        install_outbox_triggers(d, {"devices", {}, {}, {"last_seen"}, 1, true});
        install_outbox_triggers(d, {"device_configs", {}, {}, {}, 1, true});
        install_outbox_triggers(d, {"notes", {}, {}, {}, 3, false});
        d.exec("INSERT INTO devices(device_id, serial_no, model, current_firmware, last_seen, status) VALUES('d1', '12345', 'TX-100', 'v1.0.2', 1699878900123, 'online')");
    }
    table const& of(std::vector<table> const& all, std::string const& name) {
        return *std::find_if(all.begin(), all.end(), [&](auto const& t) { return t.name == name; });
    }
};

}

TEST_CASE("Flow 1: the value of device:12345 is the document's, byte for byte") {
    registry r;
    auto v = redis_views(r.d).device("d1", "heartbeat");
    REQUIRE(v);
    CHECK(v->key == "device:12345");
    CHECK(v->value == R"({"serial_no": "12345", "model": "TX-100", "fw": "v1.0.2", "last_seen": 1699878900, "status": "online"})");
    CHECK(v->life_s == 300);
    CHECK(v->channel == "device:updates");
}

TEST_CASE("Flow 4: device:12345:config holds the settings, and lives an hour") {
    registry r;
    r.d.exec("INSERT INTO device_configs VALUES('d1', 'poll_interval', '300s', 1, 1), ('d1', 'volume', '7 \"loud\"', 1, 1)");
    auto v = redis_views(r.d).config("d1");
    REQUIRE(v);
    CHECK(v->key == "device:12345:config");
    CHECK(v->value == R"({"poll_interval": "300s", "volume": "7 \"loud\""})");
    CHECK(v->life_s == 3600);
}

TEST_CASE("a device that was never seen has no key; one that is removed is told as removed, by its serial number") {
    registry r;
    r.box.add_destination("redis");
    r.d.exec("UPDATE devices SET ever_seen = 0");
    CHECK_FALSE(redis_views(r.d).device("d1", ""));
    auto const from = r.box.last();
    r.d.exec("DELETE FROM devices");
    touched_keys t;
    for (auto const& e : r.box.read_after(from, 10)) t.add(e);
    auto all = redis_views(r.d).of(t);
    REQUIRE(all.size() == 2);
    CHECK(all[0].key == "device:12345");
    CHECK(all[0].value.empty());
    CHECK(all[0].event == "removed");
    CHECK(all[1].key == "device:12345:config");
}

TEST_CASE("slots are those of the Redis Cluster specification") {
    CHECK(slot_of("123456789") == 12739);
    CHECK(slot_of("foo") == 12182);
    CHECK(slot_of("airmail:seq:{foo}") == 12182);
    CHECK(slot_of("foo{}bar") == slot_of("foo{}bar"));
    CHECK(slot_of("foo{}bar") != slot_of(""));
    CHECK(slot_of("foo{{bar}}zap") == slot_of("{bar"));
}

TEST_CASE("redirections are read, and nonsense is not one") {
    redis_endpoint const asked{"10.0.0.1", "6379"};
    auto m = read_redirection("MOVED 3999 127.0.0.1:6381", asked);
    REQUIRE(m);
    CHECK(m->to.str() == "127.0.0.1:6381");
    CHECK_FALSE(m->ask);
    CHECK(read_redirection("ASK 3999 :6381", asked)->to.str() == "10.0.0.1:6381");
    for (auto text : {"", "MOVED", "MOVED 1", "MOVED 1 x", "ERR no", "ASK 1 host:"}) CHECK_FALSE(read_redirection(text, asked));
}

TEST_CASE("a table becomes Postgres': UUID, enum, timestamptz, bytea; a foreign plugin's columns keep their plain types") {
    registry r;
    auto const all = read_tables(r.d);
    auto const& devices = r.of(all, "devices");
    CHECK(devices.words.at("status") == std::vector<std::string>{"online", "offline", "updating"});
    CHECK(devices.unique == std::vector<std::vector<std::string>>{{"tenant", "serial_no"}});
    CHECK(devices.indexes.size() == 1);
    std::map<std::string, std::string> types;
    for (auto const& c : pg_columns(devices)) types[c.name] = c.type;
    CHECK(types == std::map<std::string, std::string>{{"device_id", "uuid"}, {"tenant", "bigint"}, {"serial_no", "text"}, {"model", "text"}, {"current_firmware", "text"}, {"last_seen", "timestamptz"},
                                                      {"status", "\"devices_status\""}, {"updated_at", "timestamptz"}, {"ever_seen", "bigint"}, {"key", "bytea"}});
    auto const& notes = r.of(all, "notes");
    CHECK(notes.local_key);
    CHECK(pg_key(notes) == std::vector<std::string>{"airmail_node", "note_id"});
    CHECK(pg_columns(notes)[1].type == "bigint");
}

TEST_CASE("the schema check names the first table that is missing, old or newer than we are") {
    registry r;
    auto const all = read_tables(r.d);
    CHECK(schema_problem(all, {{"", "2"}, {"devices", "1"}, {"device_configs", "1"}, {"notes", "3"}}) == "");
    CHECK(schema_problem(all, {{"", "2"}, {"devices", "1"}, {"device_configs", "1"}}) == "table notes is missing: run airmailctl db migrate");
    CHECK(schema_problem(all, {{"", "2"}, {"devices", "1"}, {"device_configs", "1"}, {"notes", "2"}}) == "table notes is older than this program: run airmailctl db migrate");
    CHECK(schema_problem(all, {{"", "2"}, {"devices", "1"}, {"device_configs", "1"}, {"notes", "4"}}).find("is newer than this program") != std::string::npos);
    CHECK(schema_problem(all, {{"", "3"}}).find("newer") != std::string::npos);
    CHECK(schema_problem(all, {{"", "1"}}) == "the schema is older than this program (layout 1, this program knows 2): run airmailctl db migrate");
}

TEST_CASE("a connection string is looked at before it is used, and its values are never repeated") {
    CHECK(dsn_problem("host=a,b port=5432 dbname=x user=y") == "");
    CHECK(dsn_problem("postgresql://y@a/x") == "");
    CHECK(dsn_problem("host=a user=y").find("dbname") != std::string::npos);
    for (auto bad : {"host=a dbname=x password=hunter2", "postgresql://y:hunter2@a/x", "nonsense hunter2"}) {
        CHECK_FALSE(dsn_problem(bad).empty());
        CHECK(dsn_problem(bad).find("hunter2") == std::string::npos);
    }
}

TEST_CASE("URLs of Redis") {
    redis_options o;
    CHECK(parse_redis_url("redis://me@a:7000,b,[::1]:7002/3", o) == "");
    REQUIRE(o.at.size() == 3);
    CHECK(o.at[0].str() == "a:7000");
    CHECK(o.at[1].str() == "b:6379");
    CHECK(o.at[2].str() == "::1:7002");
    CHECK(o.login.user == "me");
    CHECK(o.login.database == 3);
    CHECK_FALSE(o.login.tls);
    CHECK(parse_redis_url("rediss://a", o) == "");
    CHECK(o.login.tls);
    CHECK(parse_redis_url("unix:///run/redis.sock", o) == "");
    CHECK(o.at[0].port.empty());
    for (auto bad : {"http://a", "redis://", "redis://a:x", "redis://a/x", "unix://x", "redis://me:hunter2@a"}) CHECK(parse_redis_url(bad, o) != "");
    CHECK(parse_redis_url("redis://me:hunter2@a", o).find("hunter2") == std::string::npos);
}

TEST_CASE("secrets come from a file, systemd, the environment or a program; a secret itself is refused without being repeated") {
    airmail::testing::temp_dir dir;
    std::ofstream(dir / "pw") << "s3cret\nsecond line\n";
    std::string why;
    CHECK(read_secret("file:" + (dir / "pw"), why) == "s3cret");
    CHECK(read_secret("exec:/bin/cat " + (dir / "pw"), why) == "s3cret");
    ::setenv("AIRMAIL_TEST_SECRET", "fromenv", 1);
    CHECK(read_secret("env:AIRMAIL_TEST_SECRET", why) == "fromenv");
    ::setenv("CREDENTIALS_DIRECTORY", dir.path().c_str(), 1);
    CHECK(read_secret("credential:pw", why) == "s3cret");
    CHECK(why.empty());
    CHECK(read_secret("", why).empty());
    CHECK(why.empty());
    for (auto bad : {"file:/nonexistent", "env:AIRMAIL_NO_SUCH", "exec:/bin/false", "exec:/nonexistent", "credential:none"}) {
        why.clear();
        CHECK(read_secret(bad, why).empty());
        CHECK_FALSE(why.empty());
    }
    CHECK_FALSE(secret_problem("hunter2").empty());
    CHECK(secret_problem("hunter2").find("hunter2") == std::string::npos);
}
