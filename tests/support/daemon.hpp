#pragma once
// A real airmaild as a child process: a configuration and a data directory in a temporary folder, ports of the system's
// choice, and every way to end it. Compile definition AIRMAILD is the program's path.

#include "tests/support/program.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <utility>

namespace airmail::testing {

/// Owned by: one test. The configuration is a text in which {plain}, {tls}, {https}, {metrics} stand for ports and {dir} for
/// the folder; store_path, metrics_port, control_socket and `user` are added. The folder outlives restarts.
class broker_process {
public:
    explicit broker_process(std::string configuration) : wanted_(std::move(configuration)) {}
    ~broker_process() { kill(); }
    broker_process(broker_process const&) = delete;
    broker_process& operator=(broker_process const&) = delete;

    /// Starts, and waits until /readyz says 200. @return empty, or how it ended instead with what it said.
    std::string start() {
        // Another process may take a port between our look and its bind: exit code 69 then, and we look again.
        for (int attempt = 0; attempt < 5; ++attempt) {
            choose_ports();
            write_configuration();
            launch();
            if (eventually([this] { return !alive() || ready() == 200; }) && alive()) return {};
            if (alive()) return kill(), "not ready in time: " + said();
            if (code_ != 69) break;
        }
        return "exit " + std::to_string(code_) + ": " + said();
    }
    /// After kill(): the same configuration under the same ports, for clients that come back by themselves.
    std::string start_again() {
        launch();
        if (eventually([this] { return !alive() || ready() == 200; }) && alive()) return {};
        if (alive()) return kill(), "not ready in time: " + said();
        return "exit " + std::to_string(code_) + ": " + said();
    }
    /// Starts without waiting, for configurations that are refused. @return exit code and words.
    outcome try_start() {
        choose_ports();
        write_configuration();
        launch();
        if (!eventually([this] { return !alive() || ready() == 200; })) kill();
        bool const up = alive();
        if (up) kill();
        return {up ? 0 : code_, said()};
    }
    /// Starts, for configurations without a health port: the caller reads said().
    void launch_unwatched() {
        choose_ports();
        write_configuration();
        launch();
    }
    pid_t pid() const { return child_; }
    /// Words before the program on the next starts, "/usr/bin/env" "LD_PRELOAD=..." for one; whatever they name must exec what follows.
    void run_under(std::vector<std::string> words) { before_ = std::move(words); }
    /// Starts under the ports of before without waiting for anything: for those who kill it while it starts.
    void launch_again() { launch(); }
    /// Another configuration for the next start() or reload().
    void configure(std::string configuration) { wanted_ = std::move(configuration); }
    /// SIGHUP, with the configuration written anew under the same ports.
    void reload() {
        write_configuration();
        signal(SIGHUP);
    }
    void signal(int number) {
        if (child_ > 0) ::kill(child_, number);
    }
    /// Power cut.
    void kill() {
        signal(SIGKILL);
        reap();
    }
    /// SIGTERM. @return exit code, or -1 when it had to be killed
    int stop() {
        signal(SIGTERM);
        if (!eventually([this] { return !alive(); })) return kill(), -1;
        return code_;
    }
    bool alive() {
        int status = 0;
        if (child_ > 0 && ::waitpid(child_, &status, WNOHANG) == child_) child_ = -1, code_ = code_of(status);
        return child_ > 0;
    }

    /// What it has written since its last start.
    std::string said() const {
        std::ifstream in(dir_ / "log");
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }
    /// Waits for `words` in said(): a thread of its own writes the log, so an answer may be here before its line.
    bool says(std::string_view words, std::chrono::seconds budget = std::chrono::seconds(20)) const {
        return eventually([&] { return said().find(words) != std::string::npos; }, budget);
    }
    std::uint16_t port() const { return plain_; }
    std::uint16_t tls_port() const { return tls_; }
    std::uint16_t https_port() const { return https_; }
    std::uint16_t metrics_port() const { return metrics_; }
    temp_dir const& dir() const { return dir_; }

    /// GET on the health port. Status 0 = nobody answered.
    outcome get(std::string const& path) const { return curl({"http://127.0.0.1:" + std::to_string(metrics_) + path}); }
    int ready() const { return get("/readyz").code; }
    /// One series of /metrics, with its labels: name{a="b"}. -1 = it is not there.
    double metric(std::string const& series) const {
        auto const text = get("/metrics").text;
        auto const at = text.find("\n" + series + " ");
        return at == text.npos ? -1 : std::stod(text.substr(at + series.size() + 2));
    }
    /// A request on the control socket: role admin.
    outcome control(std::string const& verb, std::string const& path, std::string const& body = {}) const {
        std::vector<std::string> args{"--unix-socket", dir_ / "control.sock", "-X", verb, "http://airmail" + path};
        if (!body.empty()) args.insert(args.end(), {"-H", "content-type: application/json", "-d", body});
        return curl(args);
    }
    /// curl with these arguments. code = HTTP status, or 0; text = the body.
    static outcome curl(std::vector<std::string> const& args) {
        std::vector<std::string> all{"curl", "-s", "--max-time", "30", "-w", "\n%{http_code}"};
        all.insert(all.end(), args.begin(), args.end());
        auto o = run(all);
        auto const line = o.text.rfind('\n');
        o.code = line == o.text.npos ? 0 : std::atoi(o.text.c_str() + line + 1);
        o.text.resize(line == o.text.npos ? 0 : line);
        return o;
    }

private:
    void choose_ports() {
        plain_ = port_free_now();
        tls_ = port_free_now();
        https_ = port_free_now();
        metrics_ = port_free_now();
    }
    std::string filled() const {
        std::string text = wanted_;
        for (auto const& [mark, value] : std::initializer_list<std::pair<std::string, std::string>>{
                 {"{plain}", std::to_string(plain_)}, {"{tls}", std::to_string(tls_)}, {"{https}", std::to_string(https_)}, {"{metrics}", std::to_string(metrics_)}, {"{dir}", dir_.path()}})
            for (std::size_t at; (at = text.find(mark)) != text.npos;) text.replace(at, mark.size(), value);
        return text;
    }
    void write_configuration() const {
        std::ofstream out(dir_ / "airmail.conf", std::ios::trunc);
        out << "store_path " << (dir_ / "data") << "\nstore_map_size 1GiB\nmetrics_port " << metrics_ << "\ncontrol_socket " << (dir_ / "control.sock") << "\nshutdown_drain 5s\n";
        // How full this machine's disk is must not decide a test that is not about it.
        if (wanted_.find("limit_disk_") == std::string::npos) out << "limit_disk_refuse 0\nlimit_disk_readonly 0\nlimit_disk_reserve 0\n";
        if (::geteuid() == 0) out << "user root\n";
        out << filled() << "\n";
    }
    void launch() {
        kill();
        int const log = ::open((dir_ / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        auto args = before_;
        args.insert(args.end(), {AIRMAILD, "-c", dir_ / "airmail.conf"});
        child_ = spawn(args, log);
        ::close(log);
    }
    void reap() {
        int status = 0;
        if (child_ > 0) ::waitpid(child_, &status, 0), code_ = code_of(status);
        child_ = -1;
    }

    temp_dir dir_;
    std::string wanted_;
    std::vector<std::string> before_;
    pid_t child_ = -1;
    int code_ = -1;
    std::uint16_t plain_ = 0, tls_ = 0, https_ = 0, metrics_ = 0;
};

}
