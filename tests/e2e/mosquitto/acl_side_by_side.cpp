// Random acl_files (seeded): every user's rights on every topic, asked of both brokers over the wire, must be the same.

#include "tests/e2e/mosquitto/pair.hpp"

#include <random>
#include <set>

using namespace airmail::testing;
using airmail::codec::version;

namespace {

std::vector<std::string> const users{"", "alice", "bob", "we+ird"};
std::vector<std::string> const topics{"a", "a/b", "a/b/c", "a/alice", "a/bob/x", "p/alice/x", "p/client-alice", "p/bob", "b", "b/", "/b", "$own/x"};
std::string const last = "end/of/it";

std::string client_of(std::string const& user) { return user == "we+ird" ? "client-weird" : "client-" + (user.empty() ? "anonymous" : user); }

/// Denies never reach `last`, which everybody reads and writes.
std::string random_rules(unsigned seed) {
    std::mt19937 r{seed};
    auto const pick = [&](std::vector<std::string> const& from) { return from[r() % from.size()]; };
    std::vector<std::string> const access{"read ", "write ", "readwrite ", "deny ", ""};
    std::vector<std::string> const denied{"a", "a/+", "a/b", "a/b/#", "a/#", "b", "p/+", "p/#", "+/b", "$own/#"};
    std::vector<std::string> const granted{"a", "a/+", "a/b", "a/b/#", "a/#", "b", "p/+", "p/#", "+/b", "#", "+", "/b", "b/+", "$own/#", "+/+/x"};
    std::vector<std::string> const patterns{"p/%u", "p/%u/#", "p/%c", "a/%u", "a/%u/+", "%u/b", "a/+", "#"};
    std::string out = "topic readwrite " + last + "\n";
    auto const line = [&](bool pattern) {
        auto const how = pick(access);
        auto const& filters = pattern ? patterns : how == "deny " ? denied : granted;
        auto filter = pick(filters);
        if (pattern && how == "deny " && filter == "#") filter = "a/+";
        out += (pattern ? "pattern " : "topic ") + how + filter + "\n";
    };
    for (unsigned n = r() % 4; n > 0; --n) line(false);
    for (auto const& u : users) {
        if (u.empty()) continue;
        out += "user " + u + "\ntopic readwrite " + last + "\n";
        for (unsigned n = r() % 5; n > 0; --n) line(r() % 4 == 0);
    }
    return out + "user admin\ntopic readwrite #\ntopic readwrite $own/#\n";
}

struct rights {
    std::set<std::string> all;   // "alice reads a/b"
};

rights ask(std::uint16_t port) {
    rights out;
    blocking_client admin;
    REQUIRE(admin.connect(to_port(port, "admin", "admin")).has_value());
    REQUIRE(admin.subscribe("#", 1).has_value());
    REQUIRE(admin.subscribe("$own/#", 1).has_value());
    for (auto const v : {version::v311, version::v5})
        for (auto const& u : users) {
            std::string const who = (u.empty() ? "anonymous" : u) + " v" + std::to_string(static_cast<int>(v));
            blocking_client c;
            REQUIRE(c.connect(to_port(port, client_of(u), u, {}, v)).has_value());
            for (auto const* f : {"#", "$own/#"}) {
                auto const suback = c.subscribe(f, 1);
                // A v5 client may be told that nothing under the filter could ever be read; v3.1.1 gets Mosquitto's answer.
                if (v == version::v311) REQUIRE(suback.value().at(0) == reason::granted_qos_1);
            }
            REQUIRE(c.subscribe(last, 1).has_value());
            for (auto const& t : topics) REQUIRE(admin.publish({.topic = t, .payload = t, .qos = 1}).has_value());
            REQUIRE(admin.publish({.topic = last, .payload = last, .qos = 1}).has_value());
            for (;;) {
                auto const m = c.receive();
                REQUIRE(m.has_value());
                if (m->topic == last) break;
                out.all.insert(who + " reads " + m->topic);
            }
            for (;;) {   // its own
                auto const m = admin.receive();
                REQUIRE(m.has_value());
                if (m->topic == last) break;
            }
            for (auto const& t : topics) {
                auto const puback = c.publish({.topic = t, .payload = "w", .qos = 1});
                REQUIRE(puback.has_value());
                if (v == version::v5 && airmail::codec::failed(*puback)) out.all.insert(who + " is told no for " + t);
            }
            REQUIRE(c.publish({.topic = last, .payload = last, .qos = 1}).has_value());
            for (;;) {
                auto const m = admin.receive();
                REQUIRE(m.has_value());
                if (m->topic == last) break;
                out.all.insert(who + " writes " + m->topic);
            }
        }
    return out;
}

std::set<std::string> ask_one(daemon_process::kind k, std::string const& rules) {
    for (int tries = 0; tries < 5; ++tries) {
        temp_dir dir;
        auto const port = port_free_now();
        write_file(dir / "acl", rules);
        daemon_process d{k, dir.path()};
        if (d.start("user root\nlistener " + std::to_string(port) + " 127.0.0.1\nallow_anonymous true\nacl_file " + (dir / "acl") + "\n", port)) return ask(port).all;
        REQUIRE_MESSAGE(d.said().find("in use") != std::string::npos, d.said());
    }
    return {};
}

}

TEST_CASE("random acl_files give everybody the same rights in both brokers, and v3.1.1 the same answers") {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    unsigned const seeds = long_run() ? 100 : 8;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        auto const rules = random_rules(seed);
        CAPTURE(seed);
        INFO(rules);
        auto const theirs = ask_one(daemon_process::kind::mosquitto, rules), ours = ask_one(daemon_process::kind::airmail, rules);
        std::string only_theirs, only_ours;
        for (auto const& r : theirs) if (!ours.contains(r)) only_theirs += r + "; ";
        for (auto const& r : ours) if (!theirs.contains(r)) only_ours += r + "; ";
        CHECK(only_theirs == "");
        CHECK(only_ours == "");
        CHECK(!theirs.empty());
    }
}
