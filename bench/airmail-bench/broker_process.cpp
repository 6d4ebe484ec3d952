#include "bench/airmail-bench/broker_process.hpp"

#include "bench/airmail-bench/failure.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace airmail::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view base_config = R"(persistence {persistence}
persistence_location {dir}/data/
log_dest none
max_inflight_messages 20000
max_queued_messages 200000
set_tcp_nodelay true
allow_anonymous true
acl_file {acl}
user root
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
cafile {dir}/ca.crt
certfile {dir}/server.crt
keyfile {dir}/server.key
require_certificate true
use_identity_as_username true
)";

std::string filled(std::string text, broker_place const& p) {
    auto replace = [&text](std::string_view key, std::string const& value) {
        for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += value.size()) text.replace(at, key.size(), value);
    };
    replace("{base}", std::string(base_config));
    replace("{port}", std::to_string(p.port));
    replace("{tls_port}", std::to_string(p.tls_port));
    replace("{dir}", p.dir);
    replace("{acl}", p.acl);
    replace("{conf}", p.dir + "/broker.conf");
    replace("{persistence}", p.persistence ? "true" : "false");
    return text;
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

bool listening(std::uint16_t port) {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto const a = loopback(port);
    bool const yes = ::connect(fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) == 0;
    ::close(fd);
    return yes;
}

/// utime + stime of a stat file, in seconds. The command name may contain anything, so the fields are counted from its end.
double stat_seconds(std::string const& path, std::string* name = nullptr) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    auto const open = line.find('('), close = line.rfind(')');
    if (close == std::string::npos) return 0;
    if (name) *name = line.substr(open + 1, close - open - 1);
    std::istringstream rest(line.substr(close + 2));
    std::string skip;
    for (int i = 3; i < 14; ++i) rest >> skip;
    double user = 0, system = 0;
    rest >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}

std::uint16_t free_port() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto a = loopback(0);
    socklen_t size = sizeof a;
    bool const ok = ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0 && ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0;
    ::close(fd);
    if (!ok) throw failure("no free port on loopback");
    return ntohs(a.sin_port);
}

broker_process::broker_process(broker_spec const& spec, broker_place const& place) : place_(place), name_(spec.name) {
    std::filesystem::create_directories(place.dir + "/data");
    std::filesystem::create_directories(place.dir + "/" + spec.name);
    auto const config = filled(spec.config.empty() ? "{base}" : spec.config, place);
    std::ofstream(place.dir + "/broker.conf") << config;
    auto const has = [&](std::uint16_t port) { return config.find(fmt::format("listener {}", port)) != config.npos; };
    auto const command = "exec " + filled(spec.command, place) + " >>" + place.dir + "/output 2>&1";
    pid_ = ::fork();
    if (pid_ < 0) throw failure("fork failed");
    if (pid_ == 0) {
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(127);
    }
    wait_until_listening(place_.port);
    if (has(place_.tls_port)) wait_until_listening(place_.tls_port);      // listeners open one after the other
}

void broker_process::wait_until_listening(std::uint16_t port) {
    for (auto const until = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < until;) {
        if (listening(port)) return;
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = -1;
            std::ifstream out(place_.dir + "/output");
            std::ostringstream said;
            said << out.rdbuf();
            throw failure(fmt::format("{} ended before it listened: {}", name_, said.str()));
        }
        std::this_thread::sleep_for(20ms);
    }
    throw failure(fmt::format("{} did not listen within 20 s (see {}/output)", name_, place_.dir));
}

broker_process::~broker_process() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGTERM);
    for (int i = 0; i < 150; ++i) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
        std::this_thread::sleep_for(20ms);
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

double broker_process::cpu_seconds() const { return stat_seconds(fmt::format("/proc/{}/stat", pid_)); }

std::uint64_t broker_process::sleeps() const {
    std::uint64_t all = 0;
    for (auto const& t : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_))) {
        std::ifstream in(t.path().string() + "/status");
        for (std::string line; std::getline(in, line);)
            if (line.starts_with("voluntary_ctxt_switches:")) all += std::stoull(line.substr(24));
    }
    return all;
}

std::uint64_t broker_process::memory_bytes() const {
    std::ifstream in(fmt::format("/proc/{}/status", pid_));
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
    throw failure(name_ + " is gone");
}

std::vector<std::pair<std::string, double>> broker_process::threads() const {
    std::vector<std::pair<std::string, double>> all;
    for (auto const& t : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_))) {
        std::string name;
        double const seconds = stat_seconds(t.path().string() + "/stat", &name);
        all.emplace_back(std::move(name), seconds);
    }
    return all;
}

}
