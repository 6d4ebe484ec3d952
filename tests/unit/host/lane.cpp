#include "broker/host/lane.hpp"

#include "tests/unit/host/plugins.hpp"
#include "tests/unit/host/rig.hpp"

#include "storage/sqlite/audit.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::host;
using namespace airmail::host::test;

TEST_CASE("a durable message becomes rows, outbox and position in one transaction, then its publication leaves") {
    rig r;
    auto& h = r.with<diary>();
    r.copied();
    r.log.put(message("devices/dev-1/say", "command"));
    CHECK(r.out.published.empty());
    h.pump();
    CHECK(r.text("SELECT what FROM diary") == "command");
    CHECK(r.number("SELECT count(*) FROM outbox WHERE table_name = 'diary'") == 1);
    CHECK(r.number("SELECT lsn FROM airmail_applied WHERE lane = 'registry'") == 1);
    CHECK(h.lanes()[0]->applied() == 1);
    REQUIRE(r.out.published.size() == 1);
    CHECK(r.out.published[0].correlation_data == "cmd-1");
}

TEST_CASE("killed between commit and publication, the command leaves again under the same id after the restart") {
    rig r;
    r.with<diary>();
    r.out.dead = true;
    r.log.put(message("devices/dev-1/say", "command"));
    r.host->pump();
    CHECK(r.out.published.empty());
    r.out.dead = false;
    auto& h = r.with<diary>();
    h.pump();
    REQUIRE(r.out.published.size() == 1);
    CHECK(r.out.published[0].correlation_data == "cmd-1");
    CHECK(r.number("SELECT count(*) FROM diary") == 1);
}

TEST_CASE("what was applied is not applied again at replay, what was not is, in order") {
    rig r;
    r.with<diary>();
    r.log.put(message("devices/a/say", "one"));
    r.host->pump();
    r.log.live[0] = false;      // the lane hears no more: the machine is down
    r.log.put(message("devices/a/say", "two"));
    r.log.put(message("devices/a/say", "three"));
    r.with<diary>().pump();
    CHECK(r.text("SELECT group_concat(what) FROM (SELECT what FROM diary ORDER BY n)") == "one,two,three");
}

TEST_CASE("a full lane spills: the log is read back in order, then it is live again") {
    rig r;
    r.options.durable_max = 4;
    auto& h = r.with<diary>();
    h.pump();
    for (int i = 0; i < 700; ++i) r.log.put(message("devices/a/say", std::to_string(i)));
    CHECK_FALSE(r.log.live[0]);
    h.pump();
    CHECK(r.log.live[0]);
    CHECK(r.number("SELECT count(*) FROM diary") == 700);
    CHECK(r.number("SELECT count(*) FROM diary WHERE CAST(what AS INTEGER) = n - 1") == 700);
    CHECK(h.lanes()[0]->counters().spilled > 0);
    r.log.put(message("devices/a/say", "live"));
    h.pump();
    CHECK(h.lanes()[0]->applied() == 701);
}

TEST_CASE("a failing item is undone alone and set aside, its batch goes on") {
    rig r;
    auto& h = r.with<diary, reader>();
    reader::seen = 0;
    r.log.put(message("devices/a/say", "one"));
    r.log.put(message("devices/a/say", "boom"));
    r.log.put(message("devices/a/say", "two"));
    h.pump();
    CHECK(h.lanes()[0]->counters().commits == 1);
    CHECK(r.text("SELECT group_concat(what) FROM (SELECT what FROM diary ORDER BY n)") == "one,two");
    CHECK(r.number("SELECT lsn FROM airmail_dead_letters") == 2);
    CHECK(r.text("SELECT reason FROM airmail_dead_letters") == "test.diary: message: it exploded");
    CHECK(r.text("SELECT CAST(payload AS TEXT) FROM airmail_dead_letters") == "boom");
    CHECK(reader::seen == 3);      // the other plugin of the lane has its own step
    CHECK(h.lanes()[0]->applied() == 3);
}

TEST_CASE("messages that are not in the log are set aside under numbers of their own") {
    rig r;
    auto& h = r.with<diary>();
    auto lanes = h.topics("devices/a/say");
    h.post(message("devices/a/say", "boom", "a", 0), lanes.durable | lanes.loose);
    h.post(message("devices/a/say", "boom", "a", 0), lanes.durable | lanes.loose);
    h.pump();
    CHECK(r.number("SELECT count(*) FROM airmail_dead_letters WHERE lsn < 0") == 2);
}

TEST_CASE("a batch without SQL pays no commit; its position is stored later") {
    rig r;
    auto& h = r.with<diary>();
    h.pump();
    auto before = h.lanes()[0]->counters().commits.load();
    r.log.put(message("devices/a/say", "quiet"));
    r.log.put(message("devices/a/say", "speak"));
    h.pump();
    CHECK(h.lanes()[0]->counters().commits == before);
    CHECK(r.out.published.size() == 1);
    CHECK(h.lanes()[0]->applied() == 0);
    for (int i = 0; i < 10'000; ++i) r.log.put(message("devices/a/say", "quiet"));
    h.pump();
    CHECK(h.lanes()[0]->applied() >= 10'000);
    CHECK(h.lanes()[0]->counters().commits == before + 1);
    h.stop();
    CHECK(r.number("SELECT lsn FROM airmail_applied") == 10'002);
}

TEST_CASE("a commit that cannot be made applies nothing and is made again") {
    rig r;
    r.options.threads = true;
    r.options.busy_timeout = std::chrono::milliseconds{5};
    auto& h = r.with<diary>();
    storage::sqlite::db other{r.options.database};
    {
        // Somebody holds the write lock longer than the lane's patience: busy, rolled back, retried.
        storage::sqlite::transaction hold{other};
        r.log.put(message("devices/dev-1/say", "command"));
        while (h.lanes()[0]->counters().commit_failures == 0) std::this_thread::yield();
        CHECK(r.out.count() == 0);
        CHECK(h.trouble().find("cannot commit") != std::string::npos);
        CHECK(h.lanes()[0]->applied() == 0);
    }
    while (h.lanes()[0]->applied() == 0) std::this_thread::yield();
    while (r.out.count() == 0) std::this_thread::yield();
    h.stop();
    CHECK(h.lanes()[0]->trouble() == "");
    CHECK(r.number("SELECT count(*) FROM diary") == 1);
    CHECK(r.out.count() == 1);
}

TEST_CASE("a plugin commits nothing itself, sets no pragma, and never touches the audit log") {
    rig r;
    auto& h = r.with<diary>();
    for (auto what : {"pragma", "commit", "foreign"}) r.log.put(message("devices/a/say", what));
    h.pump();
    CHECK(r.number("SELECT count(*) FROM airmail_dead_letters") == 3);
    CHECK(r.number("SELECT count(*) FROM diary") == 0);
}

TEST_CASE("a full lane keeps the latest of a topic that says so, and counts what it replaces") {
    rig r;
    r.options.loose_max = 2;
    auto& h = r.with<diary>();
    auto lanes = h.topics("devices/a/hint").loose;
    for (auto text : {"1", "2", "3", "4", "5"}) h.post(message("devices/a/hint", text, "a", 0), lanes);
    h.pump();
    CHECK(r.text("SELECT group_concat(what) FROM (SELECT what FROM diary ORDER BY n)") == "1,2,5");
    CHECK(h.lanes()[0]->counters().latest_replaced == 2);
}

TEST_CASE("a full lane drops other undurable messages and counts them") {
    rig r;
    r.options.loose_max = 2;
    auto& h = r.with<diary>();
    auto lanes = h.topics("devices/a/number").loose;
    for (int i = 0; i < 5; ++i) h.post(message("devices/a/number", R"({"n":1})", "a", 0), lanes);
    h.pump();
    CHECK(r.number("SELECT count(*) FROM diary") == 2);
    CHECK(h.lanes()[0]->counters().loose_dropped == 3);
}

TEST_CASE("a payload that breaks the topic's schema is dropped and counted") {
    rig r;
    auto& h = r.with<diary>();
    for (auto text : {R"({"n":10})", R"({})", "no json", R"({"n":9})"}) h.post(message("devices/a/number", text), ~0u);
    h.pump();
    CHECK(h.lanes()[0]->counters().schema_violations == 3);
    CHECK(r.number("SELECT count(*) FROM diary") == 1);
    CHECK(r.out.logged("payload on devices/a/number dropped: /n: above 9"));
}

TEST_CASE("timers run on the stored clock, once") {
    rig r;
    auto& h = r.with<diary>();
    r.log.put(message("devices/a/say", "timer"));
    h.pump();
    r.now += 99;
    h.pump();
    CHECK(r.number("SELECT count(*) FROM diary WHERE who = 'timer'") == 0);
    r.now += 1;
    h.pump(), h.pump();
    CHECK(r.text("SELECT what FROM diary WHERE who = 'timer'") == "5");
    CHECK(r.number("SELECT count(*) FROM diary WHERE who = 'timer'") == 1);
}

TEST_CASE("session events reach the plugin whose ready topic it is") {
    rig r;
    auto& h = r.with<diary, reader>();
    CHECK(h.is_ready_topic("dev-9", "devices/dev-9/command"));
    CHECK_FALSE(h.is_ready_topic("dev-9", "devices/dev-8/command"));
    h.post(session_event{.identity = "dev-9", .topic = "devices/dev-9/command", .connection = 3});
    h.post(session_event{.identity = "dev-9", .topic = "something/else"});
    h.pump();
    CHECK(r.number("SELECT count(*) FROM diary WHERE who = 'dev-9' AND what = 'ready'") == 1);
}

TEST_CASE("a hook over its budget is counted and named") {
    rig r;
    auto& h = r.with<diary>();
    r.log.put(message("devices/a/say", "slow"));
    h.pump();
    CHECK(h.lanes()[0]->counters().slow_hooks == 1);
    CHECK(r.out.logged("test.diary: message took"));
}

TEST_CASE("an acknowledgement reaches the plugin that published, and nobody else") {
    rig r;
    auto& h = r.with<diary, reader>();
    CHECK(h.wants_deliveries());
    h.delivered(message("devices/a/command", "x", "test.diary"), "a");
    h.delivered(message("devices/a/command", "x", "test.reader"), "a");
    h.delivered(message("devices/boom/command", "x", "test.diary"), "boom");
    h.pump();
    CHECK(r.number("SELECT count(*) FROM diary WHERE who = 'a' AND what = 'devices/a/command '") == 1);
    CHECK(r.number("SELECT count(*) FROM diary") == 1);
    CHECK(r.number("SELECT count(*) FROM airmail_dead_letters") == 1);
}

TEST_CASE("acknowledgements leave room for what must not be lost") {
    rig r;
    auto& h = r.with<diary>();
    for (int i = 0; i < 20'000; ++i) h.delivered(message("devices/a/command", "x", "test.diary"), "a");
    auto& n = h.lanes()[0]->counters();
    CHECK(n.deliveries_dropped > 0);
    h.post(session_event{.identity = "dev-9", .topic = "devices/dev-9/command", .connection = 3});
    h.pump();
    CHECK(n.session_events_dropped == 0);
    CHECK(r.number("SELECT count(*) FROM diary WHERE who = 'dev-9'") == 1);
}
