#include "broker/router/ledger.hpp"

namespace airmail::router {

void ledger::remember(storage::ticket t, waiter_ptr w) {
    if (tickets_.empty()) first_ = t;
    assert(t == first_ + tickets_.size());
    tickets_.push_back(std::move(w));
}

namespace {
/// Changes that wait beyond the port's ring. Publishers are not read while any waits, so what is added then is what they had
/// sent before: at most a window each.
constexpr std::size_t backlog_max = 1U << 17;
}

bool ledger::offer(storage::change c, waiter_ptr w) {
    if (!backlog_.empty() || port_.load() >= 1.0) {
        // Full is not refused: a burst of acknowledgements can fill the ring before the publishers are paused. With nothing
        // under way no completion would come to make room: that is a store in trouble.
        if (tickets_.empty() || backlog_.size() >= backlog_max) return false;
        backlog_.push_back({std::move(c), std::move(w)});
        return true;
    }
    auto const t = port_.submit(std::move(c));
    if (!t) return false;
    remember(*t, std::move(w));
    return true;
}

void ledger::insist(storage::change c, waiter_ptr w) {
    if (backlog_.empty() && port_.load() < 1.0) {
        // Copied: a refused submit has eaten its argument.
        auto const t = port_.submit(c);
        if (t) return remember(*t, std::move(w));
    }
    backlog_.push_back({std::move(c), std::move(w)});
}

void ledger::retry() {
    while (!backlog_.empty()) {
        auto const t = port_.submit(backlog_.front().what);
        if (!t) return;
        remember(*t, std::move(backlog_.front().who));
        backlog_.pop_front();
    }
}

void ledger::durable(storage::durable const& d) {
    for (std::size_t i = 0; i < d.lsns.size(); ++i) {
        assert(!tickets_.empty() && first_ == d.first + i);
        auto w = std::move(tickets_.front());
        tickets_.pop_front();
        ++first_;
        if (w) w->stored(d.error, d.error ? 0 : d.lsns[i]);
    }
    retry();
}

}
