#include "acl/compile.hpp"
#include "acl/device_rules.hpp"

#include <chrono>
#include <doctest/doctest.h>

using namespace airmail::acl;

namespace {

identity device(std::string id) {
    identity i;
    i.name = i.client_id = std::move(id);
    i.role = "device";
    i.how = proof::certificate;
    return i;
}
identity person(std::string name, std::string role = "") {
    identity i;
    i.name = std::move(name);
    i.role = std::move(role);
    return i;
}
engine_ptr device_engine(std::string more = "") {
    ruleset r;
    add_device_rules(r);
    CHECK(r.parse(std::move(more), "rules").empty());
    return compile(std::move(r), semantics::native);
}
bool may(engine_ptr const& e, identity const& who, action what, std::string_view topic) { return e->check(who, what, topic).allowed; }

}

TEST_CASE("a device publishes under its own name, except its command topic") {
    auto const e = device_engine();
    auto const d = device("dev-1");
    for (auto const* t : {"devices/dev-1/heartbeat", "devices/dev-1/status", "devices/dev-1/x/y", "devices/dev-1"}) CHECK_MESSAGE(may(e, d, action::publish, t), t);
    for (auto const* t : {"devices/dev-1/command", "devices/dev-2/status", "devices/dev-10/status", "devices/dev-1x", "devices//status", "ota/keys",
                          "$ota/campaign/1/progress", "$SYS/x", "x", "devices", "Devices/dev-1/status", "/devices/dev-1/status"})
        CHECK_MESSAGE(!may(e, d, action::publish, t), t);
    CHECK(e->explain(e->check(d, action::publish, "devices/dev-1/command")) == "built-in: role device deny publish devices/{id}/command");
    CHECK(e->explain(e->check(d, action::publish, "devices/dev-1/a")) == "built-in: role device allow publish devices/{id}/#");
}

TEST_CASE("a device subscribes to its command topic and the keys, and to no filter that reaches further") {
    auto const e = device_engine();
    auto const d = device("dev-1");
    for (auto const what : {action::subscribe, action::receive}) {
        CHECK(may(e, d, what, "devices/dev-1/command"));
        CHECK(may(e, d, what, "ota/keys"));
        for (auto const* t : {"devices/dev-2/command", "devices/dev-1/status", "$ota/campaign/1/progress", "$SYS/broker/uptime", "other"})
            CHECK_MESSAGE(!may(e, d, what, t), t);
    }
    for (auto const* f : {"#", "+/#", "devices/#", "devices/+/command", "devices/dev-1/#", "devices/dev-1/+", "+/dev-1/command", "devices/dev-1/command/#",
                          "ota/#", "ota/+", "$ota/#", "$SYS/#"})
        CHECK_MESSAGE(!may(e, d, action::subscribe, f), f);
}

TEST_CASE("a device whose name is a wildcard reaches nothing") {
    auto const e = device_engine();
    for (auto const* name : {"+", "#", "a/b", ""}) {
        auto const d = device(name);
        CHECK(!may(e, d, action::subscribe, "devices/+/command"));
        CHECK(!may(e, d, action::subscribe, "devices/#"));
        CHECK(!may(e, d, action::publish, "devices/a/b/status"));
        CHECK(!may(e, d, action::publish, "devices//status"));
    }
}

TEST_CASE("operators by role may watch campaigns, and no more") {
    auto const e = device_engine();
    for (auto const* role : {"viewer", "operator", "admin"}) {
        CHECK(may(e, person("olga", role), action::subscribe, "$ota/campaign/+/progress"));
        CHECK(may(e, person("olga", role), action::receive, "$ota/campaign/1/events"));
        CHECK(!may(e, person("olga", role), action::publish, "$ota/campaign/1/events"));
        CHECK(!may(e, person("olga", role), action::publish, "devices/dev-1/command"));
    }
    CHECK(!may(e, person("eve"), action::subscribe, "$ota/#"));
    CHECK(!may(e, person(""), action::subscribe, "$ota/#"));
}

TEST_CASE("default deny: an engine without rules allows nothing") {
    auto const e = compile({}, semantics::native);
    for (auto const what : {action::publish, action::subscribe, action::receive}) CHECK(!may(e, device("d"), what, "a"));
    CHECK(e->size() == 0);
}

TEST_CASE("native rules: users, roles, everybody; a deny anywhere wins") {
    auto const e = device_engine("airmail 1\n# people\nuser alice\nallow all lab/#\ndeny publish lab/off\nrole operator\nallow publish,receive cmd/{user}\n"
                                 "everybody\nallow read news/#\ndeny read news/secret\nanonymous\nallow write drop\n");
    auto const alice = person("alice"), olga = person("olga", "operator"), nobody = person("");
    CHECK(may(e, alice, action::publish, "lab/x"));
    CHECK(!may(e, alice, action::publish, "lab/off"));
    CHECK(may(e, alice, action::receive, "lab/off"));
    CHECK(may(e, alice, action::subscribe, "lab/#"));
    CHECK(may(e, olga, action::publish, "cmd/olga"));
    CHECK(!may(e, olga, action::subscribe, "cmd/olga"));
    CHECK(may(e, nobody, action::subscribe, "news/a"));
    CHECK(!may(e, nobody, action::subscribe, "news/#"));
    CHECK(!may(e, nobody, action::subscribe, "news/+"));
    CHECK(may(e, nobody, action::subscribe, "news/a/#"));
    CHECK(may(e, nobody, action::publish, "drop"));
    CHECK(!may(e, alice, action::publish, "drop"));
    CHECK(may(e, device("dev-1"), action::receive, "news/a"));
    CHECK(e->explain(e->check(alice, action::publish, "lab/off")) == "rules:5: user alice deny publish lab/off");
}

TEST_CASE("native rules: what is wrong is said with its line") {
    ruleset r;
    auto const said = r.parse("airmail 2\nallow a b\nallow publish,x y\nallow read\nuser\neverybody x\nnonsense\n", "f");
    REQUIRE(said.size() == 7);
    CHECK(said[0].text == "expected airmail 1, the only version of rules there is");
    CHECK(said[1].line == 2);
    CHECK(said[3].text == "not a topic filter: \"\"");
    CHECK(said[5].text == "nothing may follow here");
    CHECK(r.rules().empty());
}

TEST_CASE("a plugin's grants are rules like others and are named after it") {
    ruleset r;
    add_device_rules(r);
    r.add(effect::allow, may_publish, subject::everybody, "", "shadow/{id}/#", "plugin shadow");
    auto const e = compile(std::move(r), semantics::native);
    auto const d = e->check(device("dev-1"), action::publish, "shadow/dev-1/x");
    CHECK(d.allowed);
    CHECK(e->explain(d) == "plugin shadow: everybody allow publish shadow/{id}/#");
    CHECK(!may(e, device("dev-1"), action::publish, "shadow/dev-2/x"));
}

TEST_CASE("a seat remembers the look-up and is refreshed by another engine") {
    auto const one = device_engine(), two = compile({}, semantics::native);
    auto const d = device("dev-1");
    seat s;
    CHECK(one->check(d, s, action::publish, "devices/dev-1/x").allowed);
    auto const before = s.engine;
    CHECK(one->check(d, s, action::publish, "devices/dev-1/x").allowed);
    CHECK(s.engine == before);
    CHECK(!two->check(d, s, action::publish, "devices/dev-1/x").allowed);
    CHECK(s.engine != before);
    CHECK(one->check(d, s, action::publish, "devices/dev-1/x").allowed);
}

TEST_CASE("a hundred thousand users: each sees its own rules only, and the look-up does not grow") {
    std::string text;
    for (int i = 0; i < 100'000; ++i) {
        auto const id = std::to_string(i);
        text += "user u" + id + "\ntopic readwrite home/u" + id + "/#\n";
    }
    ruleset r;
    REQUIRE(r.parse(std::move(text), "acl").empty());
    auto const e = compile(std::move(r), semantics::mosquitto);
    CHECK(e->size() == 100'000);
    for (int i = 0; i < 100'000; i += 777) {
        auto const who = person("u" + std::to_string(i));
        CHECK(may(e, who, action::publish, "home/" + who.name + "/x"));
        CHECK(!may(e, who, action::publish, "home/u" + std::to_string(i + 1) + "/x"));
    }
    CHECK(!may(e, person("u100000"), action::publish, "home/u1/x"));
    CHECK(e->explain(e->check(person("u5"), action::publish, "home/u5/x")) == "acl:12: user u5 allow publish,subscribe,receive home/u5/#");
}
