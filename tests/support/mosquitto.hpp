#pragma once
// Debian's mosquitto as a child process on ports of the system's choice, with a directory of its own.

#include "tests/support/certs.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace airmail::test {

/// A loopback port that was free a moment ago.
inline std::uint16_t free_port() {
    int const fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size);
    ::close(fd);
    return ntohs(a.sin_port);
}

/// Running from construction (it has said so itself) to destruction. A plain listener, and a TLS 1.3 one that wants a client
/// certificate of `ca`.
class mosquitto {
public:
    /// @param more  further lines of configuration, before the listeners
    explicit mosquitto(testing::certs const& ca, std::string const& more = "") {
        char name[] = "/tmp/airmail-mosquitto-XXXXXX";
        if (!::mkdtemp(name)) throw std::runtime_error("mkdtemp");
        folder_ = name;
        ca_ = ca.ca_file();
        server_ = ca.server();
        // Another process may take a port between our look and mosquitto's.
        for (int attempt = 0; attempt < 5; ++attempt)
            if (start(more)) return;
        throw std::runtime_error("mosquitto did not start: " + said_);
    }
    ~mosquitto() {
        stop();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    mosquitto(mosquitto const&) = delete;
    mosquitto& operator=(mosquitto const&) = delete;

    /// False when the package is not there; such tests say so and pass.
    static bool installed() { return ::access("/usr/sbin/mosquitto", X_OK) == 0; }

    std::uint16_t port() const { return port_; }
    std::uint16_t tls_port() const { return tls_port_; }

private:
    std::string path(std::string const& file) const { return folder_ + "/" + file; }
    void write(std::string const& file, std::string const& text) { std::ofstream(path(file)) << text; }

    bool start(std::string const& more) {
        port_ = free_port();
        tls_port_ = free_port();
        write("mosquitto.conf", "user root\nallow_anonymous true\nlog_dest stderr\nlog_type all\n" + more + "\nlistener " + std::to_string(port_) +
                                    " 127.0.0.1\nlistener " + std::to_string(tls_port_) + " 127.0.0.1\ncafile " + ca_ + "\ncertfile " +
                                    server_.certificate + "\nkeyfile " + server_.key +
                                    "\ntls_version tlsv1.3\nrequire_certificate true\nuse_identity_as_username true\n");
        int pipe[2];
        if (::pipe(pipe) != 0) return false;
        child_ = ::fork();
        if (child_ == 0) {
            ::dup2(pipe[1], 2);
            ::close(pipe[0]);
            ::close(pipe[1]);
            ::execl("/usr/sbin/mosquitto", "mosquitto", "-c", path("mosquitto.conf").c_str(), nullptr);
            ::_exit(127);
        }
        ::close(pipe[1]);
        log_ = pipe[0];
        if (heard("running")) {
            drain();
            return true;
        }
        stop();
        return false;
    }
    /// Reads its log until `word` or its end.
    bool heard(std::string const& word) {
        said_.clear();
        char text[512];
        while (said_.find(word) == said_.npos) {
            auto const n = ::read(log_, text, sizeof text);
            if (n <= 0) return false;
            said_.append(text, static_cast<std::size_t>(n));
        }
        return true;
    }
    /// Its log goes nowhere from now on, and never blocks it: a second child swallows it.
    void drain() {
        drain_ = ::fork();
        if (drain_ == 0) {
            char text[4096];
            while (::read(log_, text, sizeof text) > 0) {}
            ::_exit(0);
        }
        ::close(log_);
        log_ = -1;
    }
    static void reap(pid_t& p, int signal) {
        if (p <= 0) return;
        if (signal) ::kill(p, signal);
        ::waitpid(p, nullptr, 0);
        p = -1;
    }
    void stop() {
        reap(child_, SIGTERM);
        reap(drain_, 0);
        if (log_ >= 0) ::close(log_);
        log_ = -1;
    }

    std::string folder_, said_, ca_;
    testing::cert_files server_;
    std::uint16_t port_ = 0, tls_port_ = 0;
    pid_t child_ = -1, drain_ = -1;
    int log_ = -1;
};

}
