#include "acl/suggest.hpp"

#include "acl/compile.hpp"

#include <doctest/doctest.h>

using namespace airmail::acl;

namespace {

ruleset rules(std::string text) {
    ruleset r;
    REQUIRE(r.parse(std::move(text), "acl").empty());
    return r;
}

identity named(std::string name, std::string client = "c") {
    identity i;
    i.name = std::move(name), i.client_id = std::move(client);
    return i;
}

seen publishes(std::string user, std::string topic, std::string client = "c") { return {std::move(user), std::move(client), action::publish, std::move(topic)}; }
seen receives(std::string user, std::string topic, std::string client = "c") { return {std::move(user), std::move(client), action::receive, std::move(topic)}; }

}

TEST_CASE("a comparison names what changes for whom, and the rules that say so") {
    comparison const c{rules("user alice\ntopic read a/#\nuser bob\ntopic b\n"), rules("user alice\ntopic read a/+\nuser bob\ntopic b\n")};
    CHECK(c.of(named("bob")).empty());
    CHECK(c.of(named("stranger")).empty());
    auto const d = c.of(named("alice"));
    REQUIRE(d.size() == 1);   // a/+ does not reach as deep as a/#
    CHECK(d[0].topic == "a/any-word/any-word");
    comparison const taken{rules("user alice\ntopic read a/x/#\n"), rules("user alice\ntopic read a/y/#\n")};
    auto const two = taken.of(named("alice"));
    REQUIRE(two.size() == 2);
    CHECK(two[0].topic == "a/x/any-word/any-word");
    CHECK((two[0].before && !two[0].after));
    CHECK(two[0].rule_before == "acl:2: user alice allow subscribe,receive a/x/#");
    CHECK((!two[1].before && two[1].after));
}

TEST_CASE("patterns are compared with the names of each session") {
    comparison const c{rules("pattern write p/%u/#\n"), rules("pattern write p/%c/#\n")};
    auto const d = c.of(named("alice", "phone"));
    REQUIRE(d.size() == 2);
    CHECK(d[0].topic == "p/alice/any-word/any-word");
    CHECK(d[1].topic == "p/phone/any-word/any-word");
    CHECK(c.of(named("same", "same")).empty());
}

TEST_CASE("suggested rules allow all that was seen") {
    std::vector<seen> const all{publishes("alice", "a/1"), publishes("alice", "a/2"), publishes("alice", "a/3"), receives("alice", "n/x"), publishes("alice", "n/x"),
                                publishes("dev-1", "devices/dev-1/status"), publishes("dev-2", "devices/dev-2/status"), receives("", "public")};
    auto const text = suggest(all);
    CHECK(text == "topic read public\nuser alice\ntopic write a/+\ntopic readwrite n/x\npattern write devices/%u/status\n");
    auto const e = compile(rules(text), semantics::mosquitto);
    for (auto const& s : all) CHECK(e->check(named(s.user, s.client_id), s.what, s.topic).allowed);
    CHECK(!e->check(named("dev-1"), action::publish, "devices/dev-2/status").allowed);
    CHECK(!e->check(named("bob"), action::publish, "a/1").allowed);
}

TEST_CASE("a name seen once is no pattern; a subscription becomes a read rule; what is covered is not said twice") {
    CHECK(suggest({publishes("alice", "u/alice/x")}) == "user alice\ntopic write u/alice/x\n");
    std::vector<seen> const all{{"bob", "c", action::subscribe, "a/#"}, receives("bob", "a/b"), receives("bob", "a/c/d")};
    CHECK(suggest(all) == "user bob\ntopic read a/#\n");
}
