#pragma once
// Which of the 16,384 slots a key is in, and which master has it. [Redis Cluster specification, "Key distribution model"]

#include "storage/replicate/redis_link.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::storage::replicate {

/// CRC16/XMODEM of the key, or of what stands in its first {...} when that is not empty, modulo 16,384.
std::uint16_t slot_of(std::string_view key);

struct slot_range {
    std::uint16_t first = 0, last = 0;
    redis_endpoint master;
};

/// The answer to CLUSTER SLOTS. `asked`: a node that does not know its own address is the one we asked. nullopt = not such an answer.
std::optional<std::vector<slot_range>> read_slots(redis_reply const& r, redis_endpoint const& asked);

/// "MOVED 3999 127.0.0.1:6381" and "ASK ...".
struct redirection {
    bool ask = false;
    redis_endpoint to;
};
std::optional<redirection> read_redirection(std::string_view error, redis_endpoint const& asked);

}
