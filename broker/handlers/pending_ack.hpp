#pragma once
// A SUBACK or UNSUBACK that waits for the store or for another shard.

#include "broker/handlers/parked.hpp"

namespace airmail::handlers {

/// Shared by those who hold it up; the last one sends it.
struct mqtt::pending_ack {
    struct replay {
        std::string filter;
        std::uint32_t id;
        router::options how;
    };
    codec::packet_type type = codec::packet_type::suback;
    std::uint16_t packet_id = 0;
    std::uint32_t session = 0;
    std::uint64_t connection = 0;
    std::vector<codec::reason> codes;
    std::string why;                          // the first refusal in words
    std::vector<replay> replays;
    std::string ready;                        // the filter that makes plugins see this session
    std::optional<storage::change> last;      // the last change, which is waited for
    unsigned changes = 0, waiting = 0;
};

}
