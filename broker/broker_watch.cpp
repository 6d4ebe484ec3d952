// A running broker looked at from outside: does it answer, what does it hold, where do its log lines go.

#include "broker/handlers/operate.hpp"
#include "broker/house.hpp"

#include <fmt/core.h>
#include <future>
#include <optional>

namespace airmail {
namespace {

constexpr std::size_t report_lines_max = 10'000;
constexpr std::chrono::seconds report_patience{5};

/// Asks through `ask(answer)` and waits; nothing when no answer came in time (it may still come, to nobody).
template <class T, class Ask> std::optional<T> asked(Ask ask) {
    auto p = std::make_shared<std::promise<T>>();
    auto answer = p->get_future();
    ask([p](T v) { p->set_value(std::move(v)); });
    if (answer.wait_for(report_patience) != std::future_status::ready) return {};
    return answer.get();
}

char letter(log::level l) {
    switch (l) {
    case log::level::debug: return 'D';
    case log::level::info: return 'N';
    case log::level::warn: return 'W';
    default: return 'E';
    }
}

}

bool broker::responsive(std::chrono::milliseconds within) {
    auto& h = *house_;
    if (!h.serving) return true;
    struct roll_call {
        std::atomic<std::size_t> left;
        std::promise<void> all;
    };
    auto call = std::make_shared<roll_call>();
    call->left = h.shards.size();
    auto all = call->all.get_future();
    for (auto& s : h.shards)
        s->post_external([call] {
            if (call->left.fetch_sub(1) == 1) call->all.set_value();
        });
    return all.wait_for(within) == std::future_status::ready;
}

std::vector<std::string> broker::report() {
    auto& h = *house_;
    std::vector<std::string> lines;
    auto const rows = asked<std::vector<handlers::session_info>>([&](auto done) { handlers::list(h.world, std::move(done)); });
    auto const tree = asked<std::vector<std::string>>([&](auto done) { handlers::tree(h.world, report_lines_max, std::move(done)); });
    if (!rows || !tree) return {"state: a shard does not answer"};
    std::size_t connected = 0, queued = 0, in_flight = 0, subscriptions = 0;
    for (auto const& r : *rows) connected += r.connected, queued += r.queued, in_flight += r.in_flight, subscriptions += r.subscriptions;
    auto const st = h.store->stats();
    lines.push_back(fmt::format("state: {} sessions, {} connected, {} subscriptions, {} messages queued, {} in flight; store: {} bytes used, {} changes waiting", rows->size(), connected,
                                subscriptions, queued, in_flight, st.bytes_used, st.queue_depth));
    std::size_t n = 0;
    for (auto const& t : *tree) {
        if (n++ == report_lines_max) break;
        lines.push_back("subscription: " + t);
    }
    if (subscriptions > n) lines.push_back(fmt::format("and {} subscriptions more", subscriptions - n));
    return lines;
}

void broker::publish_log(log::level l, std::string_view line) {
    auto& h = *house_;
    if (!h.serving) return;
    auto const topic = std::string{"$SYS/broker/log/"} + letter(l);
    storage::message_fields f;
    f.topic = topic;
    f.payload = {reinterpret_cast<std::uint8_t const*>(line.data()), line.size()};
    f.received_at_ms = h.store->now_ms();
    handlers::publish(h.world, storage::message::make(f));
}

}
