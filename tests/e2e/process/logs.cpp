// Where log lines go, and which: log_dest, log_type, syslog, $SYS/broker/log.

#include "tests/e2e/broker/house.hpp"

#include <sys/un.h>

using namespace airmail::testing;

namespace {

std::string text_of(std::string const& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}
/// Makes the broker warn: the client's certificate-less refusal is `info`, a file that cannot be reopened is not; an unknown
/// directive at reload is an `error`, a doubtful one a `warn`.
void make_it_warn(broker_process& d, std::string const& configuration) {
    d.configure(configuration + "retry_interval 5\n");
    d.reload();
}

}

TEST_CASE("log_dest: several files and streams get the same lines; none gets none") {
    broker_process d{"log_dest file {dir}/a.log\nlog_dest file {dir}/b.log\nlog_dest stdout\nlog_timestamp false\nlistener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    CHECK(d.stop() == 0);
    CHECK(text_of(d.dir() / "a.log") == text_of(d.dir() / "b.log"));
    CHECK(text_of(d.dir() / "a.log").find("info broker: airmaild is up") != std::string::npos);
    CHECK(d.says("info broker: airmaild is up"));
    d.configure("log_dest none\nlistener {plain} 127.0.0.1\nallow_anonymous true\n");
    up(d);
    CHECK(d.stop() == 0);
    CHECK(d.said().find("info broker") == std::string::npos);
}

TEST_CASE("log_type writes the kinds that are named and no others, and a reload changes them") {
    std::string const rest = "log_timestamp false\nlistener {plain} 127.0.0.1\nallow_anonymous true\n";
    broker_process d{"log_dest file {dir}/a.log\nlog_type error\nlog_type warning\n" + rest};
    up(d);
    auto const log = d.dir() / "a.log";
    CHECK(text_of(log).find("info ") == std::string::npos);
    make_it_warn(d, "log_dest file {dir}/a.log\nlog_type error\nlog_type warning\n" + rest);
    CHECK(eventually([&] { return text_of(log).find("warn config: ") != std::string::npos; }));
    CHECK(text_of(log).find("info ") == std::string::npos);
    // information without warnings: kinds, not a threshold
    make_it_warn(d, "log_dest file {dir}/b.log\nlog_type information\n" + rest);
    CHECK(eventually([&] { return text_of(d.dir() / "b.log").find("info config: reload") != std::string::npos; }));
    make_it_warn(d, "log_dest file {dir}/b.log\nlog_type information\n" + rest);
    d.signal(SIGUSR1);
    CHECK(eventually([&] { return text_of(d.dir() / "b.log").find("nothing to save") != std::string::npos; }));
    CHECK(text_of(d.dir() / "b.log").find("warn ") == std::string::npos);
}

TEST_CASE("log_dest topic publishes on $SYS/broker/log, by kind") {
    broker_process d{"log_dest topic\nlog_timestamp false\nlistener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    blocking_client c;
    connects(c, plain_options(d, "watcher"));
    c.subscribe("$SYS/broker/log/N", 0);
    d.signal(SIGUSR1);
    auto const m = c.receive();
    REQUIRE(m.has_value());
    CHECK(m->topic == "$SYS/broker/log/N");
    CHECK(m->payload.find("nothing to save") != std::string::npos);
    CHECK_FALSE(m->retain);
    CHECK(d.stop() == 0);
}

TEST_CASE("log_dest syslog speaks to /dev/log, with Mosquitto's facility") {
    if (::access("/dev/log", F_OK) == 0 || ::geteuid() != 0) {
        MESSAGE("skipped: /dev/log belongs to somebody here, or this is not root");
        return;
    }
    int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::string{"/dev/log"}.copy(at.sun_path, sizeof at.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    timeval const limit{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    {
        broker_process d{"log_dest syslog\nlog_facility 3\nlistener {plain} 127.0.0.1\nallow_anonymous true\n"};
        up(d);
        std::string all;
        char text[1024];
        while (all.find("airmaild is up") == all.npos) {
            auto const n = ::recv(fd, text, sizeof text, 0);
            if (n <= 0) break;
            all.append(text, static_cast<std::size_t>(n)).append("\n");
        }
        CHECK(all.find("airmaild is up") != all.npos);
        CHECK(all.starts_with("<158>"));   // local3 = 19 * 8, informational = 6
        CHECK(all.find("airmaild[" + std::to_string(d.pid()) + "]") != all.npos);
    }
    ::close(fd);
    ::unlink("/dev/log");
}
