// USR1, USR2, RTMIN, INT; and the flags -d, -p, -v, -q with the pid file.

#include "tests/e2e/broker/house.hpp"

using namespace airmail::testing;

namespace {

std::string text_of(std::string const& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}
bool says(broker_process const& d, std::string const& words) {
    return d.says(words);
}

}

TEST_CASE("SIGUSR2 writes counts and every subscription into the log") {
    broker_process d{"shard_count 2\nlistener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    blocking_client a, b;
    connects(a, plain_options(d, "client-a"));
    connects(b, plain_options(d, "client-b", false));
    a.subscribe("sensors/+/temperature", 1);
    b.subscribe("$share/group/jobs/#", 2);
    b.subscribe("plain/topic", 0);
    d.signal(SIGUSR2);
    CHECK(says(d, "state: 2 sessions, 2 connected, 3 subscriptions"));
    CHECK(says(d, "subscription: sensors/+/temperature (QoS 1) - client-a"));
    CHECK(says(d, "subscription: $share/group/jobs/# (QoS 2) - client-b"));
    CHECK(says(d, "subscription: plain/topic (QoS 0) - client-b"));
    CHECK(a.publish({.topic = "t", .payload = "x", .qos = 1}).has_value());
}

TEST_CASE("SIGUSR1 saves nothing, because nothing is unsaved, and says so") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    d.signal(SIGUSR1);
    CHECK(says(d, "nothing to save"));
    CHECK(d.ready() == 200);
}

TEST_CASE("SIGRTMIN, as SIGHUP, opens log files anew: a rotation loses no line") {
    broker_process d{"log_dest file {dir}/broker.log\nlistener {plain} 127.0.0.1\nallow_anonymous true\n"};
    auto const path = d.dir() / "broker.log";
    for (int const number : {SIGRTMIN, SIGHUP}) {
        up(d);
        CHECK(text_of(path).find("airmaild is up") != std::string::npos);
        REQUIRE(std::rename(path.c_str(), (path + ".1").c_str()) == 0);
        d.signal(number);
        CHECK(eventually([&] { return ::access(path.c_str(), F_OK) == 0; }));
        d.signal(SIGUSR1);
        CHECK(eventually([&] { return text_of(path).find("nothing to save") != std::string::npos; }));
        CHECK(text_of(path + ".1").find("nothing to save") == std::string::npos);
        CHECK(d.stop() == 0);
        ::unlink(path.c_str());
    }
}

TEST_CASE("SIGINT ends as SIGTERM does") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    blocking_client c;
    connects(c, plain_options(d, "c"));
    d.signal(SIGINT);
    auto const end = c.wait_closed();
    REQUIRE(end.has_value());
    CHECK(end->code == reason::server_shutting_down);
    CHECK(d.stop() == 0);
}

TEST_CASE("-d: the caller has its terminal back when the broker is up, and its exit code when it is not") {
    temp_dir dir;
    auto const port = port_free_now();
    auto const lines = "store_path " + (dir / "data") + "\nstore_map_size 1GiB\npid_file " + (dir / "pid") + "\nlog_dest file " + (dir / "log") + "\n" + (::geteuid() == 0 ? "user root\n" : "");
    std::ofstream(dir / "conf") << lines << "listener " << port << " 127.0.0.1\nallow_anonymous true\n";
    auto const started = run({AIRMAILD, "-c", dir / "conf", "-d"});
    REQUIRE_MESSAGE(started.code == 0, started.text);
    // It is up already, and its pid is in the file.
    blocking_client c;
    connect_options o;
    o.port = port;
    o.client_id = "c";
    connects(c, o);
    auto const pid = static_cast<pid_t>(std::atoi(text_of(dir / "pid").c_str()));
    REQUIRE(pid > 1);
    CHECK(::getsid(pid) == pid);
    // A second one cannot have the port, and the shell hears so.
    std::ofstream(dir / "second") << "store_path " << (dir / "data2") << "\nstore_map_size 1GiB\n" << (::geteuid() == 0 ? "user root\n" : "") << "listener " << port << " 127.0.0.1\nallow_anonymous true\n";
    auto const second = run({AIRMAILD, "-c", dir / "second", "-d"});
    CHECK(second.code == 69);
    CHECK(second.text.find("Address already in use") != std::string::npos);
    ::kill(pid, SIGTERM);
    CHECK(eventually([&] { return ::kill(pid, 0) != 0; }));
    CHECK(::access((dir / "pid").c_str(), F_OK) != 0);
    CHECK(text_of(dir / "log").find("stopped") != std::string::npos);
}

TEST_CASE("-p listens on loopback without a file, -q says nothing, -v says everything") {
    temp_dir dir;
    auto const with = [&](std::vector<std::string> flags, auto&& look) {
        auto const port = port_free_now();
        int const log = ::open((dir / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ::setenv("AIRMAIL_STORE_PATH", (dir / "data").c_str(), 1);
        ::setenv("AIRMAIL_STORE_MAP_SIZE", "1GiB", 1);
        ::setenv("AIRMAIL_USER", "root", 1);
        std::vector<std::string> all{AIRMAILD, "-p", std::to_string(port)};
        all.insert(all.end(), flags.begin(), flags.end());
        pid_t const child = spawn(all, log);
        ::close(log);
        for (auto const* name : {"AIRMAIL_STORE_PATH", "AIRMAIL_STORE_MAP_SIZE", "AIRMAIL_USER"}) ::unsetenv(name);
        connect_options o;
        o.port = port;
        o.client_id = "c";
        CHECK(eventually([&] { blocking_client c; return c.connect(o).has_value(); }));
        ::kill(child, SIGTERM);
        int status = 0;
        ::waitpid(child, &status, 0);
        CHECK(code_of(status) == 0);
        look(text_of(dir / "out"));
    };
    with({}, [](std::string const& out) {
        CHECK(out.find(" info ") != out.npos);
        CHECK(out.find(" debug ") == out.npos);
    });
    with({"-v"}, [](std::string const& out) { CHECK(out.find(" debug ") != out.npos); });
    with({"-q"}, [](std::string const& out) { CHECK(out == ""); });
}
