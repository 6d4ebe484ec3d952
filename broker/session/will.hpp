#pragma once
// The will of a connection, kept with its session until it is published or taken back. [MQTT-3.1.2-7]

#include "broker/codec/bytes.hpp"

#include <cstdint>
#include <string>

namespace airmail::session {

/// Owned by: the session (one heap block, only for those that have a will). Size is bounded by the listener's will limits.
struct will {
    std::string topic;
    bytes payload;
    bytes properties;                   // forwardable ones, encoded, in their order [MQTT-3.1.3-10]
    std::uint8_t qos = 0;
    bool retain = false;
    std::uint32_t delay_s = 0;          // from the end of the connection [MQTT-3.1.3-9]
    std::uint32_t message_expiry_s = 0; // 0 = never
};

}
