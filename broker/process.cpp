#include "broker/process.hpp"

#include "broker/broker.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace airmail::process {

signals::signals() {
    sigemptyset(&set_);
    for (int s : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&set_, s);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

signals::event signals::wait() {
    int s = 0;
    while (sigwait(&set_, &s) != 0) {}
    return s == SIGHUP ? reload : stop;
}

void daemonize() {
    if (::daemon(0, 0) != 0) throw startup_error(74, fmt::format("cannot run in the background: {}", std::strerror(errno)));
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

void notify_ready() {
    char const* path = std::getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, path, sizeof to.sun_path - 1);
    auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
    int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    constexpr char ready[] = "READY=1";
    (void)::sendto(fd, ready, sizeof ready - 1, MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to), size);
    ::close(fd);
}

}
