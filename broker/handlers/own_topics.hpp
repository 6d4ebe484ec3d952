#pragma once
// Topics that are the broker's own voice: $SYS. Which of them others may speak on is the engine's to say (acl/compile.cpp: a
// bridge's state, as Mosquitto has it); where no engine is asked, and on device listeners, it is none.

#include <string_view>

namespace airmail::handlers {

/// Is publishing there refused before the rules are asked? `ruled()`: there is an engine; asked for $SYS alone.
template <class Ruled> bool is_own_topic(std::string_view topic, bool device_listener, Ruled&& ruled) {
    return topic.starts_with("$SYS/") && (device_listener || !ruled());
}

}
