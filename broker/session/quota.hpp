#pragma once
// How fast one client may publish: a bucket of messages and one of bytes, refilled by time that the caller gives.

#include <algorithm>
#include <cstdint>

namespace airmail::session {

/// A token bucket, 12 bytes. Pure: time is an argument. The level may go below zero by one packet, which makes the next
/// ones wait longer; so a packet larger than the burst still passes once in a while.
class token_bucket {
public:
    /// Takes `amount` if the level is above zero.
    /// @param rate per second, 0 = unlimited   @param burst the level when full   @param now milliseconds, any origin
    bool take(std::uint32_t amount, std::uint32_t rate, std::uint32_t burst, std::int64_t now) {
        if (rate == 0) return true;
        auto const t = static_cast<std::uint32_t>(now);
        if (!started_) level_ = static_cast<std::int32_t>(burst), started_ = true;
        else {
            auto const gained = std::uint64_t{t - at_} * rate / 1000;
            if (gained == 0 && level_ <= 0) return false;  // the time since `at_` goes on counting
            if (gained > 0 && level_ < static_cast<std::int64_t>(burst))
                level_ = static_cast<std::int32_t>(std::min<std::int64_t>(level_ + static_cast<std::int64_t>(std::min<std::uint64_t>(gained, burst * 2ULL)), burst));
            if (gained == 0) return spend(amount);
        }
        at_ = t;
        return spend(amount);
    }
    /// Milliseconds until take() says yes again.
    std::uint32_t wait_ms(std::uint32_t rate) const {
        return rate == 0 || level_ > 0 ? 0 : static_cast<std::uint32_t>((std::int64_t{1} - level_) * 1000 / rate + 1);
    }

private:
    bool spend(std::uint32_t amount) {
        if (level_ <= 0) return false;
        level_ -= static_cast<std::int32_t>(std::min<std::uint32_t>(amount, 1U << 30));
        return true;
    }
    std::uint32_t at_ = 0;
    std::int32_t level_ = 0;
    bool started_ = false;
};

}
