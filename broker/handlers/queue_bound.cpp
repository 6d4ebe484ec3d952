#include "broker/handlers/queue_bound.hpp"

#include "broker/handlers/mqtt.hpp"

namespace airmail::handlers {

void bound_queues(world& w, std::function<session::queue_limits(std::uint16_t listener)> const& of) {
    for (auto* m : w.shards) m->all().each([&](session::session& s) { s.bound = of(s.listener); });
}

}
