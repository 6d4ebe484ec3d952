#pragma once
// What a daemon owes its system: signals, background, pid file, privileges, readiness. Used by main.cpp only.

#include "broker/config/config.hpp"

#include <chrono>
#include <signal.h>
#include <string>
#include <string_view>

namespace airmail::process {

inline constexpr char const* default_config = "/etc/airmail/airmail.conf";

/// Blocks what we listen to for every thread made later; wait() takes them one by one. SIGPIPE is ignored.
/// HUP reload, and log files anew; USR1 Mosquitto's "save": says that all is saved; USR2 state and subscriptions into the log;
/// RTMIN log files anew (Mosquitto 2.1); INT and TERM stop.
class signals {
public:
    enum event { none, reload, save, report, rotate, stop };
    signals();
    /// The next one, or `none` after `most` (0 = for ever).
    event wait(std::chrono::milliseconds most);

private:
    sigset_t set_;
};

/// `-d`. Construction forks; the parent waits until the child is up or has failed, tells so by its exit code, and never
/// returns. Before any thread or LMDB environment. Throws startup_error 74.
class background {
public:
    explicit background(bool wanted);
    ~background();
    /// The broker is up: the parent leaves with 0, and terminal and standard streams are let go.
    void ready();

private:
    int parent_ = -1;
};

/// Started as root: gives log and pid files to, and becomes, `user` when written, else `airmail` when that account exists, else refuses when there is a device
/// listener (DECISIONS). Certificates are read after this: their files must be readable by the user. Throws startup_error 77.
void drop_root(config::config const& settings);

/// Writes the process id, removes the file at the end. An empty path does nothing. Throws startup_error 74.
class pid_file {
public:
    explicit pid_file(std::string path);
    ~pid_file();

private:
    std::string path_;
};

/// sd_notify(3): sends `state` ("READY=1") when NOTIFY_SOCKET is set; nothing otherwise.
void notify(std::string_view state);
/// "RELOADING=1" and the time that systemd wants beside it.
void notify_reloading();
/// How often "WATCHDOG=1" is due: half of what the service manager waits; 0 = it does not.
std::chrono::milliseconds watchdog_interval();

}
