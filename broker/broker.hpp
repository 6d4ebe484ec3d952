#pragma once
// The broker as an object: construct from a configuration, add plugins, start, drain, stop. airmaild is a page around it
// (main.cpp); other programs embed it the same way (examples/embed).
//
//     airmail::broker b(airmail::config::parse_text("listener 1883 127.0.0.1\nallow_anonymous true\n"));
//     b.start();                       // throws airmail::startup_error: one line, and the exit code airmaild would use
//     ... b.ports() ...
//     b.drain();                       // readiness false, DISCONNECT 0x8B, sessions safe
//     b.stop();

#include "broker/config/config.hpp"
#include "broker/log/log.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct airmail_plugin_v1_t;
namespace airmail::sdk { class web_service; }

namespace airmail {

/// Why the broker could not start: what, where, what to do, in one line. Codes of DECISIONS: 78 config, 77 permission,
/// 75 locked, 74 I/O, 73 data, 69 port.
class startup_error : public std::runtime_error {
public:
    startup_error(int exit_code, std::string const& what) : std::runtime_error(what), exit_code_(exit_code) {}
    int exit_code() const { return exit_code_; }

private:
    int exit_code_;
};

/// One whole broker. Not copyable; several may live in one process (each with its own data directory). The object belongs
/// to one thread; it makes its own threads in start() and joins them in stop().
class broker {
public:
    /// Checks nothing yet; start() does. The configuration is copied (it is shared and immutable).
    explicit broker(config::config settings);
    ~broker();
    broker(broker const&) = delete;

    /// Adds a built-in plugin by its descriptor, before start(). The descriptor must outlive the broker.
    void add(airmail_plugin_v1_t const& plugin);

    /// Adds the web service (the dashboard), before start(): it answers on the admin doors of the HTTPS listener.
    void serve_web(std::unique_ptr<sdk::web_service> service);

    /// Opens the stores, recovers, binds, starts the threads. Throws startup_error.
    void start();

    /// A listener that is up: its name in the configuration and the port the system gave it (0 was asked: any).
    struct bound { std::string name; std::string address; std::uint16_t port = 0; };
    std::vector<bound> const& listeners() const;
    /// Ports of the HTTP side; 0 = off.
    std::uint16_t https_port() const;
    std::uint16_t metrics_port() const;

    /// Applies what may be applied of a new configuration: certificates, ACL, passwords, log level. A bad one keeps the old.
    /// Returns what was applied and what needs a restart, one line each.
    std::vector<std::string> reload(config::config const& fresh);

    using reload_answer = std::function<void(std::vector<std::string>)>;
    /// How the program that embeds this takes a reload asked for over the control socket (POST /api/v1/reload): it calls
    /// reload() on its own thread and gives the lines back. Called on the HTTP thread. Before start().
    void on_reload_request(std::function<void(reload_answer)> f);

    /// True when every shard answered within this time: the service manager's watchdog asks.
    bool responsive(std::chrono::milliseconds within);
    /// What SIGUSR2 writes into the log: counts, and every subscription (the first 10,000), one line each.
    std::vector<std::string> report();
    /// Publishes a log line on `$SYS/broker/log/` and its letter (D, N, W, E), for `log_dest topic`. Any thread, while started.
    void publish_log(log::level l, std::string_view line);

    /// Readiness false, listeners closed, v5 clients told 0x8B, what is queued committed. Blocks at most `airmail_drain_timeout`.
    void drain();
    /// Stops every thread. Idempotent.
    void stop();

private:
    struct house;
    std::unique_ptr<house> house_;
};

}
