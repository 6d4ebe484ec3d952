#include "broker/host/method_table.hpp"

#include "tests/unit/host/plugins.hpp"
#include "tests/unit/host/rig.hpp"

#include "storage/sqlite/audit.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::host;
using namespace airmail::host::test;

TEST_CASE("roles: a viewer reads, an operator acts, an admin may everything, nobody else anything") {
    rig r;
    r.with<diary>();
    struct row { char const *role, *method; int status; };
    for (auto const& c : {row{"", "diary.count", 403}, {"device", "diary.count", 403}, {"viewer", "diary.count", 200}, {"operator", "diary.count", 200},
                          {"admin", "diary.count", 200}, {"viewer", "diary.forget", 403}, {"operator", "diary.forget", 200}, {"admin", "diary.forget", 200},
                          {"operator", "diary.burn", 403}, {"admin", "diary.burn", 500}, {"admin", "diary.nothing", 404}}) {
        CAPTURE(c.role);
        CAPTURE(c.method);
        CHECK(r.call(c.method, "{}", c.role).first == c.status);
    }
}

TEST_CASE("audited methods are written down in the chain, failed ones too, secrets not") {
    rig r;
    auto& h = r.with<diary>();
    r.call("diary.forget", R"({"id":"dev-1","password":"hunter2","deep":{"token":"t"}})");
    r.log.put(message("devices/a/say", "x"));
    h.pump();
    CHECK(r.call("diary.burn").first == 500);
    CHECK(r.call("diary.forget", "{}", "viewer").first == 403);
    CHECK(r.number("SELECT count(*) FROM diary") == 1);     // the fire was undone
    CHECK(r.number("SELECT count(*) FROM audit_log") == 2);
    CHECK(r.text("SELECT action || ' ' || actor || ' ' || target || ' ' || outcome FROM audit_log WHERE seq = 1") == "diary.forget tester dev-1 ok");
    CHECK(r.text("SELECT detail FROM audit_log WHERE seq = 1") == R"({"id":"dev-1","password":"...","deep":{"token":"..."}})");
    CHECK(r.text("SELECT outcome FROM audit_log WHERE seq = 2") == "failed 500");
    storage::sqlite::db d{r.options.database};
    CHECK(storage::sqlite::audit_verify(d).good);
}

TEST_CASE("a call between plugins of one lane runs in the caller's transaction") {
    rig r;
    auto& h = r.with<diary, reader>();
    reader::answers.clear();
    r.log.put(message("devices/a/say", "x"));
    r.log.put(message("ask/diary.count", "{}"));
    r.log.put(message("ask/diary.burn", "{}"));
    r.log.put(message("ask/nobody.there", "{}"));
    h.pump();
    CHECK(reader::answers == std::vector<std::string>{"200 {\"count\":1}", "500 {\"code\":\"host.plugin_failed\"}"});
    CHECK(r.text("SELECT reason FROM airmail_dead_letters").find("nobody declares \"nobody.there\"") != std::string::npos);
    CHECK(r.number("SELECT count(*) FROM diary") == 1);
    CHECK(r.text("SELECT actor FROM audit_log") == "test.reader");
}

TEST_CASE("a plugin that never answers is answered for, in time") {
    rig r;
    r.options.call_timeout = std::chrono::milliseconds{0};
    r.with<diary>();
    CHECK(r.call("diary.never").first == 504);
    CHECK(r.host->lanes()[0]->counters().calls_timed_out == 1);
}

TEST_CASE("a full lane answers calls with 503 at once") {
    rig r;
    r.options.events_max = 2;
    auto& h = r.with<diary>();
    int busy = 0, served = 0;
    for (int i = 0; i < 5; ++i)
        h.call("diary.count", "{}", {.name = "t", .role = "admin"}, [&](int s, std::string) { ++(s == 503 ? busy : served); });
    CHECK(busy == 3);
    h.pump();
    CHECK(served == 2);
}

TEST_CASE("routes: the most literal pattern wins, parameters are decoded, HEAD finds GET") {
    rig r;
    auto& h = r.with<diary>();
    auto m = h.match_route("GET", "/api/v1/diary/dev%201");
    REQUIRE(m.to_method);
    CHECK(m.to_method->what.name == "diary.count");
    CHECK(merge_params(m, "a=b+c&x", R"({"n":1,"id":"other"})") == R"({"n":1,"id":"dev 1","a":"b c","x":""})");
    CHECK_FALSE(merge_params(m, "", "[1]"));
    CHECK_FALSE(merge_params(m, "a=%zz", ""));
    CHECK(h.match_route("HEAD", "/diary/raw").to_route);
    CHECK_FALSE(h.match_route("POST", "/diary/raw"));
    CHECK(h.match_route("POST", "/diary/raw").other_verb);
    CHECK_FALSE(h.match_route("GET", "/nowhere"));
    CHECK_FALSE(h.match_route("GET", "/api/v1/diary/%00"));
}

TEST_CASE("a raw route is answered by its plugin") {
    rig r;
    auto& h = r.with<diary>();
    http_answer got;
    h.http(*h.match_route("GET", "/diary/raw").to_route, {.verb = "GET", .path = "/diary/raw", .query = "q"}, [&](http_answer a) { got = std::move(a); });
    h.pump();
    CHECK(got.status == 200);
    CHECK(got.body == "raw q");
}

TEST_CASE("logins: yes, no, a role, a failure is a no, silence is a no in time") {
    rig r;
    auto& h = r.with<doorman>();
    CHECK(h.decides_logins());
    auto ask = [&](std::string user, std::string password) {
        std::string got = "silence";
        h.connect("dev-1", std::move(user), std::move(password), "127.0.0.1",
                  [&](sdk::verdict v, std::string role) { got = (v == sdk::verdict::ok ? "yes" : "no") + (role.empty() ? "" : " " + role); });
        h.pump();
        if (got == "silence") h.watch();
        return got;
    };
    CHECK(ask("u", "good") == "yes");
    CHECK(ask("u", "bad") == "no");
    CHECK(ask("role", "") == "yes operator");
    CHECK(ask("throw", "") == "no");
    CHECK(ask("defer", "") == "silence");
    r.options.connect_timeout = std::chrono::milliseconds{0};
    auto& closed = r.with<doorman>();
    std::string got;
    closed.connect("dev-1", "defer", "", "", [&](sdk::verdict v, std::string) { got = v == sdk::verdict::refuse ? "no" : "yes"; });
    closed.pump(), closed.watch();
    CHECK(got == "no");
}
