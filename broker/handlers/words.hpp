#pragma once
// What a Reason String says: each refusal in plain words, for the person who reads a device's log. [MQTT 5, 3.1.2.11.7]

#include "broker/codec/reason.hpp"

#include <string_view>

namespace airmail::handlers {

/// One clause without a full stop, at most 120 bytes; lives for ever.
std::string_view words(codec::reason r);

}
