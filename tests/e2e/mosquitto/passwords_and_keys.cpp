// airmailctl passwd beside mosquitto_passwd: each broker takes what the other's tool wrote. Pre-shared keys with mosquitto_pub.

#include "tests/e2e/mosquitto/pair.hpp"

#include <random>

using namespace airmail::testing;

namespace {

std::string read_file(std::string const& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

bool logs_in(daemon_process::kind k, std::string const& file, std::string const& user, std::string const& password) {
    for (int tries = 0; tries < 5; ++tries) {
        temp_dir dir;
        auto const port = port_free_now();
        daemon_process d{k, dir.path()};
        if (!d.start("user root\nlistener " + std::to_string(port) + " 127.0.0.1\npassword_file " + file + "\n", port)) {
            REQUIRE_MESSAGE(d.said().find("in use") != std::string::npos, d.said());
            continue;
        }
        blocking_client good, bad;
        bool const in = good.connect(to_port(port, "a", user, password)).has_value();
        CHECK_FALSE(bad.connect(to_port(port, "b", user, password + "x")).has_value());
        return in;
    }
    return false;
}

}

TEST_CASE("passwords of airmailctl passwd open mosquitto, those of mosquitto_passwd open airmaild") {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    for (std::string const hash : {"sha512", "sha512-pbkdf2"}) {
        temp_dir dir;
        CAPTURE(hash);
        auto const made = run({AIRMAILCTL, "passwd", "-H", hash, "-I", "1000", "-c", "-b", dir / "ours", "al ice", "pass word"});
        REQUIRE_MESSAGE(made.code == 0, made.text);
        REQUIRE(run({"mosquitto_passwd", "-H", hash, "-c", "-b", dir / "theirs", "al ice", "pass word"}).code == 0);
        CHECK(logs_in(daemon_process::kind::mosquitto, dir / "ours", "al ice", "pass word"));
        CHECK(logs_in(daemon_process::kind::airmail, dir / "ours", "al ice", "pass word"));
        CHECK(logs_in(daemon_process::kind::airmail, dir / "theirs", "al ice", "pass word"));
    }
}

TEST_CASE("the same flags do the same to a file: -c -b -D -U") {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    temp_dir dir;
    // Names in the file, hashes left out: those differ by their salt.
    auto const names = [](std::string const& path) {
        std::istringstream in(read_file(path));
        std::string out;
        for (std::string line; std::getline(in, line);) out += line.substr(0, line.find(':')) + (line.find(":$7$") != line.npos ? " hashed" : "") + "\n";
        return out;
    };
    auto const both = [&](std::vector<std::string> args) {
        auto theirs = args, ours = args;
        theirs.insert(theirs.begin(), "mosquitto_passwd");
        ours.insert(ours.begin(), {AIRMAILCTL, "passwd"});
        for (auto& a : theirs) a = filled(a, {{"{file}", dir / "theirs"}});
        for (auto& a : ours) a = filled(a, {{"{file}", dir / "ours"}});
        auto const t = run(theirs), o = run(ours);
        INFO(t.text << o.text);
        CHECK((t.code == 0) == (o.code == 0));
        CHECK(names(dir / "theirs") == names(dir / "ours"));
    };
    std::string const h = "sha512-pbkdf2";
    both({"-H", h, "-c", "-b", "{file}", "alice", "one"});
    both({"-H", h, "-b", "{file}", "bob", "two"});
    both({"-H", h, "-b", "{file}", "alice", "three"});
    both({"-D", "{file}", "bob"});
    both({"-D", "{file}", "nobody"});
    both({"-H", h, "-c", "-b", "{file}", "carol", "four"});
    for (auto const* f : {"ours", "theirs"}) write_file(dir / f, "dave:plain\nerin:text\n");
    both({"-H", h, "-U", "{file}"});
    auto const once = read_file(dir / "ours");
    CHECK(run({AIRMAILCTL, "passwd", "-U", dir / "ours"}).code == 0);
    CHECK(read_file(dir / "ours") == once);
}

TEST_CASE("mosquitto_pub with a pre-shared key gets in, with a wrong one it does not; the identity can be the user") {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    for (auto const k : {daemon_process::kind::mosquitto, daemon_process::kind::airmail}) {
        temp_dir dir;
        auto const port = port_free_now();
        write_file(dir / "psk", "# keys\nsensor-1:0123456789abcdef\n");
        write_file(dir / "acl", "user sensor-1\ntopic write own/#\n");
        daemon_process d{k, dir.path()};
        auto const up = d.start("user root\nlistener " + std::to_string(port) + " 127.0.0.1\npsk_hint hint\npsk_file " + (dir / "psk") + "\nuse_identity_as_username true\nacl_file " + (dir / "acl") + "\n", port);
        REQUIRE_MESSAGE(up, d.said());
        CAPTURE(d.ours());
        auto const pub = [&](std::string const& key, std::string const& id, std::string const& topic) {
            return run({"mosquitto_pub", "-V", "5", "-h", "127.0.0.1", "-p", std::to_string(port), "--psk", key, "--psk-identity", id, "-q", "1", "-t", topic, "-m", "x"});
        };
        auto const good = pub("0123456789abcdef", "sensor-1", "own/x");
        CHECK_MESSAGE(good.code == 0, good.text << d.said());
        auto const denied = pub("0123456789abcdef", "sensor-1", "other");
        CHECK(denied.text.find("Not authorized") != std::string::npos);
        CHECK(pub("0123456789abcdee", "sensor-1", "own/x").code != 0);
        CHECK(pub("0123456789abcdef", "sensor-2", "own/x").code != 0);
    }
}

TEST_CASE("a broken line in a file of users, keys or rules gives file, line and what was expected; a reload keeps the last good state") {
    temp_dir dir;
    auto const port = port_free_now();
    REQUIRE(run({AIRMAILCTL, "passwd", "-H", "sha512", "-c", "-b", dir / "p", "alice", "secret"}).code == 0);
    auto const good_users = read_file(dir / "p");
    std::string const good_rules = "user alice\ntopic readwrite a/#\n";
    write_file(dir / "acl", good_rules);
    daemon_process d{daemon_process::kind::airmail, dir.path()};
    REQUIRE_MESSAGE(d.start("listener " + std::to_string(port) + " 127.0.0.1\npassword_file " + (dir / "p") + "\nacl_file " + (dir / "acl") + "\n", port), d.said());
    auto const may = [&](std::string const& topic) {
        blocking_client c;
        if (!c.connect(to_port(port, "x", "alice", "secret"))) return std::string("refused");
        return std::string(airmail::codec::failed(c.publish({.topic = topic, .payload = "x", .qos = 1}).value()) ? "no" : "yes");
    };
    CHECK(may("a/1") == "yes");
    CHECK(may("b/1") == "no");
    write_file(dir / "acl", "user alice\ntopic readwrite b/#\ntopik read c\n");
    d.signal(SIGHUP);
    CHECK(d.says(dir / "acl:3: expected user, topic or pattern, got \"topik\""));
    CHECK(may("a/1") == "yes");
    CHECK(may("b/1") == "no");
    write_file(dir / "acl", good_rules + "topic readwrite b/#\n");
    write_file(dir / "p", good_users + "bob:\n");
    d.signal(SIGHUP);
    CHECK(d.says(dir / "p:2: user \"bob\" has no password"));
    CHECK(eventually([&] { return may("b/1") == "yes"; }, std::chrono::seconds(10)));

    SUBCASE("a user that is gone is cut, and cannot come back") {
        blocking_client stays;
        REQUIRE(stays.connect(to_port(port, "y", "alice", "secret")).has_value());
        write_file(dir / "p", "# nobody\n");
        d.signal(SIGHUP);
        auto const why = stays.wait_closed();
        REQUIRE(why.has_value());
        CHECK(why->code == reason::not_authorized);
        CHECK(may("a/1") == "refused");
    }
    SUBCASE("psk_file") {
        write_file(dir / "k", "a:00\nb=11\n");
        write_file(dir / "t.conf", "listener 18899 127.0.0.1\npsk_hint h\npsk_file " + (dir / "k") + "\n");
        auto const o = run({AIRMAILD, "--test-config", "-c", dir / "t.conf"});
        CHECK(o.code == 78);
        CHECK(o.text.find(dir / "k:2: error: expected IDENTITY:KEY") != std::string::npos);
    }
}
