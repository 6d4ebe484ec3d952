#include "storage/liveness.hpp"

#include <algorithm>
#include <cassert>

namespace airmail::storage {

namespace {

constexpr std::size_t dropped_max = 65'536;

template <class Pairs, class Key>
auto find_key(Pairs& pairs, Key key) {
    auto at = std::lower_bound(pairs.begin(), pairs.end(), key, [](auto const& p, Key k) { return p.first < k; });
    return std::pair{at, at != pairs.end() && at->first == key};
}

}

liveness::liveness(unsigned range_bits, bool walks)
    : range_bits_(range_bits), clean_to_(walks ? 0 : everything), walks_(walks) {}

liveness::range& liveness::range_at(lsn at) {
    auto id = range_of(at);
    if (recent_.second == nullptr || recent_.first != id) recent_ = {id, &ranges_[id]};
    return *recent_.second;
}

void liveness::born(lsn at, bool living) {
    auto& r = range_at(at);
    ++r.rows, ++rows_;
    if (living) ++r.living, ++living_;
}

void liveness::revive(lsn at) { ++range_at(at).living, ++living_; }

void liveness::died(lsn at) {
    auto& r = range_at(at);
    assert(r.living > 0);
    --r.living, --living_;
    if (at < clean_to_) doom(at);
}

void liveness::gone(lsn at, bool was_living) {
    auto& r = range_at(at);
    assert(r.rows > 0);
    --r.rows, --rows_;
    if (was_living) --r.living, --living_;
    if (r.rows == 0) {
        ranges_.erase(range_of(at));
        recent_.second = nullptr;
    }
}

void liveness::message_born(lsn at) { born(at, false); }

liveness::message_entry& liveness::hold(lsn message) {
    auto [at, fresh] = messages_.try_emplace(message);
    if (fresh) revive(message);
    return at->second;
}

void liveness::wait(lsn message) {
    revive(message);
    if (walks_) ++range_at(message).waiting;
    else waiting_.push(message);
}

void liveness::let_go(lsn message) {
    auto at = messages_.find(message);
    if (at == messages_.end() || at->second.references != 0 || at->second.retained) return;
    bool still_wanted = at->second.wanted && message > applied_;
    messages_.erase(at);
    if (!still_wanted) return died(message);
    // Living all the same: it only changes from held by name to held by its range.
    --range_at(message).living, --living_;
    wait(message);
}

void liveness::wanted(lsn message) {
    if (auto at = messages_.find(message); at != messages_.end()) at->second.wanted = 1;
    else if (message > applied_) wait(message);
    else unheld(message);
}

void liveness::unheld(lsn message) {
    if (message < clean_to_ && !messages_.contains(message)) doom(message);
}

void liveness::unretain(lsn message) {
    auto at = messages_.find(message);
    if (at == messages_.end()) return;
    at->second.retained = 0;
    let_go(message);
}

void liveness::hold_retained(topic_key const& topic, lsn message, lsn row) {
    born(row, true);
    hold(message).retained = 1;
    auto& e = retained_[topic];
    if (auto old = std::exchange(e, {row, message}); old.row != 0) {
        died(old.row);
        unretain(old.message);
    }
}

void liveness::clear_retained(topic_key const& topic, lsn row) {
    born(row, false);
    auto at = retained_.find(topic);
    if (at == retained_.end()) return;
    auto old = at->second;
    retained_.erase(at);
    died(old.row);
    unretain(old.message);
}

void liveness::put_session(session_number n, lsn at) {
    born(at, true);
    if (auto old = std::exchange(sessions_[n].record, at); old != 0) died(old);
}

void liveness::drop_session(session_number n, lsn at) {
    born(at, false);
    remember_dropped(n);
    auto found = sessions_.find(n);
    if (found == sessions_.end()) return;
    auto e = std::move(found->second);
    sessions_.erase(found);
    if (e.record != 0) died(e.record);
    for (auto const& s : e.subscriptions) died(s.second);
    for (auto const& q : e.qos2_in) died(q.second);
    if (e.references == 0) return;
    // Its references are not listed anywhere: one pass over the table takes those of all dropped sessions together.
    dying_[n] = e.references;
    sweep_from_ = std::min(sweep_from_, {e.first_reference, 0});
}

void liveness::remember_dropped(session_number n) {
    if (!dropped_.insert(n).second) return;
    dropped_order_.push_back(n);
    if (dropped_order_.size() <= dropped_max) return;
    dropped_.erase(dropped_order_.front());
    dropped_order_.pop_front();
}

void liveness::put_subscription(session_number n, std::uint64_t filter, lsn at) {
    born(at, true);
    auto& all = sessions_[n].subscriptions;
    auto [where, there] = find_key(all, filter);
    if (there) died(std::exchange(where->second, at));
    else all.insert(where, {filter, at});
}

void liveness::drop_subscription(session_number n, std::uint64_t filter, lsn at) {
    born(at, false);
    auto s = sessions_.find(n);
    if (s == sessions_.end()) return;
    auto [where, there] = find_key(s->second.subscriptions, filter);
    if (!there) return;
    died(where->second);
    s->second.subscriptions.erase(where);
}

void liveness::put_qos2_in(session_number n, std::uint16_t packet_id, lsn at) {
    born(at, true);
    auto& all = sessions_[n].qos2_in;
    auto [where, there] = find_key(all, packet_id);
    if (!there) return void(all.insert(where, {packet_id, at}));
    // The older row goes at once and not in its turn: a later forget deletes only the newer one, and the older must not
    // come back then.
    auto old = std::exchange(where->second, at);
    died(old);
    if (old >= clean_to_) doom(old);
}

void liveness::forget_qos2_in(session_number n, std::uint16_t packet_id) {
    auto s = sessions_.find(n);
    if (s == sessions_.end()) return;
    auto [where, there] = find_key(s->second.qos2_in, packet_id);
    if (!there) return;
    auto old = where->second;
    s->second.qos2_in.erase(where);
    died(old);
    if (old >= clean_to_) doom(old);
}

void liveness::refer(lsn message, session_number n) {
    if (dropped_.contains(n)) return orphan(message, n);
    auto& s = sessions_[n];
    if (s.references++ == 0) s.first_reference = message;
    ++hold(message).references;
}

void liveness::settle(lsn message, session_number n) {
    if (auto s = sessions_.find(n); s != sessions_.end() && s->second.references != 0) --s->second.references;
    else if (auto d = dying_.find(n); d == dying_.end()) return;   // was never counted
    else if (--d->second == 0) dying_.erase(d);
    auto at = messages_.find(message);
    if (at == messages_.end() || at->second.references == 0) return;
    --at->second.references;
    let_go(message);
}

void liveness::applied(lsn upto) {
    if (upto <= applied_) return;
    applied_ = upto;
    for (; !waiting_.empty() && waiting_.top() <= upto; waiting_.pop()) died(waiting_.top());
    auto r = ranges_.lower_bound(waiting_from_);
    for (; r != ranges_.end() && r->first < range_of(upto + 1); ++r) {
        r->second.living -= r->second.waiting, living_ -= r->second.waiting;
        r->second.waiting = 0;
    }
    waiting_from_ = range_of(upto + 1);
}

bool liveness::has_session(session_number n) const {
    auto s = sessions_.find(n);
    return s != sessions_.end() && s->second.record != 0;
}

void liveness::forget_sessions_without_record() {
    std::vector<session_number> which;
    for (auto const& [n, e] : sessions_)
        if (e.record == 0) which.push_back(n);
    for (auto n : which) {
        auto e = std::move(sessions_[n]);
        sessions_.erase(n);
        remember_dropped(n);
        for (auto const& s : e.subscriptions) died(s.second);
        for (auto const& q : e.qos2_in) died(q.second);
    }
}

}
