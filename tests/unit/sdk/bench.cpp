#include "plugins/sdk/testing.hpp"

#include "tests/unit/sdk/sample.hpp"

#include <doctest/doctest.h>

using namespace airmail::sdk;
using namespace airmail::sdk::testing;
using test::asker;
using test::sample;

TEST_CASE("a message becomes a row and a counted metric, once committed") {
    bench<sample> b;
    CHECK(b.message({.topic = "devices/dev-1/say", .payload = "hello"}) == verdict::ok);
    CHECK(b.text("SELECT what FROM said WHERE who = 'dev-1'") == "hello");
    CHECK(b.metric("airmail_sample_said_total") == 1);
    CHECK(b.plugin<sample>().commits == 2);   // start, and the message
    b.message({.topic = "devices/dev-1/other", .payload = "hello"});
    CHECK(b.value("SELECT count(*) FROM said") == 1);
}

TEST_CASE("an exception is stopped at the border: the item is undone and set aside, the next one is fine") {
    bench<sample> b;
    b.messages({{.topic = "devices/a/say", .payload = "one"}, {.topic = "devices/a/say", .payload = "boom"},
                {.topic = "devices/a/say", .payload = "odd"}, {.topic = "devices/a/say", .payload = "syntax"},
                {.topic = "devices/a/say", .payload = "two"}});
    CHECK(b.value("SELECT count(*) FROM said") == 2);
    REQUIRE(b.dead_letters().size() == 3);
    CHECK(b.dead_letters()[0].why == "message: it exploded");
    CHECK(b.dead_letters()[0].lsn == 2);
    CHECK(b.dead_letters()[1].why == "message: unknown exception");
    CHECK(b.dead_letters()[2].why.find("SELEC 1") != std::string::npos);
}

TEST_CASE("refusing is an answer, not a failure") {
    bench<sample> b;
    CHECK(b.message({.topic = "devices/a/say", .payload = "no"}) == verdict::refuse);
    CHECK(b.value("SELECT count(*) FROM said") == 1);
    CHECK(b.dead_letters().empty());
}

TEST_CASE("timers fire in order on a clock that only the test moves") {
    bench<sample> b;
    auto t0 = b.now();
    b.advance(2500);
    CHECK(b.plugin<sample>().ticks == std::vector<std::pair<std::uint64_t, instant>>{{1, t0 + 1000}, {1, t0 + 2000}});
    CHECK(b.timer_due(1) == t0 + 3000);
    CHECK(b.now() == t0 + 2500);
}

TEST_CASE("a refused configuration is told in the plugin's own words") {
    try {
        bench<sample> b{{{"mood", "bad"}}};
        FAIL("it started");
    } catch (error const& e) { CHECK(std::string{e.what()}.find("mood: \"bad\" is not allowed, use good") != std::string::npos); }
}

TEST_CASE("methods answer, at once or later, and the role is checked first") {
    bench<sample> b;
    b.message({.topic = "devices/a/say", .payload = "x"});
    CHECK(b.call("sample.count").json == "{\"count\":1}");
    CHECK(b.call("sample.forget", "{}", {.role = "viewer"}).status == 403);
    CHECK(b.call("sample.nothing").status == 404);
    CHECK(b.call("sample.later").status == 0);
    CHECK(b.http({.path = "/said/a"}).body == "/said/a");
    CHECK(b.latest().json == "\"late\"");
    CHECK(b.http({.path = "/nowhere"}).status == 404);
}

TEST_CASE("a method that fails after its reply answers 500 and leaves no trace") {
    bench<sample> b;
    b.message({.topic = "devices/a/say", .payload = "x"});
    CHECK(b.call("sample.forget", R"({"then":"throw"})").status == 500);
    CHECK(b.value("SELECT count(*) FROM said") == 1);
}

TEST_CASE("plugins in one lane call one another inline, in one transaction") {
    bench<asker, sample> b;
    b.message({.topic = "devices/a/say", .payload = "x"});
    b.message({.topic = "ask/sample.count", .payload = "{}"});
    CHECK(b.plugin<asker>().answers == std::vector<std::string>{"200 {\"count\":1}"});
    SUBCASE("what the called one did is undone with the caller") {
        b.message({.topic = "ask/sample.forget", .payload = R"({"done":"throw"})"});
        CHECK(b.value("SELECT count(*) FROM said") == 1);
        REQUIRE(b.dead_letters().size() == 1);
        CHECK(b.dead_letters()[0].plugin == "test.asker");
    }
    SUBCASE("a called one that fails is undone alone, the caller is told 500") {
        b.message({.topic = "ask/sample.forget", .payload = R"({"then":"throw"})"});
        CHECK(b.plugin<asker>().answers.back() == "500 {\"code\":\"host.plugin_failed\"}");
        CHECK(b.value("SELECT count(*) FROM said") == 1);
    }
    SUBCASE("a method that nobody declares fails the item; a stub stands in for a missing plugin") {
        b.message({.topic = "ask/other.thing", .payload = "{}"});
        CHECK(b.dead_letters().size() == 1);
        b.stub("other.thing", [](std::string_view) { return answer{201, "[]"}; });
        b.message({.topic = "ask/other.thing", .payload = "{}"});
        CHECK(b.plugin<asker>().answers.back() == "201 []");
    }
}

TEST_CASE("a crash loses the open transaction and gives its durable messages again") {
    bench<sample> b;
    b.hold();
    b.message({.topic = "devices/a/say", .payload = "durable"});
    b.message({.topic = "devices/a/hint", .payload = "qos 0"});
    b.crash();
    CHECK(b.value("SELECT count(*) FROM said") == 1);
    CHECK(b.text("SELECT what FROM said") == "durable");
}

TEST_CASE("between commit and publication a crash loses nothing: the command leaves again under the same id") {
    bench<sample> b;
    b.crash_after_next_commit();
    b.message({.topic = "devices/dev-1/say", .payload = "command"});
    auto out = b.take_published();
    REQUIRE(out.size() == 1);
    CHECK(out[0].correlation_data == "cmd-1");
    b.restart();
    CHECK(b.take_published().at(0).correlation_data == "cmd-1");
}

TEST_CASE("a full disk fails the item with SQLite's words") {
    bench<sample> b;
    b.disk_full(true);
    CHECK(b.message({.topic = "devices/a/say", .payload = "x"}) == verdict::fail);
    CHECK(b.dead_letters().at(0).why.find("full") != std::string::npos);
    b.disk_full(false);
    CHECK(b.message({.topic = "devices/a/say", .payload = "x"}) == verdict::ok);
}

TEST_CASE("login is decided by the plugin, at once or by an answer") {
    bench<sample> b;
    CHECK(b.connect("dev-1", "u", "good").what == verdict::ok);
    CHECK(b.connect("dev-1", "u", "bad").what == verdict::refuse);
    CHECK(b.connect("dev-1", "role").role == "operator");
    CHECK(b.connect("dev-1", "slow").what == verdict::defer);
}

TEST_CASE("session events name the ready topic of the plugin") {
    bench<sample> b;
    b.session_ready("dev-9");
    b.session_gone("dev-9", session_change::gone_crash);
    CHECK(b.value("SELECT count(*) FROM said WHERE who = 'dev-9'") == 2);
}

TEST_CASE("filters match as the standard says [MQTT-4.7.1-2] [MQTT-4.7.2-1]") {
    CHECK(matches("a/+/c", "a/b/c"));
    CHECK(matches("a/#", "a"));
    CHECK(matches("#", "a/b"));
    CHECK(!matches("#", "$SYS/x"));
    CHECK(!matches("a/+", "a/b/c"));
    CHECK(!matches("a/b/c", "a/b"));
    CHECK(matches("devices/{id}/x", "devices/7/x"));
}
