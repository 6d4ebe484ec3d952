// Postgres as the ledger: filled, streamed to, away and back, cut in the middle of COMMIT, behind a pooler, promoted.

#include "storage/firmware/semver.hpp"
#include "tests/e2e/replicate/ledger.hpp"

using namespace airmail::testing;

namespace {

/// A registry that follows into a fresh database of the program's server, through `port` when it is not 0.
struct follower : ledger {
    std::string database = ledger_server().fresh();
    std::string dsn = ledger_server().dsn(database);
    explicit follower(bool migrated = true) {
        if (migrated) migrate(dsn, db);
        to_postgres(dsn);
    }
    void through(fault_proxy const& p) { to_postgres(ledger_server().dsn(database, p.port())); }
    std::string count(std::string const& table) { return pg_ask(dsn, "SELECT count(*) FROM " + table)[0][0]; }
};

}

TEST_CASE("a new database is filled by a snapshot, then follows row by row: upserts, deletes, folded last_seen") {
    follower f;
    f.fleet(2500);
    f.campaign(campaign_1, 50);
    f.start();
    REQUIRE(f.settles());
    CHECK(differences(f.db, f.dsn) == "");
    CHECK(f.count("devices") == "2500");
    f.heard(2500);
    for (int i = 0; i < 50; ++i) f.status(campaign_1, i, "downloading", i + 1);
    f.db.exec("DELETE FROM devices WHERE serial_no = 'dev-7'");
    f.db.exec("INSERT INTO device_tags VALUES(?, 'lab')", {airmail::storage::firmware::device_id(0, "dev-1")});
    f.db.exec("DELETE FROM device_tags");
    REQUIRE(f.settles());
    CHECK(differences(f.db, f.dsn) == "");
    CHECK(f.count("devices") == "2499");
    CHECK(f.carrier->states()[0].counters->snapshots == 1);
    CHECK(f.carrier->states()[0].counters->folded >= 2499);
}

TEST_CASE("the document's columns and enums are there") {
    follower f;
    f.device("12345");
    f.start();
    REQUIRE(f.settles());
    auto r = pg_ask(f.dsn, "SELECT pg_typeof(device_id), pg_typeof(status), pg_typeof(last_seen), pg_typeof(created_at), status FROM devices WHERE serial_no = '12345'");
    CHECK(r == pg_rows{{"uuid", "devices_status", "timestamp with time zone", "timestamp with time zone", "online"}});
    CHECK_THROWS(pg_ask(f.dsn, "UPDATE devices SET status = 'flying'"));
}

TEST_CASE("a campaign may be called what its maker likes, in a database of the first layout too once it has been migrated") {
    follower f;
    for (auto const* table : {"campaigns", "campaign_devices"}) pg_ask(f.dsn, std::string("ALTER TABLE ") + table + " ALTER COLUMN campaign_id TYPE uuid USING campaign_id::uuid");
    pg_ask(f.dsn, "UPDATE airmail_schema SET version = 1 WHERE table_name = ''");
    follower::migrate(f.dsn, f.db);
    f.fleet(5);
    f.campaign(campaign_1, 5);
    f.db.exec("UPDATE campaigns SET campaign_id = 'camp_789'");
    f.db.exec("UPDATE campaign_devices SET campaign_id = 'camp_789'");
    f.start();
    REQUIRE(f.settles());
    CHECK(differences(f.db, f.dsn) == "");
    CHECK(f.box.poison_rows("postgres") == 0);
    CHECK(pg_ask(f.dsn, "SELECT campaign_id, pg_typeof(campaign_id) FROM campaigns") == pg_rows{{"camp_789", "text"}});
    CHECK(pg_ask(f.dsn, "SELECT count(*) FROM campaign_devices WHERE campaign_id = 'camp_789'") == pg_rows{{"5"}});
}

TEST_CASE("versions sort in SQL as they do in the registry: v1.10 after v1.9, a candidate before its release") {
    follower f;
    std::vector<std::string> const all{"", "unknown", "v0.9", "v1.0.2", "v1.1.0-alpha", "1.1.0-alpha.1", "v1.1.0-alpha.beta", "v1.1.0-beta.2", "v1.1.0-beta.11", "v1.1.0-rc.1", "v1.1.0", "V1.1", "1.1.0+build7", "v1.1.0.1",
                                       "v1.9.0", "v1.10.0", "v1.10.0-rc1", "v2.0.0-1", "v2.0.0-10", "v2.0.0-9", "v10.0.0", "v1.18446744073709551615.0", "2.4.1.7-rc.1+build5"};
    std::string list;
    for (auto const& v : all) list += (list.empty() ? "('" : ", ('") + v + "')";
    auto const pairs = pg_ask(f.dsn, fmt::format("WITH v(t) AS (VALUES {}) SELECT a.t, b.t, airmail_semver(a.t) < airmail_semver(b.t), airmail_semver(a.t) = airmail_semver(b.t) FROM v a, v b", list));
    REQUIRE(pairs.size() == all.size() * all.size());
    for (auto const& p : pairs) {
        auto const want = airmail::storage::firmware::compare_versions(p[0], p[1]);
        CHECK_MESSAGE((p[2] == "t") == (want < 0), p[0] << " and " << p[1]);
        CHECK_MESSAGE((p[3] == "t") == (want == 0), p[0] << " and " << p[1]);
    }
}

TEST_CASE("the document's example query, TX-100 below v1.1.0 not updated for 30 days, is one range of one index") {
    follower f;
    // AIRMAIL_LONG: a million devices, and the time is printed for bench/README.md.
    int const n = std::getenv("AIRMAIL_LONG") ? 1'000'000 : 20'000;
    pg_ask(f.dsn, fmt::format("INSERT INTO devices(device_id, tenant, serial_no, model, current_firmware, last_seen, status, created_at, updated_at, registration, ever_seen, hash, boot_slot, airmail_node, airmail_seq) "
                              "SELECT gen_random_uuid(), 0, 'q-' || i, 'TX-' || 100 + i % 5 * 50, 'v1.' || i / 5 % 12 || '.' || i % 3, now(), 'online', now(), now() - (i % 4000) * interval '20 minutes', 'accepted', 1, 7, '', 1, i "
                              "FROM generate_series(1, {}) i", n));
    pg_ask(f.dsn, "VACUUM ANALYZE devices");
    std::string const query = "SELECT serial_no FROM devices WHERE model = 'TX-100' AND airmail_semver(current_firmware) < airmail_semver('v1.1.0') AND updated_at < now() - interval '30 days'";
    std::string plan;
    for (auto const& r : pg_ask(f.dsn, "EXPLAIN (ANALYZE, BUFFERS) " + query)) plan += r[0] + "\n";
    CHECK_MESSAGE(plan.find("Index Only Scan using devices_by_release") != plan.npos, plan);
    auto const range = plan.substr(std::min(plan.size(), plan.find("Index Cond: ((model = 'TX-100'::text)")));
    auto const condition = range.substr(0, range.find('\n'));
    CHECK_MESSAGE(condition.find("airmail_semver(current_firmware)") != condition.npos, plan);     // all three in the range: nothing left to filter
    CHECK_MESSAGE(condition.find("updated_at <") != condition.npos, plan);
    CHECK_MESSAGE(plan.find("Filter:") == plan.npos, plan);
    auto const found = std::stoll(pg_ask(f.dsn, "SELECT count(*) FROM (" + query + ") q")[0][0]);
    CHECK(found == std::stoll(pg_ask(f.dsn, "SELECT count(*) FROM devices WHERE model = 'TX-100' AND current_firmware LIKE 'v1.0.%' AND updated_at < now() - interval '30 days'")[0][0]));
    CHECK(found > n / 400);
    MESSAGE(fmt::format("{} of {} devices\n{}", found, n, plan));
}

TEST_CASE("Postgres is away for a while and comes back: nothing lost, nothing doubled, order right; folded rows stay few (G01)") {
    postgres_server own;
    follower f;
    f.dsn = own.dsn();
    ledger::migrate(f.dsn, f.db);
    f.to_postgres(f.dsn);
    f.fleet(500);
    f.campaign(campaign_1, 500);
    f.start();
    REQUIRE(f.settles());
    own.stop();
    REQUIRE(eventually([&] { return !f.degraded().empty(); }));
    bool const whole = std::getenv("AIRMAIL_LONG") != nullptr;
    // Short: 25,000 heartbeats and 2,000 status rows. Long: ten minutes, a million, 100,000.
    int const rounds = whole ? 2000 : 50, rows = whole ? 100'000 : 2000;
    auto const until = std::chrono::steady_clock::now() + (whole ? std::chrono::minutes(10) : std::chrono::minutes(0));
    std::int64_t seq = 0;
    for (int round = 0; round < rounds; ++round) {
        f.heard(500);
        for (int i = 0; i < rows / rounds; ++i) {
            ++seq;
            f.status(campaign_1, int(seq % 500), seq % 3 ? "downloading" : "installing", seq);
        }
    }
    while (std::chrono::steady_clock::now() < until) ::poll(nullptr, 0, 200);
    CHECK(f.db.integer("SELECT count(*) FROM outbox_folded") == 500);
    CHECK(f.box.size() <= 3 * rows + 10);          // not one for a heartbeat
    own.start();
    REQUIRE(f.settles(std::chrono::seconds(whole ? 300 : 60)));
    CHECK(differences(f.db, f.dsn) == "");
    CHECK(pg_ask(f.dsn, "SELECT count(*), count(DISTINCT seq), max(seq) FROM campaign_events") == pg_rows{{std::to_string(seq), std::to_string(seq), std::to_string(seq)}});
}

TEST_CASE("a proxy resets in the middle of COMMIT, before and after the server saw it: 0 lost, 0 doubled (G02)") {
    follower f;
    fault_proxy proxy(ledger_server().port());
    f.through(proxy);
    f.fleet(20);
    f.campaign(campaign_1, 20);
    f.start();
    REQUIRE(f.settles());
    for (bool delivered : {false, true, false, true}) {
        int const before = proxy.cuts();
        proxy.cut_at("COMMIT", delivered);
        for (int i = 0; i < 20; ++i) f.status(campaign_1, i, delivered ? "installing" : "downloading", f.db.integer("SELECT coalesce(max(seq), 0) + 1 FROM campaign_events"));
        REQUIRE(eventually([&] { return proxy.cuts() > before; }));
        REQUIRE(f.settles());
        CHECK(differences(f.db, f.dsn) == "");
    }
    CHECK(f.count("campaign_events") == "80");
}

TEST_CASE("a server that takes connections and never answers is cut after replicate_timeout; a slow one only slows") {
    follower f;
    fault_proxy proxy(ledger_server().port());
    f.through(proxy);
    f.options.timeout = std::chrono::milliseconds(700);
    f.fleet(100);
    f.start();
    REQUIRE(f.settles());
    proxy.set(fault_proxy::mode::hang);
    f.heard(100);
    f.device("late");
    REQUIRE(eventually([&] { return f.degraded().find("in time") != std::string::npos; }));
    proxy.set(fault_proxy::mode::slow);
    proxy.reset();
    REQUIRE(f.settles());
    CHECK(differences(f.db, f.dsn) == "");
}

TEST_CASE("a row that Postgres refuses is set aside with its reason; the rest goes on") {
    follower f;
    f.options.batch = 64;
    f.start();
    REQUIRE(f.settles());
    {
        airmail::storage::sqlite::transaction t(f.db);
        for (int i = 0; i < 200; ++i) f.device("good-" + std::to_string(i));
        f.db.exec("INSERT INTO devices(device_id, serial_no, model, last_seen, created_at, updated_at, hash) VALUES('not-a-uuid', 'bad', 'x', 1, 1, 1, 1)");
        for (int i = 200; i < 300; ++i) f.device("good-" + std::to_string(i));
        t.commit();
    }
    REQUIRE(f.settles());
    CHECK(f.count("devices") == "300");
    REQUIRE(f.box.poison_rows("postgres") == 1);
    CHECK(std::get<std::string>(f.db.scalar("SELECT reason FROM airmail_outbox_poison")).find("uuid") != std::string::npos);
    CHECK(f.alarms == std::vector<std::string>{"replicate_poison"});
}

TEST_CASE("a destination further behind than replicate_lag_alarm raises one alert, and another only after it had caught up") {
    follower f;
    fault_proxy proxy(ledger_server().port());
    f.through(proxy);
    f.options.lag_alarm = std::chrono::milliseconds(500);
    f.start();
    REQUIRE(f.settles());
    auto alerts = [&] {
        std::lock_guard hold(f.mutex);
        return std::count(f.alarms.begin(), f.alarms.end(), "replicate_lag");
    };
    for (int round = 1; round <= 2; ++round) {
        proxy.set(fault_proxy::mode::refuse);
        proxy.reset();
        f.device("late-" + std::to_string(round));
        REQUIRE(eventually([&] { return alerts() == round; }));
        CHECK(f.carrier->states()[0].counters->lag_ms > 500);
        CHECK(f.carrier->states()[0].counters->lag_rows == 1);
        proxy.set(fault_proxy::mode::pass);
        REQUIRE(f.settles());
        REQUIRE(eventually([&] { return f.carrier->states()[0].counters->lag_rows == 0; }));
    }
    CHECK(alerts() == 2);
}

TEST_CASE("a role that only reads may see devices and campaigns, but no password hashes and no keys") {
    follower f;
    st::install_outbox_triggers(f.db, {"users", {}, {}, {}, 1, true});
    f.migrate(f.dsn, f.db);
    f.device("12345");
    f.start();
    REQUIRE(f.settles());
    pg_ask(f.dsn, "DO $$ BEGIN CREATE ROLE looker LOGIN IN ROLE airmail_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    auto const looker = "host=127.0.0.1 user=looker dbname=" + f.database + " port=" + std::to_string(ledger_server().port());
    CHECK(pg_ask(looker, "SELECT serial_no FROM devices") == pg_rows{{"12345"}});
    CHECK_THROWS(pg_ask(looker, "DELETE FROM devices"));
    CHECK(pg_ask(f.dsn, "SELECT count(*) FROM users") == pg_rows{{"0"}});      // it is there, and yet:
    CHECK_THROWS(pg_ask(looker, "SELECT count(*) FROM users"));
    CHECK(pg_ask(f.dsn, "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' "
                        "AND a.attname ~ '(password|secret|key|token)_?hash' AND has_table_privilege('looker', c.oid, 'SELECT')").empty());
}

TEST_CASE("two nodes say different things about one row: the greater sequence wins, whoever comes last (G07)") {
    follower a;
    follower b;
    b.to_postgres(a.dsn);
    b.options.node = 2;
    a.device("12345", "online", "v1");
    for (int i = 0; i < 5; ++i) b.device("b-" + std::to_string(i));
    b.device("12345", "online", "v2");                       // b's sequence is the greater one
    b.start();
    REQUIRE(b.settles());
    a.start();
    REQUIRE(a.settles());
    CHECK(pg_ask(a.dsn, "SELECT current_firmware, airmail_node FROM devices WHERE serial_no = '12345'") == pg_rows{{"v2", "2"}});
    CHECK(a.count("airmail_replica") == "2");
}

TEST_CASE("Postgres is put back to an old state: it is filled again, and what it should not have goes") {
    follower f;
    f.fleet(10);
    f.start();
    REQUIRE(f.settles());
    f.db.exec("UPDATE devices SET status = 'offline'");
    REQUIRE(f.settles());
    f.stop();
    pg_ask(f.dsn, "UPDATE airmail_replica SET seq = 1; DELETE FROM devices WHERE serial_no = 'dev-3'; INSERT INTO devices(device_id, serial_no, status, airmail_node, airmail_seq) "
                  "VALUES('00000000-0000-0000-0000-000000000001', 'ghost', 'online', 1, 1)");
    f.box.trim();
    f.start();
    REQUIRE(f.settles());
    CHECK(differences(f.db, f.dsn) == "");
}

TEST_CASE("a registry put back by hand begins a new epoch, and the ledger becomes what it says") {
    follower f;
    f.fleet(10);
    f.start();
    REQUIRE(f.settles());
    f.stop();
    f.db.backup_to(f.dir / "old.db");
    f.start();
    f.device("after-the-backup");
    REQUIRE(f.settles());
    f.stop();
    f.options.database = f.dir / "old.db";
    airmail::storage::sqlite::db old(f.dir / "old.db");
    airmail::storage::outbox box(old, {.wall_ms = wall_ms});
    f.options.say = [](bool, std::string const&) {};
    airmail::storage::replicate::replicator carrier(f.options);
    carrier.start();
    REQUIRE(eventually([&] { return carrier.degraded().empty() && pg_ask(f.dsn, "SELECT count(*) FROM devices")[0][0] == "10"; }));
    CHECK(differences(old, f.dsn) == "");
    CHECK(box.last() >= std::int64_t{1} << 40);
    carrier.stop();
}

TEST_CASE("at its bound the outbox is dropped, and the destination is filled anew") {
    follower f;
    fault_proxy proxy(ledger_server().port());
    f.through(proxy);
    f.options.outbox_rows_max = 1000;
    f.options.timeout = std::chrono::milliseconds(500);
    f.fleet(10);
    f.start();
    REQUIRE(f.settles());
    proxy.set(fault_proxy::mode::refuse);
    proxy.reset();
    {
        airmail::storage::sqlite::transaction t(f.db);
        for (int i = 0; i < 3000; ++i) f.device("x-" + std::to_string(i));
        t.commit();
    }
    REQUIRE(eventually([&] { return f.carrier->dropped_rows() > 0; }));
    proxy.set(fault_proxy::mode::pass);
    REQUIRE(f.settles());
    CHECK(differences(f.db, f.dsn) == "");
    CHECK(f.carrier->states()[0].counters->snapshots == 2);
}

TEST_CASE("each kind of trouble is one clear line, without secrets, and goes away when it is mended") {
    follower f(false);
    f.device("12345");
    auto says = [&](std::string const& dsn, std::string const& words) {
        f.to_postgres(dsn);
        f.start();
        bool const good = eventually([&] { return f.degraded().find(words) != std::string::npos; }, std::chrono::seconds(15));
        CHECK_MESSAGE(good, dsn << " -> " << f.degraded());
        CHECK(f.degraded().find('\n') == f.degraded().size() - 1);
        f.stop();
    };
    says("host=127.0.0.1 user=airmail port=" + std::to_string(ledger_server().port()), "dbname");
    says("this is no dsn", "not a Postgres connection string");
    says("host=no-such-host.invalid user=airmail dbname=x", "no-such-host.invalid");
    says("host=127.0.0.1 user=airmail dbname=x port=1", "127.0.0.1:1");
    says(ledger_server().dsn("no_such_database"), "no_such_database");
    says(f.dsn, "run airmailctl db migrate");
    ledger::migrate(f.dsn, f.db);
    pg_ask(f.dsn, "DROP TABLE device_tags");
    says(f.dsn, "device_tags is missing: run airmailctl db migrate");
    ledger::migrate(f.dsn, f.db);
    pg_ask(f.dsn, "UPDATE airmail_schema SET version = 9 WHERE table_name = 'devices'");
    says(f.dsn, "newer than this program");
    pg_ask(f.dsn, "UPDATE airmail_schema SET version = 1 WHERE table_name = 'devices'");
    f.start();
    CHECK(f.settles());
}

TEST_CASE("passwords: SCRAM over TLS with verify-full; a wrong password and a wrong name in the certificate are refused in one line") {
    postgres_server own({"password_encryption=scram-sha-256"});
    auto must = [&](std::string const& script) { REQUIRE_MESSAGE(run({"sh", "-c", "cd " + own.dir() + " && " + script}).code == 0, script); };
    must("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=testca 2>/dev/null && "
         "openssl req -newkey rsa:2048 -nodes -keyout data/server.key -out s.csr -subj /CN=localhost 2>/dev/null && "
         "printf 'subjectAltName=DNS:localhost' > ext && openssl x509 -req -in s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile ext -out data/server.crt -days 30 2>/dev/null && "
         "chown --reference=data data/server.key data/server.crt && chmod 600 data/server.key && printf 'right horse\\n' > pw && printf 'wrong\\n' > pw2");
    pg_ask(own.dsn(), "CREATE ROLE carrier LOGIN SUPERUSER PASSWORD 'right horse'");
    std::ofstream(own.data() + "/pg_hba.conf") << "hostssl all carrier 127.0.0.1/32 scram-sha-256\nhost all airmail 127.0.0.1/32 trust\n";
    pg_ask(own.dsn(), "ALTER SYSTEM SET ssl = on");
    pg_ask(own.dsn(), "SELECT pg_reload_conf()");
    follower f;
    ledger::migrate(own.dsn(), f.db);
    f.device("12345");
    auto dsn = [&](std::string const& host) {
        return "host=" + host + " user=carrier dbname=postgres sslmode=verify-full sslrootcert=" + own.dir() + "/ca.crt port=" + std::to_string(own.port());
    };
    f.options.postgres = airmail::storage::replicate::postgres_options{dsn("localhost"), "file:" + own.dir() + "/pw2"};
    f.start();
    CHECK(eventually([&] { return f.degraded().find("password authentication failed") != std::string::npos; }));
    f.stop();
    f.options.postgres = airmail::storage::replicate::postgres_options{dsn("127.0.0.1"), "file:" + own.dir() + "/pw"};
    f.start();
    CHECK(eventually([&] { return f.degraded().find("does not match host name") != std::string::npos; }));
    f.stop();
    f.options.postgres = airmail::storage::replicate::postgres_options{dsn("localhost"), "file:" + own.dir() + "/pw"};
    f.start();
    CHECK(f.settles());
    CHECK(pg_ask(own.dsn(), "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE usename = 'carrier'") == pg_rows{{"t"}});
    for (auto const& line : f.said) CHECK(line.find("horse") == std::string::npos);
}

TEST_CASE("a promoted standby is followed within 30 s") {
    // Asynchronous: what the standby has not heard of, it is told again from where its own cursor stands.
    postgres_server primary({"wal_level=replica", "max_wal_senders=4"});
    follower f;
    ledger::migrate(primary.dsn(), f.db);
    postgres_server standby(primary);
    f.to_postgres(fmt::format("host=127.0.0.1,127.0.0.1 port={},{} user=airmail dbname=postgres", primary.port(), standby.port()));
    f.fleet(50);
    f.start();
    REQUIRE(f.settles());
    primary.kill();
    standby.promote();
    auto const from = std::chrono::steady_clock::now();
    f.device("after-the-failover");
    REQUIRE(f.settles());
    CHECK(std::chrono::steady_clock::now() - from < std::chrono::seconds(30));
    CHECK(differences(f.db, standby.dsn()) == "");
}

TEST_CASE("behind PgBouncer in transaction mode") {
    if (::access("/usr/sbin/pgbouncer", X_OK) != 0) {
        MESSAGE("pgbouncer is not installed: skipped");
        return;
    }
    follower f;
    server_dir dir("pgbouncer");
    auto const port = port_free_now();
    std::ofstream(dir / "ini") << "[databases]\n* = host=127.0.0.1 port=" << ledger_server().port() << " user=airmail\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=" << port
                               << "\npool_mode=transaction\nauth_type=any\nunix_socket_dir=\ndefault_pool_size=2\nlogfile=" << (dir / "log") << "\n";
    if (auto const* p = ::geteuid() == 0 ? ::getpwnam(postgres_server::user()) : nullptr) (void)!::chown(dir.path().c_str(), p->pw_uid, p->pw_gid), ::chmod((dir / "ini").c_str(), 0644);
    int const log = ::open((dir / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    pid_t child = spawn(postgres_server::as_user({"/usr/sbin/pgbouncer", "-q", dir / "ini"}), log);
    ::close(log);
    f.to_postgres(ledger_server().dsn(f.database, port));
    f.fleet(1500);
    f.campaign(campaign_1, 100);
    f.start();
    CHECK(f.settles());
    for (int i = 0; i < 100; ++i) f.status(campaign_1, i, "downloading", i + 1);
    f.heard(1500);
    CHECK_MESSAGE(f.settles(), f.degraded());
    CHECK(differences(f.db, f.dsn) == "");
    f.stop();
    end_child(child, SIGKILL);
}
