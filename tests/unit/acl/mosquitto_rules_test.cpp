// Every sentence of reference/brokers.md 2.3, as a test.

#include "acl/compile.hpp"

#include <doctest/doctest.h>

using namespace airmail::acl;

namespace {

struct broker {
    engine_ptr rules;
    explicit broker(std::string text) {
        ruleset r;
        auto const said = r.parse(std::move(text), "acl");
        REQUIRE(said.empty());
        rules = compile(std::move(r), semantics::mosquitto);
    }
    static identity who(std::string name, std::string client = "client") {
        identity i;
        i.name = std::move(name);
        i.client_id = std::move(client);
        return i;
    }
    bool writes(identity const& i, std::string_view topic) const { return rules->check(i, action::publish, topic).allowed; }
    bool reads(identity const& i, std::string_view topic) const { return rules->check(i, action::receive, topic).allowed; }
    bool may_ask(identity const& i, std::string_view filter) const { return rules->check(i, action::subscribe, filter).allowed; }
};

std::string first_complaint(std::string text) {
    ruleset r;
    auto const said = r.parse(std::move(text), "acl");
    return said.empty() ? "" : std::to_string(said[0].line) + (said[0].fatal ? ": fatal: " : ": ") + said[0].text;
}

auto const alice = broker::who("alice");
auto const bob = broker::who("bob");
auto const anonymous = broker::who("");

}

TEST_CASE("lines before any user are for anonymous clients") {
    broker b{"topic read a\nuser alice\ntopic read b\n"};
    CHECK(b.reads(anonymous, "a"));
    CHECK(!b.reads(anonymous, "b"));
    CHECK(!b.reads(alice, "a"));
    CHECK(b.reads(alice, "b"));
}

TEST_CASE("a user's name is the rest of the line, trimmed, and sections of one user add up") {
    broker b{"user  alice b \t\r\ntopic read a\nuser bob\ntopic b\nuser alice b\ntopic write c\n"};
    auto const named = broker::who("alice b");
    CHECK(b.reads(named, "a"));
    CHECK(b.writes(named, "c"));
    CHECK(!b.reads(named, "c"));
}

TEST_CASE("read, write, readwrite and deny; no access word means readwrite") {
    broker b{"user alice\ntopic read r\ntopic write w\ntopic readwrite rw\ntopic plain\n"};
    CHECK((b.reads(alice, "r") && !b.writes(alice, "r")));
    CHECK((!b.reads(alice, "w") && b.writes(alice, "w")));
    CHECK((b.reads(alice, "rw") && b.writes(alice, "rw")));
    CHECK((b.reads(alice, "plain") && b.writes(alice, "plain")));
}

TEST_CASE("a filter with spaces needs the access word; a lone access word is a filter") {
    broker b{"user alice\ntopic read a b/c d\ntopic read\n"};
    CHECK(b.reads(alice, "a b/c d"));
    CHECK(b.writes(alice, "read"));
}

TEST_CASE("pattern lines are global whatever section they stand in") {
    broker b{"user alice\npattern read p/%u\nuser bob\n"};
    CHECK(b.reads(bob, "p/bob"));
    CHECK(!b.reads(bob, "p/alice"));
}

TEST_CASE("comments and empty lines are skipped, any other word is fatal") {
    CHECK(first_complaint("# x\n\n#y\n") == "");
    CHECK(first_complaint("user a\nallow x\n") == "2: fatal: expected user, topic or pattern, got \"allow\"");
    CHECK(first_complaint("user\n") == "1: fatal: a name is missing");
    CHECK(first_complaint("topic\n") == "1: fatal: a topic filter is missing");
    CHECK(first_complaint("topic read a/#/b\n") == "1: fatal: not a topic filter: \"a/#/b\"");
}

TEST_CASE("rules of a file with a fatal line are not used") {
    ruleset r;
    CHECK(r.parse("user alice\ntopic a\nnonsense\n", "acl").size() == 1);
    CHECK(r.rules().empty());
}

TEST_CASE("publish is checked as write, delivery as read") {
    broker b{"user alice\ntopic write a/#\nuser bob\ntopic read a/#\n"};
    CHECK(b.writes(alice, "a/b"));
    CHECK(!b.reads(alice, "a/b"));
    CHECK(b.reads(bob, "a/b"));
    CHECK(!b.writes(bob, "a/b"));
}

TEST_CASE("the engine says that Mosquitto's semantics decide, so that SUBSCRIBE of v3 clients is answered with yes") {
    CHECK(broker{"topic a\n"}.rules->mosquitto());
    CHECK(!compile({}, semantics::native)->mosquitto());
}

TEST_CASE("a v5 subscription is refused when no topic under it could ever be readable") {
    broker b{"user alice\ntopic read a/b\ntopic write w/#\ntopic deny d/#\ntopic read d/e\npattern read p/%u/#\n"};
    CHECK(b.may_ask(alice, "a/b"));
    CHECK(b.may_ask(alice, "a/+"));
    CHECK(b.may_ask(alice, "#"));
    CHECK(b.may_ask(alice, "p/+/x"));
    CHECK(!b.may_ask(alice, "w/x"));
    CHECK(!b.may_ask(alice, "d/e"));
    CHECK(!b.may_ask(alice, "p/bob/x"));
    CHECK(!b.may_ask(bob, "a/b"));
    CHECK(b.may_ask(bob, "p/bob/x"));
}

TEST_CASE("a deny comes before every grant of its list, the latest deny first") {
    broker b{"user alice\ntopic read a/#\ntopic deny a/b\ntopic deny a/+\n"};
    CHECK(!b.reads(alice, "a/b"));
    CHECK(b.reads(alice, "a/b/c"));
    CHECK(b.rules->explain(b.rules->check(alice, action::receive, "a/b")) == "acl:4: user alice deny publish,subscribe,receive a/+");
}

TEST_CASE("grants are asked in file order, and one without the wanted bit is passed over") {
    broker b{"user alice\ntopic write a/#\ntopic read a/#\ntopic a/b\n"};
    CHECK(b.rules->explain(b.rules->check(alice, action::receive, "a/b")) == "acl:3: user alice allow subscribe,receive a/#");
}

TEST_CASE("a user's deny beats a pattern's grant") {
    broker b{"user alice\ntopic deny p/x\npattern readwrite p/#\n"};
    CHECK(!b.writes(alice, "p/x"));
    CHECK(b.writes(bob, "p/x"));
}

TEST_CASE("a user's grant beats a pattern's deny") {
    broker b{"user alice\ntopic p/x\npattern deny p/x\npattern readwrite p/#\n"};
    CHECK(b.writes(alice, "p/x"));
    CHECK(!b.writes(bob, "p/x"));
}

TEST_CASE("what nobody allows is denied, also without any entry") {
    broker b{"user alice\ntopic a\n"};
    CHECK(!b.writes(bob, "a"));
    CHECK(!b.reads(anonymous, "a"));
    CHECK(!b.writes(alice, "b"));
    broker empty{""};
    CHECK(!empty.writes(alice, "a"));
    CHECK(empty.rules->explain(empty.rules->check(alice, action::publish, "a")) == "denied: no rule allows it");
}

TEST_CASE("a filter not starting with $ never matches a $ topic") {
    broker b{"user alice\ntopic #\ntopic read $SYS/#\n"};
    CHECK(b.reads(alice, "$SYS/broker/uptime"));
    CHECK(!b.reads(alice, "$other/x"));
    CHECK(!b.writes(alice, "$other/x"));
}

TEST_CASE("writes to $SYS are refused except bridge states") {
    broker b{"user alice\ntopic $SYS/#\n"};
    CHECK(!b.writes(alice, "$SYS/broker/uptime"));
    CHECK(b.writes(alice, "$SYS/broker/connection/x/state"));
    CHECK(!allow_everything()->check(alice, action::publish, "$SYS/x").allowed);
    CHECK(allow_everything()->check(alice, action::publish, "a").allowed);
    CHECK(allow_everything()->check(alice, action::receive, "$SYS/x").allowed);
}

TEST_CASE("if patterns exist, a user name or client id with + or # is denied (CVE-2017-7650)") {
    broker b{"user a+b\ntopic own\npattern readwrite p/%u/#\npattern readwrite all/#\n"};
    CHECK(!b.writes(broker::who("x#"), "all/x"));
    CHECK(!b.writes(broker::who("x", "c+"), "all/x"));
    CHECK(!b.writes(broker::who("+"), "p/x/y"));
    CHECK(b.writes(broker::who("a+b"), "own"));
    CHECK(b.writes(broker::who("x"), "all/x"));
}

TEST_CASE("a pattern with %u is skipped for anonymous clients, %c stands for the client id") {
    broker b{"pattern readwrite u/%u\npattern readwrite c/%c\n"};
    CHECK(!b.writes(anonymous, "u/"));
    CHECK(!b.writes(anonymous, "u/%u"));
    CHECK(b.writes(anonymous, "c/client"));
}

TEST_CASE("%c and %u count as a whole level only, and what only 2.0 would honour is warned about") {
    CHECK(first_complaint("pattern read foo-%u\n").find("1: Mosquitto 2.0 replaced") == 0);
    CHECK(first_complaint("pattern read %u/%c/x\n") == "");
    broker b{"pattern read x/%u\n"};
    CHECK(!b.reads(broker::who("a/b"), "x/a/b"));
}

TEST_CASE("in a topic line %u is two letters") {
    broker b{"user alice\ntopic x/%u\n"};
    CHECK(!b.writes(alice, "x/alice"));
    CHECK(b.writes(alice, "x/%u"));
}
