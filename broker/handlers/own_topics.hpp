#pragma once
// Topics that are the broker's own voice: $SYS, whatever the rules say.

#include <string_view>

namespace airmail::handlers {

/// May nobody but the broker publish there? One exception, as Mosquitto has it: a bridge says on the other side's
/// `$SYS/broker/connection/NAME/state` that it is there. Not on device listeners.
inline bool is_own_topic(std::string_view topic, bool device_listener) {
    if (!topic.starts_with("$SYS/")) return false;
    return device_listener || !topic.starts_with("$SYS/broker/connection/") || !topic.ends_with("/state");
}

}
