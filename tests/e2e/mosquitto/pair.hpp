#pragma once
// Two brokers, one configuration: Debian's mosquitto and airmaild started on the same text.

#include "tests/support/program.hpp"
#include "tests/support/results.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/client/blocking_client.hpp"

#include <doctest/doctest.h>
#include <fstream>
#include <sstream>

namespace airmail::testing {

using client::blocking_client;
using client::connect_options;
using codec::reason;

inline bool mosquitto_installed() { return ::access("/usr/sbin/mosquitto", X_OK) == 0; }
inline bool long_run() { return std::getenv("AIRMAIL_LONG") != nullptr; }

/// Replaces every mark in `text`.
inline std::string filled(std::string text, std::vector<std::pair<std::string, std::string>> const& marks) {
    for (auto const& [mark, value] : marks)
        for (std::size_t at = 0; (at = text.find(mark, at)) != text.npos; at += value.size()) text.replace(at, mark.size(), value);
    return text;
}

inline void write_file(std::string const& path, std::string const& text) { std::ofstream(path, std::ios::trunc | std::ios::binary) << text; }

inline bool accepts(std::uint16_t port) {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET, a.sin_port = htons(port), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool const yes = ::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
    ::close(fd);
    return yes;
}

/// One of the two, as a child process on a configuration file. Owned by: one test.
class daemon_process {
public:
    enum class kind { mosquitto, airmail };
    daemon_process(kind k, std::string folder) : kind_(k), folder_(std::move(folder)) {}
    ~daemon_process() { end(SIGKILL); }
    daemon_process(daemon_process const&) = delete;

    /// Starts on `text`; ready when `port` accepts. False when it ended instead (said() tells why).
    bool start(std::string const& text, std::uint16_t port) {
        configure(text);
        return launch(port);
    }
    void configure(std::string const& text) { write_file(conf(), text); }
    bool launch(std::uint16_t port) {
        int const log = ::open(log_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (kind_ == kind::mosquitto) child_ = spawn({"/usr/sbin/mosquitto", "-v", "-c", conf()}, log);
        else {
            write_file(folder_ + "/ours.conf", "store_path " + folder_ + "/airmail\nstore_map_size 1GiB\nlimit_disk_refuse 0\nlimit_disk_readonly 0\nmetrics_port 0\ncontrol_socket " + folder_ + "/control.sock\nuser root\n");
            child_ = spawn({AIRMAILD, "-c", conf(), "-c", folder_ + "/ours.conf"}, log);
        }
        ::close(log);
        return eventually([&] { return !alive() || accepts(port); }) && alive();
    }
    bool alive() {
        int status = 0;
        if (child_ > 0 && ::waitpid(child_, &status, WNOHANG) == child_) child_ = -1, code_ = code_of(status);
        return child_ > 0;
    }
    void signal(int s) {
        if (child_ > 0) ::kill(child_, s);
    }
    int end(int s) {
        int status = 0;
        if (child_ <= 0) return code_;
        signal(s);
        ::waitpid(child_, &status, 0);
        child_ = -1;
        return code_ = code_of(status);
    }
    std::string said() const {
        std::ifstream in(log_file());
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }
    /// Waits until its log says `word`.
    bool says(std::string const& word) const {
        return eventually([&] { return said().find(word) != std::string::npos; }, std::chrono::seconds(20));
    }
    bool ours() const { return kind_ == kind::airmail; }
    std::string const& folder() const { return folder_; }
    int code() const { return code_; }

private:
    std::string conf() const { return folder_ + (ours() ? "/airmail.conf" : "/mosquitto.conf"); }
    std::string log_file() const { return folder_ + (ours() ? "/airmail.log" : "/mosquitto.log"); }
    kind kind_;
    std::string folder_;
    pid_t child_ = -1;
    int code_ = -1;
};

inline connect_options to_port(std::uint16_t port, std::string id, std::string user = {}, std::string password = {}, codec::version v = codec::version::v5) {
    connect_options o;
    o.port = port, o.client_id = std::move(id), o.protocol = v;
    if (!user.empty()) o.user_name = user;
    if (!password.empty()) o.password = password;
    return o;
}

}
