#pragma once
// Bounds of the queues of sessions that are back from the store. A session takes its listener's bound when it connects; one that
// stays away over a restart would have the default until then.

#include "broker/handlers/world.hpp"

namespace airmail::handlers {

/// @param of  the bound of a listener, by its port as the session's record has it (0 = unknown)
/// Starting thread, after restore() and before the shards run.
void bound_queues(world& w, std::function<session::queue_limits(std::uint16_t listener)> const& of);

}
