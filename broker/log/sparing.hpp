#pragma once
// Lines that strangers and bad clients can cause as often as they like: so many a second are written, the rest are counted.

#include "broker/log/metrics.hpp"

namespace airmail::log {

inline metrics::counter lines_spared{"airmail_log_lines_spared_total", "Log lines about bad clients not written because many like them had been in the same second."};

/// Owned by one thread (make it thread_local), or by whoever guards it.
class sparing {
public:
    explicit constexpr sparing(unsigned lines_a_second) noexcept : most_{lines_a_second}, left_{lines_a_second} {}
    /// May one more be written? `now_ms`: of any clock, as it is now.
    bool may(std::int64_t now_ms) noexcept {
        if (auto const second = now_ms / 1000; second != second_) second_ = second, left_ = most_;
        if (left_ > 0) return --left_, true;
        return lines_spared.add(), false;
    }

private:
    unsigned most_, left_;
    std::int64_t second_ = 0;
};

}
