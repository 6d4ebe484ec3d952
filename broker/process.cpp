#include "broker/process.hpp"

#include "broker/broker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace airmail::process {

signals::signals() {
    sigemptyset(&set_);
    for (int s : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGRTMIN}) sigaddset(&set_, s);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

signals::event signals::wait(std::chrono::milliseconds most) {
    for (;;) {
        auto const ms = most.count();
        timespec const limit{ms / 1000, ms % 1000 * 1'000'000};
        int const s = ms ? ::sigtimedwait(&set_, nullptr, &limit) : ::sigwaitinfo(&set_, nullptr);
        if (s < 0 && errno == EINTR) continue;
        if (s < 0) return none;
        if (s == SIGHUP) return reload;
        if (s == SIGUSR1) return save;
        if (s == SIGUSR2) return report;
        return s == SIGRTMIN ? rotate : stop;
    }
}

background::background(bool wanted) {
    if (!wanted) return;
    int news[2];
    if (::pipe2(news, O_CLOEXEC) != 0) throw startup_error(74, fmt::format("cannot run in the background: {}", std::strerror(errno)));
    pid_t const child = ::fork();
    if (child < 0) throw startup_error(74, fmt::format("cannot run in the background: {}", std::strerror(errno)));
    if (child == 0) {
        ::close(news[0]);
        parent_ = news[1];
        ::setsid();
        return;
    }
    ::close(news[1]);
    char up = 0;
    while (::read(news[0], &up, 1) < 0 && errno == EINTR) {}
    if (up) ::_exit(0);
    int status = 0;
    ::waitpid(child, &status, 0);  // it has said why on the terminal it still shares with us
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

background::~background() {
    if (parent_ >= 0) ::close(parent_);
}

void background::ready() {
    if (parent_ < 0) return;
    int const nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd : {0, 1, 2}) ::dup2(nothing, fd);
    ::close(nothing);
    [[maybe_unused]] auto const n = ::write(parent_, "1", 1);
    ::close(std::exchange(parent_, -1));
}

void drop_root(config::config const& settings) {
    if (::geteuid() != 0) return;
    bool const written = settings.written("user");
    std::string const name = written ? std::string(settings.text("user")) : "airmail";
    if (name == "root") return;  // said so in writing
    auto const* account = ::getpwnam(name.c_str());
    if (!account && written) throw startup_error(77, fmt::format("user {} ({}) does not exist: create it or correct the line", name, settings.where("user")));
    if (!account) {
        bool device = false;
        for (auto const& l : settings.listeners()) device |= l.device();
        if (device) throw startup_error(77, "started as root and there is no account `airmail` to drop to: create it (useradd --system airmail) or write `user NAME` (`user root` to stay root)");
        return;
    }
    // Opened as root; to be reopened and removed as somebody else.
    auto const give = [&](std::string const& path) { (void)!::lchown(path.c_str(), account->pw_uid, account->pw_gid); };
    if (auto const pid = std::string(settings.text("pid_file")); !pid.empty()) give(pid);
    for (auto const& d : settings.list("log_dest"))
        if (d.starts_with("file ")) give(d.substr(d.find_first_not_of(' ', 5)));
    if (::initgroups(name.c_str(), account->pw_gid) != 0 || ::setgid(account->pw_gid) != 0 || ::setuid(account->pw_uid) != 0)
        throw startup_error(77, fmt::format("cannot become user {}: {}", name, std::strerror(errno)));
}

pid_file::pid_file(std::string path) : path_(std::move(path)) {
    if (path_.empty()) return;
    int const fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    auto const text = std::to_string(::getpid()) + "\n";
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        auto const why = fmt::format("cannot write pid_file {}: {}", path_, std::strerror(errno));
        if (fd >= 0) ::close(fd);
        throw startup_error(74, why);
    }
    ::close(fd);
}

pid_file::~pid_file() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

void notify(std::string_view state) {
    char const* path = std::getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, path, sizeof to.sun_path - 1);
    auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(to.sun_path));
    if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
    int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to), size);
    ::close(fd);
}

void notify_reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000));
}

std::chrono::milliseconds watchdog_interval() {
    char const *usec = std::getenv("WATCHDOG_USEC"), *pid = std::getenv("WATCHDOG_PID");
    if (!usec || (pid && std::to_string(::getpid()) != pid)) return {};
    auto const us = std::strtoll(usec, nullptr, 10);
    return std::chrono::milliseconds(us > 0 ? std::max(us / 2000, 1LL) : 0);
}

}
