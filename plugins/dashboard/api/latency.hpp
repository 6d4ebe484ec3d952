#pragma once
// Latency per operation, as a Prometheus histogram. The operation is a root field of the schema (a closed list), never a peer's word.

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace airmail::dashboard {

class latency {
public:
    /// Any thread.
    void observe(std::string const& operation, double seconds, bool failed) {
        std::lock_guard hold(lock_);
        auto& o = all_[operation];
        for (std::size_t i = 0; i < bounds.size(); ++i) o.buckets[i] += seconds <= bounds[i];
        ++o.count, o.sum += seconds, o.failed += failed;
    }
    /// airmail_dashboard_operation_seconds and airmail_dashboard_operation_errors_total.
    std::string exposition() const;

    static constexpr std::array<double, 12> bounds{.001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 2.5, 10};

private:
    struct one {
        std::array<std::uint64_t, bounds.size()> buckets{};
        std::uint64_t count = 0, failed = 0;
        double sum = 0;
    };
    mutable std::mutex lock_;
    std::map<std::string, one> all_;
};

}
