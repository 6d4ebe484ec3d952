#pragma once
// Runs another program to its end, or a child that lives on: what the end-to-end tests need of fork and exec.

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace airmail::testing {

/// How a program ended and what it wrote (both streams).
struct outcome {
    int code = -1;  // exit code, or 128 + signal
    std::string text;
};

/// Starts `args` with both output streams on `fd` and nothing to read. @return its process id
inline pid_t spawn(std::vector<std::string> const& args, int fd) {
    std::vector<char*> argv;
    for (auto const& a : args) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    pid_t const child = ::fork();
    if (child < 0) throw std::runtime_error("fork");
    if (child > 0) return child;
    int const nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, 0);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
}

inline int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

/// Runs to the end. Not for programs that wait for ever.
inline outcome run(std::vector<std::string> const& args) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    pid_t const child = spawn(args, pipe[1]);
    ::close(pipe[1]);
    outcome o;
    char piece[4096];
    for (ssize_t n; (n = ::read(pipe[0], piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR);)
        if (n > 0) o.text.append(piece, static_cast<std::size_t>(n));
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    o.code = code_of(status);
    return o;
}

/// True when `done` became true before the deadline; asked again every 10 ms.
template <class Done> bool eventually(Done done, std::chrono::milliseconds patience = std::chrono::seconds(60)) {
    auto const deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        ::poll(nullptr, 0, 10);
    }
    return true;
}

/// A loopback port that was free a moment ago; whoever uses it must be ready to ask for another.
inline std::uint16_t port_free_now() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    bool const good = ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0 && ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0;
    ::close(fd);
    if (!good) throw std::runtime_error("no free port");
    return ntohs(a.sin_port);
}

}
