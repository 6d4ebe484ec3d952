#pragma once
// What a stretch of work cost: the broker's CPU, the generator's own, and wall time; and a bag of latencies.

#include "bench/airmail-bench/broker_process.hpp"

#include <algorithm>
#include <chrono>
#include <sys/resource.h>
#include <vector>

namespace airmail::bench {

/// CPU seconds of this process, user and system.
inline double own_cpu_seconds() {
    rusage u{};
    ::getrusage(RUSAGE_SELF, &u);
    auto const seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
    return seconds(u.ru_utime) + seconds(u.ru_stime);
}

/// Starts when made.
class meter {
public:
    using clock = std::chrono::steady_clock;
    explicit meter(broker_process const& b)
        : broker_(b), broker_cpu_(b.cpu_seconds()), broker_sleeps_(b.sleeps()), own_cpu_(own_cpu_seconds()), began_(clock::now()) {}

    double broker_cpu() const { return broker_.cpu_seconds() - broker_cpu_; }
    /// How often a thread of the broker went to sleep and was woken again.
    double broker_sleeps() const { return static_cast<double>(broker_.sleeps() - broker_sleeps_); }
    double own_cpu() const { return own_cpu_seconds() - own_cpu_; }
    double wall() const { return std::chrono::duration<double>(clock::now() - began_).count(); }

private:
    broker_process const& broker_;
    double broker_cpu_;
    std::uint64_t broker_sleeps_;
    double own_cpu_;
    clock::time_point began_;
};

/// Latencies in nanoseconds; percentiles sort in place.
class latencies {
public:
    void add(std::int64_t ns) { all_.push_back(ns); }
    /// In microseconds; 0 when there are none. `share` from 0 to 1.
    double microseconds(double share) {
        if (all_.empty()) return 0;
        auto const at = std::min(all_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(all_.size())));
        std::nth_element(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(at), all_.end());
        return static_cast<double>(all_[at]) / 1e3;
    }

private:
    std::vector<std::int64_t> all_;
};

inline std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}
