#pragma once
// What is asked of a broker, and what came of it. Each scenario is one function on a fresh broker.

#include "bench/airmail-bench/broker_process.hpp"
#include "bench/airmail-bench/material.hpp"

#include <string>
#include <vector>

namespace airmail::bench {

/// One measured number. `ratio` says whether ours / peer means something (it does not for counts of lost messages).
struct figure {
    std::string name;     // with its unit: "broker CPU-s per million"
    double value = 0;
    bool ratio = true;
};
using figures = std::vector<figure>;

/// Sizes, the same for every broker of a run.
struct load {
    double seconds = 4;              // of each throughput measurement, after half a second of warming up
    std::size_t idle_plain = 5000, idle_mtls = 3000;
    std::size_t devices = 1000;      // that send heartbeats
    std::size_t commanded = 10000;   // devices that each get a command
    std::size_t window = 8;          // heartbeats under way per device
    double rate = 2000;              // messages/s, unbatched
    bool mtls = false;               // heartbeats and commands over TLS with client certificates
    bool watcher = true;             // a durable session receives the heartbeats; else the broker's own plugin is the one
};

struct bench_run {
    broker_process& broker;
    load const& sizes;
    certificates const* certs;       // null when no scenario needs them
};

struct scenario {
    std::string_view name;
    std::string_view what;           // one sentence for the reader
    bool persistence;                // the broker is told to keep what it acknowledges
    figures (*run)(bench_run&);
    /// More lines for the broker's configuration; makes the files they name in its folder. Null: none.
    std::string (*config)(std::string const& dir) = nullptr;
};

/// All of them, in the order in which they are printed.
std::vector<scenario> const& scenarios();

figures idle_plain(bench_run&);
figures idle_mtls(bench_run&);
figures fan_in_q0(bench_run&);
figures fan_in_q1(bench_run&);
figures fan_out_q0(bench_run&);
figures fan_out_q1(bench_run&);
figures pairs_q0(bench_run&);
figures pairs_q1(bench_run&);
figures rate_q0(bench_run&);
figures rate_q1(bench_run&);
figures storm_mtls(bench_run&);
figures slow_consumers(bench_run&);
figures heartbeats(bench_run&);
figures commands(bench_run&);
figures campaign_commands(bench_run&);
std::string campaign_commands_config(std::string const& dir);
figures campaign_cancel(bench_run&);
std::string campaign_cancel_config(std::string const& dir);

}
