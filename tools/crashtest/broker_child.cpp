#include "tools/crashtest/broker_child.hpp"

#include "tools/client/blocking_client.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace airmail::crashtest {

namespace {

/// A loopback port that was free a moment ago. 0 = none.
std::uint16_t free_port() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    bool const good = ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0 && ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0;
    ::close(fd);
    return good ? ntohs(a.sin_port) : std::uint16_t{0};
}

}

broker_child::broker_child(std::string program, std::string const& directory) : program_(std::move(program)) {
    std::string name = directory + "/airmail-crashtest-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error(fmt::format("{}: no scratch directory can be made there: {}", directory, std::strerror(errno)));
    scratch_ = name;
    port_ = free_port();
    std::ofstream conf(scratch_ + "/airmail.conf");
    conf << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_queued_bytes 1GiB\nlimit_publish_rate 0\nstore_path " << scratch_
         << "/data\nmetrics_port 0\ncontrol_socket " << scratch_ << "/control.sock\n";
    if (::geteuid() == 0) conf << "user root\n";   // a scratch directory of ours, and nobody else's data
}

broker_child::~broker_child() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(scratch_, ignored);
}

victim broker_child::as_victim() {
    return {.start = [this] { return start(); }, .launch = [this] { launch(); }, .kill = [this] { kill(); }, .way_in = [this](std::string const&) { return way_in(); }};
}

client::connect_options broker_child::way_in() const {
    client::connect_options o;
    o.port = port_;
    return o;
}

void broker_child::launch() {
    kill();
    auto const conf = scratch_ + "/airmail.conf", log = scratch_ + "/log";
    child_ = ::fork();
    if (child_ != 0) return;
    int const out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execl(program_.c_str(), program_.c_str(), "-c", conf.c_str(), nullptr);
    ::_exit(127);
}

std::string broker_child::start() {
    launch();
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
        int status = 0;
        if (::waitpid(child_, &status, WNOHANG) == child_) {
            child_ = -1;
            return fmt::format("{} ended with {}: {}", program_, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), said());
        }
        client::blocking_client knock{std::chrono::seconds(2)};
        auto o = way_in();
        o.client_id = "crash-knock";
        if (knock.connect(o)) return {};
        ::poll(nullptr, 0, 5);
    }
    return "not ready within 60 s: " + said();
}

void broker_child::kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
}

std::string broker_child::said() const {
    std::ifstream in(scratch_ + "/log");
    std::ostringstream all;
    all << in.rdbuf();
    auto text = all.str();
    return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

}
