// The cleaner's side of liveness: what is worth doing, and what was done.
#include "storage/liveness.hpp"

#include <algorithm>
#include <cassert>

namespace airmail::storage {

namespace {

constexpr std::size_t list_worth = 1'024;   // listed rows that are worth two syncs while nothing else is going on

}

bool liveness::is_living_session(session_number n, lsn at) const {
    auto s = sessions_.find(n);
    return s != sessions_.end() && s->second.record == at;
}

bool liveness::is_living_subscription(session_number n, std::uint64_t filter, lsn at) const {
    auto s = sessions_.find(n);
    return s != sessions_.end() && std::binary_search(s->second.subscriptions.begin(), s->second.subscriptions.end(), std::pair{filter, at});
}

bool liveness::is_living_retained(topic_key const& topic, lsn at) const {
    auto r = retained_.find(topic);
    return r != retained_.end() && r->second.row == at;
}

bool liveness::is_living_qos2_in(session_number n, std::uint16_t packet_id, lsn at) const {
    auto s = sessions_.find(n);
    return s != sessions_.end() && std::binary_search(s->second.qos2_in.begin(), s->second.qos2_in.end(), std::pair{packet_id, at});
}

lsn liveness::walk_until(lsn next) const {
    if (!walks_) return 0;
    auto oldest = ranges_.lower_bound(range_of(clean_to_));
    // A range whose messages some consumer may still read, and the one being filled, are left alone.
    auto limit = std::min(range_of(applied_ + 1), range_of(next));
    if (oldest == ranges_.end() || oldest->first >= limit) return 0;
    auto end = (oldest->first + 1) << range_bits_;
    bool begun = clean_to_ > oldest->first << range_bits_;
    auto const& r = oldest->second;
    bool mostly_dead = (r.rows - r.living) * 2 > r.rows;
    bool log_mostly_dead = rows_ - living_ > living_ + (std::uint64_t{2} << range_bits_);
    return begun || mostly_dead || log_mostly_dead ? end : 0;
}

bool liveness::worth_a_commit(lsn next) const {
    return doomed_.size() + orphans_.size() >= list_worth || sweeping() || walk_until(next) != 0;
}

void liveness::apply_move(cleaned::move const& m) {
    gone(m.from, true);
    born(m.to, true);
    switch (m.kind) {
    case record::kind::session: sessions_[m.session].record = m.to; break;
    case record::kind::retained: retained_[m.topic].row = m.to; break;
    case record::kind::subscription:
        for (auto& [filter, at] : sessions_[m.session].subscriptions)
            if (at == m.from) at = m.to;
        break;
    case record::kind::qos2_in:
        for (auto& [packet_id, at] : sessions_[m.session].qos2_in)
            if (at == m.from) at = m.to;
        break;
    case record::kind::none:
    case record::kind::message: assert(false); break;
    }
}

void liveness::apply(cleaned const& c) {
    for (std::size_t i = 0; i < c.doomed; ++i) gone(doomed_[i], false);
    doomed_.erase(doomed_.begin(), doomed_.begin() + static_cast<std::ptrdiff_t>(c.doomed));
    orphans_.erase(orphans_.begin(), orphans_.begin() + static_cast<std::ptrdiff_t>(c.orphans));
    for (auto at : c.removed) gone(at, false);
    for (auto const& m : c.moved) apply_move(m);
    // Before the deaths below: a message behind the walk that dies from now on has to be listed.
    if (c.walked_to != 0) clean_to_ = c.walked_to;
    for (auto const& [message, session] : c.references) settle(message, session);
    if (c.swept_to.first != 0) sweep_from_ = c.swept_to;
    if (c.sweep_ended) {
        dying_.clear();
        sweep_from_ = {everything, 0};
    }
}

}
