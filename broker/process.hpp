#pragma once
// What a daemon owes its system: signals, background, pid file, privileges, readiness. Used by main.cpp only.

#include "broker/config/config.hpp"

#include <signal.h>
#include <string>

namespace airmail::process {

inline constexpr char const* default_config = "/etc/airmail/airmail.conf";

/// Blocks HUP, INT, TERM for every thread made later; wait() takes them one by one. SIGPIPE is ignored.
class signals {
public:
    enum event { reload, stop };
    signals();
    event wait();

private:
    sigset_t set_;
};

/// Forks into the background (setsid, /dev/null). Before any thread or LMDB environment. Throws startup_error 74.
void daemonize();

/// Started as root: becomes `user` when written, else `airmail` when that account exists, else refuses when there is a device
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

/// sd_notify(READY=1) when NOTIFY_SOCKET is set; nothing otherwise.
void notify_ready();

}
