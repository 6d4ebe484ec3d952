#pragma once
// How fast one client may publish: a bucket of messages and one of bytes, refilled by time that the caller gives.

#include <algorithm>
#include <cstdint>

namespace airmail::session {

/// A token bucket, 12 bytes. Pure: time is an argument. Charging always succeeds, since the packet is here already; a level
/// at or below zero means "read no further until wait_ms() is over". So nothing is lost, and debts are bounded by one read.
class token_bucket {
public:
    /// Takes `amount`; false when the level is now used up.
    /// @param rate per second, 0 = unlimited   @param burst the level when full   @param now milliseconds, any origin
    bool charge(std::uint32_t amount, std::uint32_t rate, std::uint32_t burst, std::int64_t now) {
        if (rate == 0) return true;
        refill(rate, burst, now);
        level_ -= static_cast<std::int32_t>(std::min<std::uint32_t>(amount, 1U << 28));
        return level_ > 0;
    }
    /// Milliseconds from the last charge until the level is above zero.
    std::uint32_t wait_ms(std::uint32_t rate) const {
        return rate == 0 || level_ > 0 ? 0 : static_cast<std::uint32_t>((std::int64_t{1} - level_) * 1000 / rate + 1);
    }
    void refill(std::uint32_t rate, std::uint32_t burst, std::int64_t now) {
        auto const t = static_cast<std::uint32_t>(now);
        if (!started_) {
            level_ = static_cast<std::int32_t>(burst), at_ = t, started_ = true;
            return;
        }
        auto const gained = std::uint64_t{t - at_} * rate / 1000;
        if (gained == 0) return;  // the time since at_ goes on counting
        at_ = t;
        level_ = static_cast<std::int32_t>(std::min<std::int64_t>(level_ + static_cast<std::int64_t>(std::min<std::uint64_t>(gained, 1ULL << 30)), burst));
    }
    bool empty() const { return started_ && level_ <= 0; }

private:
    std::uint32_t at_ = 0;
    std::int32_t level_ = 0;
    bool started_ = false;
};

}
