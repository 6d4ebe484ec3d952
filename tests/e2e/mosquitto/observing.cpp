// Changing rules safely: acl_mode observe, acl suggest, acl diff, and what a reload does to what is under way.

#include "tests/e2e/mosquitto/pair.hpp"

using namespace airmail::testing;

namespace {

struct broker {
    broker(std::string const& rules, std::string const& mode) {
        for (int tries = 0; tries < 5; ++tries) {
            port = port_free_now();
            set(rules, mode);
            if (d.launch(port)) return;
            REQUIRE_MESSAGE(d.said().find("in use") != std::string::npos, d.said());
        }
    }
    void set(std::string const& rules, std::string const& mode) {
        write_file(dir / "acl", rules);
        d.configure("listener " + std::to_string(port) + " 127.0.0.1\nallow_anonymous true\nacl_file " + (dir / "acl") + "\nacl_mode " + mode + "\n");
    }
    void reload(std::string const& rules, std::string const& mode) {
        set(rules, mode);
        auto const before = d.said().size();
        d.signal(SIGHUP);
        REQUIRE(eventually([&] { return d.said().find("access rules applied", before) != std::string::npos; }, std::chrono::seconds(20)));
    }
    outcome ctl(std::vector<std::string> args) {
        args.insert(args.begin(), {AIRMAILCTL, "--socket", dir / "control.sock"});
        return run(args);
    }
    blocking_client& client(std::string const& user, std::string const& id) {
        auto& c = *clients.emplace_back(std::make_unique<blocking_client>());
        REQUIRE_MESSAGE(c.connect(to_port(port, id, user)).has_value(), d.said());
        return c;
    }
    temp_dir dir;
    std::uint16_t port = 0;
    daemon_process d{daemon_process::kind::airmail, dir.path()};
    std::vector<std::unique_ptr<blocking_client>> clients;
};

}

TEST_CASE("acl_mode observe lets through, logs and counts by rule; acl suggest says the rules; enforced, they allow just that") {
    broker b{"user alice\ntopic read n/#\n", "observe"};
    CHECK(b.d.says("acl_mode observe: the acl_file denies NOTHING"));
    auto& alice = b.client("alice", "a");
    CHECK(alice.publish({.topic = "w/1", .payload = "x", .qos = 1}).value() != reason::not_authorized);
    CHECK(b.client("d1", "c1").publish({.topic = "dev/d1/s", .payload = "x", .qos = 1}).value() != reason::not_authorized);
    CHECK(b.client("d2", "c2").publish({.topic = "dev/d2/s", .payload = "x", .qos = 1}).value() != reason::not_authorized);
    CHECK(b.d.says("publish would be denied"));
    auto const counts = b.ctl({"acl", "suggest", "--counts"});
    CHECK_MESSAGE(counts.text.find("denied: no rule allows it") != std::string::npos, counts.text);
    auto const said = b.ctl({"acl", "suggest"});
    CHECK_MESSAGE(said.text == "user alice\ntopic write w/1\npattern write dev/%u/s\n", said.text);
    b.reload("user alice\ntopic read n/#\n" + said.text, "enforce");
    CHECK(alice.publish({.topic = "w/1", .payload = "x", .qos = 1}).value() != reason::not_authorized);
    CHECK(alice.publish({.topic = "w/2", .payload = "x", .qos = 1}).value() == reason::not_authorized);
    CHECK(b.client("d3", "c3").publish({.topic = "dev/d3/s", .payload = "x", .qos = 1}).value() != reason::not_authorized);
    CHECK(b.client("d3", "c4").publish({.topic = "dev/d2/s", .payload = "x", .qos = 1}).value() == reason::not_authorized);
}

TEST_CASE("acl diff lists the live sessions whose rights would change, before anything changes") {
    broker b{"user alice\ntopic readwrite a/#\nuser bob\ntopic read b\n", "enforce"};
    b.client("alice", "phone");
    b.client("bob", "tablet");
    write_file(b.dir / "new", "user alice\ntopic read a/#\nuser bob\ntopic read b\n");
    auto const d = b.ctl({"acl", "diff", b.dir / "acl", b.dir / "new"});
    CHECK(d.code == 0);
    CHECK_MESSAGE(d.text.find("alice") != std::string::npos, d.text);
    CHECK(d.text.find("phone") != std::string::npos);
    CHECK(d.text.find("loses") != std::string::npos);
    CHECK(d.text.find("publish") != std::string::npos);
    CHECK(d.text.find("bob") == std::string::npos);
    CHECK(b.ctl({"acl", "diff", "--check", b.dir / "acl", b.dir / "new"}).code == 4);
    CHECK(b.ctl({"acl", "diff", b.dir / "acl", b.dir / "acl"}).text == "nobody's rights would change\n");
    write_file(b.dir / "bad", "user alice\ntopik a\n");
    auto const bad = b.ctl({"acl", "diff", b.dir / "acl", b.dir / "bad"});
    CHECK(bad.code == 1);
    CHECK(bad.text.find("bad:2: error: expected user, topic or pattern") != std::string::npos);
}

TEST_CASE("after a reload nothing under way outlives its right: subscriptions, queued and retained messages, wills, QoS 2") {
    std::string const open = "user alice\ntopic readwrite s/#\ntopic readwrite ok\nuser bob\ntopic readwrite s/#\ntopic readwrite ok\nuser admin\ntopic readwrite #\n";
    broker b{open, "enforce"};
    auto& admin = b.client("admin", "admin");
    REQUIRE(admin.subscribe("s/will", 1).has_value());
    {
        blocking_client c;   // goes away with a subscription; its messages wait
        auto o = to_port(b.port, "sleeper", "alice");
        o.clean_start = false, o.session_expiry = 3600;
        REQUIRE(c.connect(o).has_value());
        REQUIRE(c.subscribe("s/#", 1).has_value());
        REQUIRE(c.subscribe("ok", 1).has_value());
    }
    auto& live = b.client("alice", "live");
    REQUIRE(live.subscribe("s/#", 2).has_value());
    REQUIRE(live.subscribe("ok", 2).has_value());
    blocking_client with_will;
    auto w = to_port(b.port, "dying", "bob");
    w.will = airmail::client::publication{.topic = "s/will", .payload = "boo", .qos = 1};
    REQUIRE(with_will.connect(w).has_value());
    REQUIRE(admin.publish({.topic = "s/queued", .payload = "secret", .qos = 1}).has_value());
    REQUIRE(admin.publish({.topic = "s/kept", .payload = "secret", .qos = 1, .retain = true}).has_value());
    CHECK(live.receive()->topic == "s/queued");
    CHECK(live.receive()->topic == "s/kept");
    b.reload("user alice\ntopic readwrite ok\nuser bob\ntopic readwrite ok\nuser admin\ntopic readwrite #\n", "enforce");
    // At once, not a second later.
    REQUIRE(admin.publish({.topic = "s/new", .payload = "secret", .qos = 2}).has_value());
    REQUIRE(admin.publish({.topic = "ok", .payload = "1", .qos = 1}).has_value());
    auto const next = live.receive();
    REQUIRE(next.has_value());
    CHECK(next->topic == "ok");
    live.subscribe("s/kept", 1);   // retained
    {
        blocking_client c;
        auto o = to_port(b.port, "sleeper", "alice");
        o.clean_start = false, o.session_expiry = 3600;
        REQUIRE(c.connect(o)->session_present);
        auto const first = c.receive();
        REQUIRE(first.has_value());
        CHECK(first->topic == "ok");
        CHECK(c.waiting() == 0);
    }
    with_will.drop(true);
    REQUIRE(eventually([&] { return b.ctl({"session", "list"}).text.find("dying") == std::string::npos; }, std::chrono::seconds(20)));
    REQUIRE(admin.publish({.topic = "s/will", .payload = "end", .qos = 1}).has_value());
    CHECK(admin.receive()->payload == "end");
    REQUIRE(admin.publish({.topic = "ok", .payload = "2", .qos = 1}).has_value());
    CHECK(live.receive()->payload == "2");
    CHECK(live.waiting() == 0);
}
