// Whole brokers with Postgres and Redis following: the document's first flow, kill -9, a plugin from outside, backup, bad input.

#include "tests/e2e/broker/house.hpp"
#include "tests/e2e/replicate/ledger.hpp"

#include <filesystem>

using namespace airmail::testing;
namespace fs = std::filesystem;

namespace {

std::string beat(std::string const& serial, std::string const& firmware) {
    return R"({"serial_no":")" + serial + R"(","model":"TX-100","current_firmware":")" + firmware + R"(","timestamp":1699878900})";
}

std::string follow(std::string const& dsn, std::string const& redis) {
    return fleet::get().device_listener() + "ota_last_seen_flush 200ms\nreplicate_timeout 2s\nreplicate_postgres " + dsn + "\nreplicate_redis " + redis + "\n";
}

/// The registry as the broker left it.
std::unique_ptr<airmail::storage::sqlite::db> registry_of(broker_process const& b) {
    return std::make_unique<airmail::storage::sqlite::db>(b.dir() / "data/registry.db", airmail::storage::sqlite::db_options{.create = false, .read_only = true});
}

void migrate(broker_process const& b, std::string const& dsn) {
    auto const o = run({AIRMAILCTL, "--socket", b.dir() / "control.sock", "db", "migrate", "--dsn", dsn});
    REQUIRE_MESSAGE(o.code == 0, o.text);
}

bool follows(broker_process const& b) {
    return eventually([&] { return b.get("/readyz").text == "ready\n"; }, 30s);
}

/// Both copies say what the registry says; the registry may still move.
bool agree(broker_process const& b, std::string const& dsn, redis_server& r, std::string& why) {
    auto d = registry_of(b);
    return eventually([&] { return (why = differences(*d, dsn)).empty() && (why = differences(*d, r)).empty(); }, 40s);
}

}

TEST_CASE("Flow 1 through a whole broker: certificate, heartbeat, a row in Postgres, the key in Redis; db migrate makes it ready") {
    auto const dsn = ledger_server().dsn(ledger_server().fresh());
    redis_server redis;
    broker_process b(follow(dsn, redis.url()));
    up(b);
    CHECK(eventually([&] { return b.get("/readyz").text.find("degraded: postgres: the database has no Airmail schema: run airmailctl db migrate") != std::string::npos; }));
    CHECK(b.ready() == 200);
    migrate(b, dsn);
    REQUIRE(follows(b));
    blocking_client device;
    connects(device, device_options(b, "12345"));
    (void)device.subscribe("devices/12345/command", 1);
    REQUIRE(device.publish({.topic = "devices/12345/heartbeat", .payload = beat("12345", "v1.0.2"), .qos = 1}).has_value());
    auto online = [&] { return pg_ask(dsn, "SELECT model, current_firmware, status, floor(extract(epoch from last_seen))::bigint FROM devices WHERE serial_no = '12345'"); };
    REQUIRE(eventually([&] { auto r = online(); return !r.empty() && r[0][2] == "online"; }));
    auto const now = wall_ms() / 1000;
    CHECK(std::stoll(online()[0][3]) >= now - 60);
    auto const want = [&] { return R"({"serial_no": "12345", "model": "TX-100", "fw": "v1.0.2", "last_seen": )" + online()[0][3] + R"(, "status": "online"})"; };
    CHECK(eventually([&] { return redis.ask({"GET", "device:12345"}) == want(); }));
    device.disconnect();
    CHECK(eventually([&] { return redis.ask({"GET", "device:12345"}).find(R"("status": "offline"})") != std::string::npos; }));
    std::string why;
    CHECK_MESSAGE(agree(b, dsn, redis, why), why);
    CHECK(b.get("/metrics").text.find("airmail_replicate_lag_rows{to=\"postgres\"} 0") != std::string::npos);
    CHECK(pg_ask(dsn, "SELECT count(*) FROM audit_log")[0][0] == std::to_string(registry_of(b)->integer("SELECT count(*) FROM audit_log")));
    CHECK(b.stop() == 0);
}

TEST_CASE("kill -9 of the broker in each of the states Postgres and Redis can be in: both agree after each") {
    auto const database = ledger_server().fresh();
    auto const dsn = ledger_server().dsn(database);
    redis_server redis;
    fault_proxy proxy(ledger_server().port());
    broker_process b(follow(ledger_server().dsn(database, proxy.port()), redis.url()));
    up(b);
    migrate(b, dsn);
    REQUIRE(follows(b));
    int version = 0;
    auto beats = [&] {
        ++version;
        for (int i = 0; i < 2; ++i) {
            auto const id = "kill-" + std::to_string(i);
            blocking_client device;
            connects(device, device_options(b, id));
            REQUIRE(device.publish({.topic = "devices/" + id + "/heartbeat", .payload = beat(id, "v1.0." + std::to_string(version)), .qos = 1}).has_value());
            device.disconnect();
        }
    };
    beats();
    auto degraded = [&](char const* words) { return eventually([&] { return b.get("/readyz").text.find(words) != std::string::npos; }); };
    struct state {
        char const* name;
        std::function<void()> enter, leave;
        std::function<bool()> reached;       // before the power goes
    };
    using mode = fault_proxy::mode;
    auto pass = [&] { proxy.set(mode::pass), proxy.reset(); };
    int cuts = 0;
    state const states[] = {
        {"Postgres down", [&] { proxy.set(mode::refuse), proxy.reset(); }, pass, [&] { return degraded("postgres: "); }},
        {"Postgres hangs", [&] { proxy.set(mode::hang); }, pass, [&] { return degraded("in time"); }},
        {"Postgres slow", [&] { proxy.set(mode::slow); }, pass, [] { return true; }},
        {"reset in mid-COMMIT, unheard", [&] { cuts = proxy.cuts(), proxy.cut_at("COMMIT", false); }, pass, [&] { return eventually([&] { return proxy.cuts() > cuts; }); }},
        {"reset in mid-COMMIT, committed", [&] { cuts = proxy.cuts(), proxy.cut_at("COMMIT", true); }, pass, [&] { return eventually([&] { return proxy.cuts() > cuts; }); }},
        {"Redis flushed", [&] { redis.ask({"FLUSHALL"}); }, [] {}, [] { return true; }},
        {"Redis restarted empty", [&] { redis.kill(); }, [&] { redis.start(); }, [&] { return degraded("redis: "); }},
        {"Redis evicting", [&] { redis.ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-random"}), redis.ask({"CONFIG", "SET", "maxmemory", "1mb"}); },
         [&] { redis.ask({"CONFIG", "SET", "maxmemory", "0"}); }, [&] { return eventually([&] { return redis.ask({"INFO", "stats"}).find("evicted_keys:0\r") == std::string::npos; }); }},
        {"Redis read-only", [&] { redis.ask({"REPLICAOF", "127.0.0.1", "1"}); }, [&] { redis.ask({"REPLICAOF", "NO", "ONE"}); }, [&] { return degraded("READONLY"); }},
    };
    for (auto const& s : states) {
        CAPTURE(s.name);
        s.enter();
        beats();
        CHECK(s.reached());
        b.kill();
        up(b);
        blocking_client stays;               // its key must be there and say online, whatever was evicted
        connects(stays, device_options(b, "stays"));
        REQUIRE(stays.publish({.topic = "devices/stays/heartbeat", .payload = beat("stays", "v1"), .qos = 1}).has_value());
        beats();
        s.leave();
        REQUIRE(follows(b));
        std::string why;
        REQUIRE_MESSAGE(agree(b, dsn, redis, why), why);
    }
    CHECK(pg_ask(dsn, "SELECT count(*), min(current_firmware), max(current_firmware) FROM devices WHERE serial_no LIKE 'kill-%'") == pg_rows{{"2", "v1.0." + std::to_string(version), "v1.0." + std::to_string(version)}});
    CHECK(b.stop() == 0);
}

TEST_CASE("status of a device and a campaign over REST: the document's words, from memory, Redis, the registry or Postgres as configured") {
    auto const dsn = ledger_server().dsn(ledger_server().fresh());
    redis_server redis;
    auto const copies = follow(dsn, redis.url());
    broker_process b(copies);
    up(b);
    migrate(b, dsn);
    REQUIRE(follows(b));
    blocking_client device;
    connects(device, device_options(b, "12345"));
    REQUIRE(device.publish({.topic = "devices/12345/heartbeat", .payload = beat("12345", "v1.0.2"), .qos = 1}).has_value());
    REQUIRE(eventually([&] { return !redis.ask({"GET", "device:12345"}).empty(); }));
    device.disconnect();
    REQUIRE(eventually([&] { return redis.ask({"GET", "device:12345"}).find("offline") != std::string::npos; }));
    auto const key = redis.ask({"GET", "device:12345"});
    for (std::string const order : {"", "memory redis sqlite", "redis postgres", "postgres"}) {
        CAPTURE(order);
        CHECK(b.stop() == 0);
        b.configure(copies + (order.empty() ? "" : "replicate_reads " + order + "\n"));
        up(b);
        REQUIRE(follows(b));
        auto const o = b.control("GET", "/api/v1/devices/12345/status");
        CHECK(o.code == 200);
        CHECK(o.text == key);
        CHECK(b.control("GET", "/api/v1/devices/nobody/status").code == 404);
        CHECK(b.control("GET", "/api/v1/campaigns/nothing/status").code == 404);
    }
    auto const m = b.get("/metrics").text;
    CHECK(m.find("airmail_replicate_reads_total 3") != std::string::npos);
    CHECK(m.find("airmail_replicate_reads_asked_total{of=\"postgres\"} 3") != std::string::npos);
    CHECK(m.find("airmail_replicate_reads_answered_total{of=\"postgres\"} 1") != std::string::npos);
    CHECK(m.find("airmail_replicate_read_seconds_count{from=\"postgres\"} 1") != std::string::npos);
    CHECK(b.stop() == 0);
    for (std::string const bad : {"replicate_reads memory", "replicate_reads sqlite memcached", "replicate_reads_postgres host=a dbname=x password=hunter2"}) {
        b.configure(copies + bad + "\n");
        auto const o = b.try_start();
        CHECK(o.code == 78);
        CHECK(o.text.find("replicate_reads") != std::string::npos);
        CHECK(o.text.find("hunter2") == std::string::npos);
    }
    b.configure(fleet::get().device_listener() + "replicate_reads redis sqlite\n");
    CHECK(b.try_start().text.find("replicate_redis is not set") != std::string::npos);
}

TEST_CASE("a plugin written outside of the tree declares a table, and its rows arrive in Postgres without further code") {
    temp_dir dir;
    auto must = [&](std::string const& command) {
        auto const o = run({"sh", "-c", command});
        REQUIRE_MESSAGE(o.code == 0, o.text);
    };
    must(CMAKE " --install '" BUILD "' --component dev --prefix '" + (dir / "usr") + "'");
    must("cp -r '" SOURCE "/examples/hello_plugin' '" + (dir / "hello") + "'");
    must(CMAKE " -G '" GENERATOR "' -DCMAKE_BUILD_TYPE=Debug -S '" + (dir / "hello") + "' -B '" + (dir / "out") + "' -DCMAKE_PREFIX_PATH='" + (dir / "usr") + "' && " CMAKE " --build '" + (dir / "out") + "'");
    auto const dsn = ledger_server().dsn(ledger_server().fresh());
    broker_process b(fleet::get().device_listener() + "replicate_postgres " + dsn + "\nairmail_plugin " + (dir / "out/hello.so") + "\n");
    up(b);
    migrate(b, dsn);
    REQUIRE(follows(b));
    blocking_client device;
    connects(device, device_options(b, "anna"));
    for (int i = 0; i < 3; ++i) REQUIRE(device.publish({.topic = "greetings/anna", .payload = "hi", .qos = 1}).has_value());
    CHECK(eventually([&] { return pg_ask(dsn, "SELECT times FROM greetings WHERE name = 'anna'") == pg_rows{{"3"}}; }));
    device.disconnect();
    CHECK(b.stop() == 0);
}

TEST_CASE("backup while it runs, restore while it does not: the devices are back, the ledger becomes what the backup says") {
    auto const dsn = ledger_server().dsn(ledger_server().fresh());
    redis_server redis;
    broker_process b(follow(dsn, redis.url()));
    up(b);
    migrate(b, dsn);
    REQUIRE(follows(b));
    auto beats = [&](std::string const& id, std::string const& version) {
        blocking_client device;
        connects(device, device_options(b, id));
        REQUIRE(device.publish({.topic = "devices/" + id + "/heartbeat", .payload = beat(id, version), .qos = 1}).has_value());
        device.disconnect();
        REQUIRE(eventually([&] { return pg_ask(dsn, "SELECT current_firmware FROM devices WHERE serial_no = '" + id + "'") == pg_rows{{version}}; }));
    };
    beats("kept", "v1");
    auto const copy = b.dir() / "backup", ctl = std::string(AIRMAILCTL), socket = b.dir() / "control.sock", data = b.dir() / "data";
    auto o = run({ctl, "--socket", socket, "backup", copy});
    REQUIRE_MESSAGE(o.code == 0, o.text);
    CHECK(run({ctl, "--socket", socket, "backup", copy}).code != 0);               // never over another
    CHECK(run({ctl, "restore", copy, "--to", data, "--replace"}).code == 4);       // never under a running broker
    beats("kept", "v2");
    beats("lost", "v2");
    CHECK(b.stop() == 0);
    CHECK(run({ctl, "restore", copy, "--to", data}).code == 4);                    // never over data unasked
    CHECK(run({ctl, "restore", b.dir() / "nothing", "--to", data}).code == 3);
    o = run({ctl, "restore", copy, "--to", data, "--replace"});
    REQUIRE_MESSAGE(o.code == 0, o.text);
    up(b);
    REQUIRE(follows(b));
    std::string why;
    CHECK_MESSAGE(agree(b, dsn, redis, why), why);
    CHECK(pg_ask(dsn, "SELECT serial_no, current_firmware FROM devices") == pg_rows{{"kept", "v1"}});
    beats("kept", "v3");                                                           // later than anything said before the restore
    CHECK(b.stop() == 0);
}

TEST_CASE("bad input: a wrong destination degrades and says so, the broker runs on; a password in the configuration is refused unrepeated") {
    broker_process b(fleet::get().device_listener() + "replicate_postgres host=no-such-host.invalid dbname=x user=y\nreplicate_redis redis://127.0.0.1:1\n");
    up(b);
    auto says = [&](char const* words) { return eventually([&] { return b.get("/readyz").text.find(words) != std::string::npos; }); };
    CHECK(says("degraded: postgres: cannot connect: no-such-host.invalid"));
    CHECK(says("degraded: redis: cannot connect: 127.0.0.1:1: Connection refused"));
    CHECK(b.ready() == 200);
    blocking_client device;
    connects(device, device_options(b, "12345"));
    CHECK(device.publish({.topic = "devices/12345/heartbeat", .payload = beat("12345", "v1"), .qos = 1}).has_value());
    device.disconnect();
    CHECK(b.stop() == 0);
    for (std::string const bad : {"replicate_postgres host=a dbname=x password=hunter2", "replicate_redis redis://me:hunter2@a", "replicate_redis_password hunter2"}) {
        b.configure(fleet::get().device_listener() + bad + "\n");
        auto const o = b.try_start();
        CHECK(o.code == 78);
        CHECK(o.text.find("replicate_") != std::string::npos);
        CHECK(o.text.find("hunter2") == std::string::npos);
    }
}
