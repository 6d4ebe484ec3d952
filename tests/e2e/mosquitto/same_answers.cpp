// One mosquitto.conf, both brokers: who gets in where, and what CONNACK says.

#include "tests/e2e/mosquitto/pair.hpp"

using namespace airmail::testing;
using airmail::codec::version;

namespace {

struct attempt {
    int port;   // 1 or 2
    std::string user, password, id = "c";
    version v = version::v311;
};

std::string describe(daemon_process&, std::uint16_t const (&ports)[3], attempt const& a) {
    blocking_client c{std::chrono::seconds(10)};
    auto o = to_port(ports[a.port], a.id, a.user, a.password, a.v);
    auto const hello = c.connect(o);
    std::string out = std::to_string(a.port) + " " + a.user + "/" + a.id + " v" + std::to_string(static_cast<int>(a.v)) + ": ";
    if (hello) return out + "in" + (a.id.empty() && a.v == version::v5 ? " " + hello->assigned_client_id.substr(0, 5) : "");
    return out + "refused";   // with which code differs: a wrong password is 0x86 here, 0x87 there
}

/// What both brokers answered.
std::pair<std::string, std::string> compare(std::string const& text, std::vector<attempt> const& attempts, std::vector<std::pair<std::string, std::string>> const& files) {
    std::string answers[2];
    for (auto const k : {daemon_process::kind::mosquitto, daemon_process::kind::airmail}) {
        auto& out = answers[static_cast<int>(k)];
        temp_dir dir;
        bool started = false;
        for (int tries = 0; tries < 5 && !started; ++tries) {
            std::uint16_t const ports[3] = {0, port_free_now(), port_free_now()};
            auto const marks = std::vector<std::pair<std::string, std::string>>{{"{dir}", dir.path()}, {"{1}", std::to_string(ports[1])}, {"{2}", std::to_string(ports[2])}};
            for (auto const& [name, content] : files) {
                auto const path = dir / filled(name, marks);
                std::filesystem::create_directories(std::filesystem::path(path).parent_path());
                write_file(path, filled(content, marks));
            }
            daemon_process d{k, dir.path()};
            started = d.start("user root\n" + filled(text, marks), ports[1]);
            if (!started && d.said().find("in use") != std::string::npos) continue;
            REQUIRE_MESSAGE(started, d.said());
            for (auto const& a : attempts) out += describe(d, ports, a) + "\n";
        }
    }
    return {answers[0], answers[1]};
}

void same(std::string const& text, std::vector<attempt> const& attempts, std::vector<std::pair<std::string, std::string>> const& files = {}) {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    auto const [theirs, ours] = compare(text, attempts, files);
    INFO(text);
    CHECK(theirs == ours);
}

/// alice:secret and bob:word, made by mosquitto_passwd.
std::string two_users() {
    temp_dir dir;
    run({"mosquitto_passwd", "-c", "-b", dir / "p", "alice", "secret"});
    run({"mosquitto_passwd", "-b", "-H", "sha512", dir / "p", "bob", "word"});
    std::ifstream in(dir / "p");
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

std::vector<attempt> everybody(int port) {
    return {{port, "", ""}, {port, "alice", "secret"}, {port, "alice", "wrong"}, {port, "bob", "word"}, {port, "carol", "secret"},
            {port, "", "", "c", version::v5}, {port, "alice", "secret", "c", version::v5}, {port, "alice", "wrong", "c", version::v5}};
}

}

TEST_CASE("a listener denies anonymous clients unless told otherwise; the default listener too") {
    same("listener {1} 127.0.0.1\n", everybody(1));
    same("listener {1} 127.0.0.1\nallow_anonymous true\n", everybody(1));
    same("port {1}\nbind_address 127.0.0.1\n", everybody(1));
}

TEST_CASE("passwords as mosquitto_passwd writes them, with and without anonymous clients") {
    same("listener {1} 127.0.0.1\npassword_file {dir}/p\n", everybody(1), {{"p", two_users()}});
    same("listener {1} 127.0.0.1\npassword_file {dir}/p\nallow_anonymous true\n", everybody(1), {{"p", two_users()}});
}

TEST_CASE("per_listener_settings: each listener has its own users and anonymity, and what stands before any holds for none") {
    auto all = everybody(1);
    for (auto const& a : everybody(2)) all.push_back(a);
    same("per_listener_settings true\nlistener {1} 127.0.0.1\nallow_anonymous true\nlistener {2} 127.0.0.1\npassword_file {dir}/p\n", all, {{"p", two_users()}});
    same("per_listener_settings true\nallow_anonymous true\nlistener {1} 127.0.0.1\nlistener {2} 127.0.0.1\nallow_anonymous true\n", all);
    same("listener {1} 127.0.0.1\nallow_anonymous true\nlistener {2} 127.0.0.1\npassword_file {dir}/p\n", all, {{"p", two_users()}});
}

TEST_CASE("client ids: clientid_prefixes, allow_zero_length_clientid, auto_id_prefix, use_username_as_clientid") {
    std::vector<attempt> const ids{{1, "", "", "app-1"}, {1, "", "", "other"}, {1, "", "", ""}, {1, "", "", "", version::v5}, {1, "", "", "other", version::v5}};
    same("clientid_prefixes app-\nlistener {1} 127.0.0.1\nallow_anonymous true\n", {ids[0], ids[1], ids[4]});
    same("allow_zero_length_clientid false\nlistener {1} 127.0.0.1\nallow_anonymous true\n", ids);
    same("auto_id_prefix auto-\nlistener {1} 127.0.0.1\nallow_anonymous true\n", ids);
    same("listener {1} 127.0.0.1\nallow_anonymous true\nuse_username_as_clientid true\n", {{1, "", "", "x"}, {1, "me", "", "x"}, {1, "me", "", "x", version::v5}});
}

TEST_CASE("include_dir reads *.conf in Mosquitto's order: the last of two values holds") {
    same("include_dir {dir}/conf.d\n", everybody(1),
         {{"conf.d/b.conf", "allow_anonymous false\n"}, {"conf.d/A.conf", "listener {1} 127.0.0.1\n"}, {"conf.d/B.conf", "allow_anonymous true\n"}, {"conf.d/skip.txt", "nonsense\n"}});
}

TEST_CASE("a line that Mosquitto refuses is refused, with its file and line") {
    if (!mosquitto_installed()) return;
    for (std::string const& line : {"nonsense 1", "allow_anonymous perhaps", "max_keepalive 70000", "max_qos 3", "listener 70000", "socket_domain ipv5", "protocol coap", "persistence perhaps"}) {
        temp_dir dir;
        write_file(dir / "x.conf", "# a comment\nlistener 0 /tmp/never\n" + line + "\n");
        CAPTURE(line);
        auto const theirs = run({"/usr/sbin/mosquitto", "-c", dir / "x.conf"});
        CHECK(theirs.code != 0);
        auto const ours = run({AIRMAILD, "--test-config", "-c", dir / "x.conf"});
        CHECK(ours.code == 78);
        CHECK(ours.text.find(dir / "x.conf:3: error") != std::string::npos);
    }
}
