// Postgres is away while a fleet of a whole broker goes on with a campaign; and how fast the copies follow at all. The short form
// asks what must be true; AIRMAIL_LONG=1 is the ten minutes, and prints the figures of bench/README.md.

#include "tests/e2e/replicate/field.hpp"

using namespace airmail::testing;
namespace bench = airmail::bench;

namespace {

bool whole() { return std::getenv("AIRMAIL_LONG") != nullptr; }

std::string line(char const* what, field::stretch const& s) {
    return fmt::format("{}: {} heartbeats and {} statuses in {:.0f} s, PUBACK p50 {:.0f} us, p99 {:.0f} us; broker {:.2f} CPU-s, replication {:.2f} of it ({:.0f} %)", what, s.beats, s.statuses, s.seconds,
                       s.p50_us, s.p99_us, s.broker_cpu, s.carrier_cpu, s.broker_cpu > 0 ? 100 * s.carrier_cpu / s.broker_cpu : 0);
}

/// Counts rows of Postgres that went back in time: order per device.
void watch_order(std::string const& dsn) {
    pg_ask(dsn, "CREATE TABLE disorder(what text)");
    pg_ask(dsn, "CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.rev < OLD.rev OR NEW.airmail_seq < OLD.airmail_seq OR NEW.progress < OLD.progress THEN "
                "INSERT INTO disorder VALUES (NEW.serial_no); END IF; RETURN NEW; END $$");
    pg_ask(dsn, "CREATE TRIGGER watch BEFORE UPDATE ON campaign_devices FOR EACH ROW EXECUTE FUNCTION watch()");
}

}

TEST_CASE("Postgres is away under a running campaign: devices do not notice, Redis follows on, and at the end three stores agree row by row (G01, G03, G07)") {
    std::size_t const devices = whole() ? 10'000 : 150;
    double const rate = whole() ? 1800 : 600, control = whole() ? 120 : 2, away = whole() ? 605 : 4;
    std::uint64_t const statuses = devices * 10, spared = devices * 2;      // as many a second in the controls as in the outage
    postgres_server postgres;
    redis_server redis;
    field f(devices, postgres.dsn(), redis);
    watch_order(postgres.dsn());
    auto const id = f.campaign();
    REQUIRE(f.settled(std::chrono::seconds(60)));
    auto const before = f.load(rate, control, spared);
    MESSAGE(line("control", before));

    postgres.stop();
    auto const outage = f.load(rate, away, statuses);
    MESSAGE(line("Postgres away", outage));
    CHECK(f.broker.get("/readyz").text.find("degraded: postgres: ") != std::string::npos);
    CHECK(f.broker.ready() == 200);
    auto const rows = f.metric("airmail_outbox_rows"), lag = f.metric("airmail_replicate_lag_rows{to=\"postgres\"}");
    MESSAGE(fmt::format("outbox {} rows, Postgres {} behind, Redis {}; compacted {}; {} MiB of registry", rows, lag, f.metric("airmail_replicate_lag_rows{to=\"redis\"}"),
                        f.metric("airmail_outbox_compacted_rows_total"), std::filesystem::file_size(f.broker.dir() / "data/registry.db") >> 20));
    CHECK(f.metric("airmail_replicate_lag_rows{to=\"redis\"}") < 1000);
    CHECK(f.metric("airmail_outbox_dropped_rows_total") == 0);
    CHECK(rows < 20 * std::int64_t(statuses));                     // what happened, not how often devices said they are alive

    postgres.start();
    auto const back = bench::now_ns();
    auto const drain = f.load(rate, whole() ? 300 : 40, 0, [&] { return f.metric("airmail_replicate_lag_rows{to=\"postgres\"}") < 200 && f.broker.get("/readyz").text == "ready\n"; });
    MESSAGE(line("draining", drain) << fmt::format("; caught up {:.1f} s after Postgres answered", double(bench::now_ns() - back) / 1e9));
    auto const after = f.load(rate, control, spared);
    MESSAGE(line("control again", after));

    f.finish();
    REQUIRE(f.settled(std::chrono::seconds(whole() ? 300 : 60)));
    CHECK(pg_ask(postgres.dsn(), "SELECT status, count(*) FROM campaign_devices GROUP BY 1") == pg_rows{{"completed", std::to_string(devices)}});
    CHECK(pg_ask(postgres.dsn(), "SELECT status FROM campaigns") == pg_rows{{"completed"}});
    CHECK(pg_ask(postgres.dsn(), "SELECT count(*) FROM disorder") == pg_rows{{"0"}});
    auto const events = pg_ask(postgres.dsn(), "SELECT count(*), count(DISTINCT seq) FROM campaign_events")[0];
    CHECK(events[0] == events[1]);
    auto d = f.registry();
    CHECK(d->integer("SELECT count(*) FROM airmail_outbox_poison") == 0);
    CHECK(differences(*d, postgres.dsn()) == "");
    CHECK(differences(*d, redis) == "");
    CHECK(redis.ask({"GET", "campaign:" + id}).find(R"("status": "completed"})") != std::string::npos);
    CHECK(f.broker.stop() == 0);
}

TEST_CASE("how many heartbeats a second Redis and Postgres follow without growing lag") {
    if (!whole()) return;                                          // a figure, not a promise: bench/README.md
    redis_server redis;
    field f(10'000, ledger_server().dsn(ledger_server().fresh()), redis);
    for (double const rate : {5000.0, 10'000.0, 20'000.0, 33'333.0}) {
        REQUIRE(f.settled(std::chrono::seconds(120)));
        std::string lags;
        auto const s = f.load(rate, 20, 0, [&] {
            lags += fmt::format(" {}", f.metric("airmail_replicate_lag_rows{to=\"postgres\"}"));
            return false;
        });
        auto const from = bench::now_ns();
        REQUIRE(f.settled(std::chrono::seconds(120)));
        MESSAGE(line(fmt::format("{:.0f}/s", rate).c_str(), s) << fmt::format("; {:.0f}/s came; all copied {:.1f} s after the last; folded {}; lag each second:{}", double(s.beats) / s.seconds,
                                                                              double(bench::now_ns() - from) / 1e9, f.metric("airmail_replicate_folded_rows_total{to=\"postgres\"}"), lags));
    }
    CHECK(f.broker.stop() == 0);
}
