// Where "where does this device stand?" is answered from: Redis, the registry and Postgres as configured, each of them away in turn.

#include "storage/reads/ledgers.hpp"
#include "storage/reads/reads.hpp"
#include "tests/e2e/replicate/ledger.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <random>
#include <semaphore>

using namespace airmail::testing;
namespace rd = airmail::storage::reads;
using namespace std::chrono_literals;
using kind = rd::answer::kind;

namespace {

/// A registry that both servers follow, and somebody who asks.
struct asked : ledger {
    redis_server redis;
    std::string database = ledger_server().fresh(), dsn = ledger_server().dsn(database);
    std::unique_ptr<rd::reads> reads;
    rd::reads_options how;

    asked() {
        migrate(dsn, db);
        to_postgres(dsn), to_redis(redis.url());
        how.fresh = 0ms;
    }
    void opens(std::vector<rd::place> order) {
        how.order = std::move(order), how.database = dir / "registry.db", how.redis = options.redis;
        if (!how.postgres) how.postgres = options.postgres;
        reads = std::make_unique<rd::reads>(how);
        reads->start();
        REQUIRE(eventually([&] { return reads->degraded().empty(); }));
    }
    rd::answer ask(std::string const& id, rd::subject about = rd::subject::device) {
        std::promise<rd::answer> said;
        auto will = said.get_future();
        reads->ask(about, id, [&](rd::answer a) { said.set_value(std::move(a)); });
        REQUIRE(will.wait_for(20s) == std::future_status::ready);
        return will.get();
    }
    std::string key(std::string const& serial) { return redis.ask({"GET", "device:" + serial}); }
};

}

TEST_CASE("a Redis hit is the key, byte for byte; a miss answered by the registry refills the key with its life, and is a hit from then on") {
    asked a;
    a.fleet(20);
    a.campaign(campaign_1, 20);
    a.start();
    REQUIRE(a.settles());
    a.opens({rd::place::redis, rd::place::sqlite});
    auto const hit = a.ask("dev-3");
    CHECK(hit.from == rd::place::redis);
    CHECK(hit.json == a.key("dev-3"));
    CHECK(hit.json.find(R"({"serial_no": "dev-3", "model": "TX-100", "fw": "v1.0.2", "last_seen": )") == 0);
    a.redis.ask({"DEL", "device:dev-3"});                        // as an eviction does: the guard stays
    auto const miss = a.ask("dev-3");
    CHECK(miss.from == rd::place::sqlite);
    CHECK(miss.json == hit.json);
    REQUIRE(eventually([&] { return a.key("dev-3") == hit.json; }));
    CHECK(std::stoi(a.redis.ask({"TTL", "device:dev-3"})) > 290);
    CHECK(a.ask("dev-3").from == rd::place::redis);
    CHECK(a.reads->refilled() == 1);
    auto const c = a.ask(campaign_1, rd::subject::campaign);
    CHECK(c.from == rd::place::redis);
    CHECK(c.json == a.redis.ask({"GET", std::string("campaign:") + campaign_1}));
    a.redis.ask({"DEL", std::string("campaign:") + campaign_1});
    CHECK(a.ask(campaign_1, rd::subject::campaign).json == c.json);
    CHECK(eventually([&] { return a.redis.ask({"GET", std::string("campaign:") + campaign_1}) == c.json; }));
    CHECK(a.ask("nobody").what == kind::unknown);
    CHECK(a.ask(airmail::storage::firmware::device_id(0, "dev-3")).json == hit.json);      // by device_id, as every path takes it
    CHECK(a.redis.ask({"EXISTS", "device:" + airmail::storage::firmware::device_id(0, "dev-3")}) == "0");
}

TEST_CASE("Postgres answers in the same words as the registry, for devices and campaigns, from a read-only standby too, and refills Redis") {
    postgres_server primary({"wal_level=replica", "max_wal_senders=4"});
    asked a;
    ledger::migrate(primary.dsn(), a.db);
    postgres_server standby(primary);
    a.to_postgres(primary.dsn());
    a.fleet(20);
    a.campaign(campaign_1, 20);
    a.start();
    REQUIRE(a.settles());
    a.how.postgres = airmail::storage::replicate::postgres_options{standby.dsn(), ""};
    a.opens({rd::place::redis, rd::place::postgres});
    auto const keys = a.key("dev-5"), campaign = a.redis.ask({"GET", std::string("campaign:") + campaign_1});
    a.stop();                                                    // nobody else writes keys from here on
    a.redis.ask({"DEL", "device:dev-5", std::string("campaign:") + campaign_1});
    REQUIRE(eventually([&] { return pg_ask(standby.dsn(), "SELECT count(*) FROM devices")[0][0] == "20"; }));
    auto const d = a.ask("dev-5");
    CHECK(d.from == rd::place::postgres);
    CHECK(d.json == keys);
    CHECK(a.ask(campaign_1, rd::subject::campaign).json == campaign);
    CHECK(eventually([&] { return a.key("dev-5") == keys && a.redis.ask({"GET", std::string("campaign:") + campaign_1}) == campaign; }));
    CHECK(a.ask("dev-5").from == rd::place::redis);
    CHECK(a.ask("not-a-uuid", rd::subject::campaign).what == kind::unknown);
    CHECK(a.reads->counters(rd::place::postgres).asked == 3);
}

TEST_CASE("a ledger that lags behind what Redis once said refills nothing; neither does one who was overtaken between miss and refill") {
    asked a;
    a.device("12345");
    a.start();
    REQUIRE(a.settles());
    a.stop();
    a.opens({rd::place::redis, rd::place::postgres});
    auto const old = a.key("12345");
    a.redis.ask({"SET", "airmail:seq:{device:12345}", "9000000000000"});      // Redis heard of it later than Postgres
    a.redis.ask({"DEL", "device:12345"});
    CHECK(a.ask("12345").json == old);                                        // the best that is known, but no key is made of it
    CHECK(a.ask("12345").from == rd::place::postgres);
    CHECK(a.key("12345").empty());

    boost::asio::io_context loop;
    rd::redis_source source(*a.options.redis, 2000ms);
    rd::question q;
    q.id = "12345", q.json = old, q.version = 1 + (std::int64_t{1} << 50);
    std::vector<rd::question*> const one{&q};
    a.redis.ask({"DEL", "airmail:seq:{device:12345}"});
    boost::asio::co_spawn(loop, source.keep(), boost::asio::detached);
    auto story = [&]() -> boost::asio::awaitable<void> {
        co_await source.find(one);
    };
    auto run = [&](boost::asio::awaitable<void> s) {
        bool over = false;
        boost::asio::co_spawn(loop, std::move(s), [&](std::exception_ptr) { over = true; });
        while (!over) loop.run_one();
    };
    q.json.clear();
    while (!source.there()) loop.run_one();
    run(story());
    REQUIRE(q.missed);
    a.redis.ask({"SET", "airmail:seq:{device:12345}", "7"});                  // removed meanwhile: guard only
    q.json = old;
    auto back = [&]() -> boost::asio::awaitable<void> { co_await source.refill(one); };
    run(back());
    CHECK(source.refilled() == 0);
    CHECK(a.key("12345").empty());
    q.guard = "7";
    run(back());
    CHECK(source.refilled() == 1);
}

TEST_CASE("a source that is away is passed over, one that hangs costs its time once; without the last ledger the answer is unreachable, not unknown") {
    asked a;
    fault_proxy proxy(ledger_server().port());
    a.device("12345");
    a.start();
    REQUIRE(a.settles());
    a.stop();
    a.how.timeout = 300ms;
    a.how.postgres = airmail::storage::replicate::postgres_options{ledger_server().dsn(a.database, proxy.port()), ""};
    a.opens({rd::place::redis, rd::place::postgres});
    a.redis.pause();
    CHECK(a.ask("12345").from == rd::place::postgres);                        // after 300 ms
    auto const from = std::chrono::steady_clock::now();
    for (int i = 0; i < 50; ++i) REQUIRE(a.ask("12345").from == rd::place::postgres);
    CHECK(std::chrono::steady_clock::now() - from < 10s);                     // 50 timeouts would be 15
    CHECK(a.reads->degraded().find("reads from redis: ") == 0);
    a.redis.resume();
    REQUIRE(eventually([&] { return a.reads->degraded().empty(); }));
    CHECK(a.ask("12345").from == rd::place::redis);
    proxy.set(fault_proxy::mode::refuse);
    proxy.reset();
    REQUIRE(eventually([&] { return a.ask("nobody").what == kind::unreachable; }));
    CHECK(a.ask("12345").from == rd::place::redis);
    proxy.set(fault_proxy::mode::pass);
    REQUIRE(eventually([&] { return a.ask("nobody").what == kind::unknown; }));
}

TEST_CASE("memory answers again within its time; a thousand questions at once are few exchanges, each answered once") {
    asked a;
    a.fleet(200);
    a.start();
    REQUIRE(a.settles());
    a.how.fresh = 1h;
    a.opens({rd::place::memory, rd::place::redis, rd::place::sqlite});
    std::atomic<int> known{0}, wrong{0};
    for (int i = 0; i < 1000; ++i) {
        auto const id = "dev-" + std::to_string(i % 200);
        a.reads->ask(rd::subject::device, id, [&, id](rd::answer r) { ++(r.what == kind::known && r.json.find("\"" + id + "\"") != r.json.npos ? known : wrong); });
    }
    REQUIRE(eventually([&] { return known + wrong == 1000; }));
    CHECK(wrong == 0);
    auto const before = a.reads->counters(rd::place::redis).asked.load();
    for (int i = 0; i < 200; ++i) CHECK(a.ask("dev-" + std::to_string(i)).from == rd::place::memory);
    CHECK(a.reads->counters(rd::place::redis).asked == before);
    CHECK(a.reads->counters(rd::place::postgres).asked == 0);
}

TEST_CASE("how long a status query takes, and how many never reach Postgres") {
    if (!std::getenv("AIRMAIL_LONG")) return;                    // figures, not promises: bench/README.md
    asked a;
    a.fleet(20'000);
    a.start();
    REQUIRE(a.settles(120s));
    REQUIRE(eventually([&] { return a.redis.ask({"EXISTS", "device:dev-19999"}) == "1"; }));
    a.stop();
    for (int i = 0; i < 20'000; i += 2) a.redis.ask({"DEL", "device:dev-" + std::to_string(i)});      // half of the fleet has been silent for 300 s
    a.how.fresh = 1s;
    a.opens({rd::place::memory, rd::place::redis, rd::place::postgres});
    std::mutex lock;
    std::map<rd::place, std::vector<double>> took;
    std::counting_semaphore<16> free(16);
    std::minstd_rand chance(7);
    std::uniform_real_distribution<double> u(0, 1);
    int const questions = 100'000;
    auto const began = std::chrono::steady_clock::now();
    for (int i = 0; i < questions; ++i) {
        // Some are looked at far more than others: the rank of the device asked for is exponentially spread over the fleet.
        auto const id = "dev-" + std::to_string(int(std::pow(20'000.0, u(chance))) - 1);
        free.acquire();
        auto const at = std::chrono::steady_clock::now();
        a.reads->ask(rd::subject::device, id, [&, at](rd::answer r) {
            {
                std::lock_guard hold(lock);
                took[r.from].push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - at).count());
            }
            free.release();
        });
    }
    for (int i = 0; i < 16; ++i) free.acquire();
    auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    MESSAGE(fmt::format("{} questions in {:.1f} s, 16 at a time; {:.2f} % never reached Postgres; {} keys put back", questions, seconds,
                        100.0 * (1 - double(a.reads->counters(rd::place::postgres).asked) / questions), a.reads->refilled()));
    for (auto& [from, all] : took) {
        std::sort(all.begin(), all.end());
        auto at = [&](double share) { return all[std::min(all.size() - 1, std::size_t(share * double(all.size())))]; };
        MESSAGE(fmt::format("from {}: {} answers, p50 {:.3f} ms, p99 {:.3f} ms, worst {:.1f} ms", rd::name_of(from), all.size(), at(0.5), at(0.99), all.back()));
    }
}
