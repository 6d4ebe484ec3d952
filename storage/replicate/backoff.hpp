#pragma once
// How long to wait before asking again: doubling, with jitter, so that a fleet of nodes does not knock in step.

#include <algorithm>
#include <chrono>
#include <random>

namespace airmail::storage::replicate {

class backoff {
public:
    explicit backoff(std::chrono::milliseconds first = std::chrono::milliseconds(100), std::chrono::milliseconds most = std::chrono::seconds(5))
        : first_(first), most_(most), next_(first) {}
    /// Between half and the whole of 100 ms, 200 ms, ... 5 s.
    std::chrono::milliseconds next() {
        auto const whole = next_;
        next_ = std::min(most_, next_ * 2);
        return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(whole.count() / 2, whole.count())(chance_));
    }
    void reset() { next_ = first_; }

private:
    std::chrono::milliseconds first_, most_, next_;
    std::minstd_rand chance_{std::random_device{}()};
};

}
