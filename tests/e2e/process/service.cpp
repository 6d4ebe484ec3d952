// sd_notify, the watchdog and socket activation, with a service manager that is this test.

#include "tests/e2e/broker/house.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

using namespace airmail::testing;

namespace {

/// The other end of NOTIFY_SOCKET.
class manager {
public:
    explicit manager(std::string path) : path_{std::move(path)} {
        fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        path_.copy(at.sun_path, sizeof at.sun_path - 1);
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) throw std::runtime_error("bind " + path_);
        timeval const limit{20, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    ~manager() { ::close(fd_); }
    /// The next thing it is told; empty after twenty seconds.
    std::string next() {
        char text[512];
        auto const n = ::recv(fd_, text, sizeof text, 0);
        return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string{};
    }
    std::string const& path() const { return path_; }

private:
    std::string path_;
    int fd_ = -1;
};

/// An environment variable for the programs started meanwhile.
struct with_env {
    with_env(char const* n, std::string const& v) : name{n} { ::setenv(n, v.c_str(), 1); }
    ~with_env() { ::unsetenv(name); }
    char const* name;
};

}

TEST_CASE("the service manager is told: ready, reloading and ready again, stopping") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    manager m{d.dir() / "notify"};
    with_env const env{"NOTIFY_SOCKET", m.path()};
    up(d);
    CHECK(m.next() == "READY=1");
    d.reload();
    CHECK(m.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(m.next() == "READY=1");
    d.configure("nonsense 1\n");
    d.reload();
    CHECK(m.next().starts_with("RELOADING=1"));
    CHECK(m.next() == "READY=1");   // the old configuration serves
    d.signal(SIGTERM);
    CHECK(m.next() == "STOPPING=1");
    CHECK(d.stop() == 0);
}

TEST_CASE("the watchdog is fed while every shard answers, and not while the process is stopped") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    manager m{d.dir() / "notify"};
    with_env const env{"NOTIFY_SOCKET", m.path()}, usec{"WATCHDOG_USEC", "200000"};
    up(d);
    CHECK(m.next() == "READY=1");
    for (int i = 0; i < 5; ++i) CHECK(m.next() == "WATCHDOG=1");
    CHECK(d.stop() == 0);
}

TEST_CASE("a socket that the service manager has bound is taken, and serves over restarts of the broker") {
    int const fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd, 64) == 0);
    socklen_t size = sizeof at;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    auto const port = ntohs(at.sin_port);
    temp_dir dir;
    std::ofstream(dir / "conf") << "store_path " << (dir / "data") << "\nstore_map_size 1GiB\nshard_count 2\nlistener " << port << " 127.0.0.1\nallow_anonymous true\n" << (::geteuid() == 0 ? "user root\n" : "");
    for (int round = 0; round < 2; ++round) {
        // As systemd does it: the socket is descriptor 3, LISTEN_PID is the program itself.
        pid_t const child = ::fork();
        if (child == 0) {
            ::dup2(fd, 3);
            ::setenv("LISTEN_FDS", "1", 1);
            ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
            int const log = ::open((dir / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
            ::dup2(log, 1), ::dup2(log, 2);
            ::execl(AIRMAILD, AIRMAILD, "-c", (dir / "conf").c_str(), nullptr);
            ::_exit(127);
        }
        // The backlog takes us at once, whether the broker is up yet or not.
        for (int i = 0; i < 4; ++i) {
            blocking_client c{20s};
            connect_options o;
            o.port = port;
            o.client_id = "activated-" + std::to_string(i);
            connects(c, o);
            CHECK(c.publish({.topic = "t", .payload = "x", .qos = 1}).has_value());
        }
        ::kill(child, SIGTERM);
        int status = 0;
        ::waitpid(child, &status, 0);
        CHECK(code_of(status) == 0);
    }
    ::close(fd);
}
