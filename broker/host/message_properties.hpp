#pragma once
// The forwardable properties of a stored message that plugins see. [MQTT-3.3.2-4 ff.]

#include <cstdint>
#include <span>
#include <string_view>

namespace airmail::host {

/// Views into the bytes given.
struct message_properties {
    std::string_view content_type, response_topic, correlation_data, traceparent;
};

/// `bytes`: encoded properties without the length in front, valid (they came through the codec). Unknown ones end the walk.
message_properties read_message_properties(std::span<std::uint8_t const> bytes);

}
