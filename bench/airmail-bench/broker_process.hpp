#pragma once
// One broker under test: started from a command template, measured from /proc, ended by its own process id.

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace airmail::bench {

/// How to start one broker, as the command line named it.
struct broker_spec {
    std::string name;
    std::string command;      // run by /bin/sh; {port} {tls_port} {dir} {acl} {conf} are filled in
    std::string config;       // text of a configuration template; empty = {base} alone
};

/// Where one fresh process lives.
struct broker_place {
    std::string dir;          // its own folder: certificates, configuration, data
    std::string acl;          // the acl_file
    std::uint16_t port = 0;   // plain
    std::uint16_t tls_port = 0;
    bool persistence = false;
};

/// A free TCP port on loopback, chosen by the system. Another process could take it before the broker does; then start fails.
std::uint16_t free_port();

/// Owned by: the run. Ends its process when destroyed.
class broker_process {
public:
    /// Writes the configuration, starts the command and waits until the plain port accepts.
    /// @throws failure when it exits or does not listen within 20 s
    broker_process(broker_spec const& spec, broker_place const& place);
    ~broker_process();
    broker_process(broker_process const&) = delete;
    broker_process& operator=(broker_process const&) = delete;

    broker_place const& place() const { return place_; }
    /// User and system time of all its threads so far, in seconds, by the kernel's ticks (10 ms).
    double cpu_seconds() const;
    /// RssAnon: memory of its own, files and shared pages apart.
    std::uint64_t memory_bytes() const;
    /// Voluntary context switches of all its threads so far: each is a sleep, and a wake-up that somebody paid for.
    std::uint64_t sleeps() const;
    /// CPU time of each thread so far, by thread name: where the work went.
    std::vector<std::pair<std::string, double>> threads() const;

private:
    void wait_until_listening(std::uint16_t port);
    broker_place place_;
    std::string name_;
    pid_t pid_ = -1;
};

}
