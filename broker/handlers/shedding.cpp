// Memory runs out (limit_memory_shed): what sessions wait for is made smaller. First what costs nobody anything, then the longest queues.

#include "broker/handlers/metrics.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/log/log.hpp"

#include <algorithm>

namespace airmail::handlers {
namespace {

struct queue_of {
    session::session* session;
    std::uint64_t bytes;
};

/// To how many bytes the longest have to be cut so that half of all is gone. Longest first.
std::uint64_t waterline(std::vector<queue_of> const& longest, std::uint64_t all) {
    std::uint64_t above = 0;
    for (std::size_t n = 1; n <= longest.size(); ++n) {
        above += longest[n - 1].bytes;
        auto const next = n < longest.size() ? longest[n].bytes : 0;
        // The first n cut to the length of the next would free so much.
        if (above - next * n >= all / 2) return (above - all / 2) / n;
    }
    return 0;
}

}

void mqtt::shed() {
    constexpr shard::instant every_ms = 250;          // what was freed shows at the next look
    constexpr std::uint64_t worth_it = 4 * 1024;
    if (shard_.now() - shed_at_ < every_ms) return;
    shed_at_ = shard_.now();
    std::uint64_t spared = 0, all = 0;
    std::vector<queue_of> longest;
    sessions_.each([&](session::session& s) {
        auto* waiting = s.sending_if();
        if (!waiting || waiting->size() == 0) return;
        spared += router::delivery::spare(s);
        if (auto const bytes = waiting->loose_bytes(); bytes >= worth_it) longest.push_back({&s, bytes}), all += bytes;
    });
    metric::spared_bytes.add(spared);
    if (longest.empty() || spared > all / 2) return;
    std::ranges::sort(longest, std::greater{}, &queue_of::bytes);
    auto const kept = waterline(longest, all);
    std::int64_t messages = 0, bytes = 0;
    std::size_t queues = 0;
    for (auto const& q : longest) {
        if (q.bytes <= kept) break;
        auto const gone = router::delivery::cut(*q.session, kept);
        messages += gone.messages, bytes += gone.bytes, ++queues;
    }
    metric::queues_cut.add(queues);
    auto const& first = *longest.front().session;
    if (shed_lines_.may(shard_.now()))
        log::warn("handlers", {{"queues", queues}, {"messages", messages}, {"bytes", bytes}, {"longest", first.client_id()}, {"id", first.name()}},
                  "memory runs out: the newest messages of the longest queues that no disk has were dropped");
}

}
