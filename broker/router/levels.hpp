#pragma once
// A topic cut into levels, on the stack, with the keyed hash of each.

#include "broker/codec/topic.hpp"
#include "broker/router/keyed_hash.hpp"

#include <array>
#include <string_view>

namespace airmail::router {

/// Room for 256 levels: listeners allow 16 (devices) or 200. A topic with more does not fit (ok() is false) and matches
/// nothing; handlers have refused it before.
class levels {
public:
    static constexpr std::uint32_t max = 256;
    explicit levels(std::string_view topic) {
        std::string_view rest = topic, level;
        while (codec::next_level(rest, level)) {
            if (count_ == max) {
                ok_ = false;
                return;
            }
            pieces_[count_++] = {level.data(), static_cast<std::uint32_t>(level.size()), static_cast<std::uint32_t>(keyed_hash(level))};
        }
    }
    bool ok() const { return ok_; }
    std::uint32_t count() const { return count_; }
    std::string_view text(std::uint32_t i) const { return {pieces_[i].at, pieces_[i].size}; }
    std::uint32_t hash(std::uint32_t i) const { return pieces_[i].hash; }
    /// `$...`: hidden from wildcards at the first level. [MQTT-4.7.2-1]
    bool dollar() const { return count_ && pieces_[0].size && *pieces_[0].at == '$'; }

private:
    // Plain, so that the array is not zeroed: 4 KiB of that cost more than cutting a topic.
    struct piece {
        char const* at;
        std::uint32_t size, hash;
    };
    std::array<piece, max> pieces_;
    std::uint32_t count_ = 0;
    bool ok_ = true;
};

}
