#pragma once
// What the crash tests share: the plain broker that they kill, and whether the long form was asked for.

#include "tests/e2e/broker/house.hpp"

#include <cstdlib>

namespace airmail::testing {

/// tools/test --long
inline bool long_form() { return std::getenv("AIRMAIL_LONG") != nullptr; }

/// Everybody may do everything, as fast as he can, and queues have no bound.
inline std::string const plain_house = "listener {plain} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_queued_bytes 1GiB\nlimit_publish_rate 0\n";

}
