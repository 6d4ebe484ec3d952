#include "broker/session/inflight.hpp"

namespace airmail::session {

std::optional<std::uint32_t> outgoing::push(entry&& e, queue_limits const& bound) {
    auto const weight = e.body ? e.body->footprint() : std::size_t{e.size_64} * 64;
    if (bound.messages && size() >= bound.messages) return std::nullopt;
    // Entries that are over stay behind an unacknowledged one: so many of them, then the client must acknowledge the old one.
    if (over_ >= over_max) return std::nullopt;
    if (bound.bytes && bytes_ + weight > bound.bytes) return std::nullopt;
    e.size_64 = static_cast<std::uint16_t>(std::min<std::size_t>((weight + 63) / 64, 65535));
    bytes_ += std::uint64_t{e.size_64} * 64;
    auto const number = queue_.push(std::move(e));
    tell_load();
    return number;
}

std::uint16_t outgoing::new_id() {
    // Ids are given in rising order, so a clash needs either a full circle, which meets the oldest first, or ids from before
    // this connection. Looking at all is for those cases only: a queue that never empties would pay for it with each message.
    return ids_.next([this](std::uint16_t id) {
        if (!scan_ids_ && cursor_ > 1 && (queue_[0].packet_id == id || queue_[0].packet_id == 0)) scan_all();
        if (!scan_ids_) return false;
        for (std::uint32_t i = 0; i < queue_.size(); ++i)
            if (queue_[i].packet_id == id && queue_[i].state != progress::over) return true;
        return false;
    });
}

void outgoing::scan_all() {
    scan_ids_ = true;
    scan_until_ = queue_.first() + queue_.size();
}

void outgoing::pass(entry const& e, bool in_flight) {
    ++cursor_;
    if (in_flight) ++in_flight_, in_flight_bytes_ += std::uint64_t{e.size_64} * 64;
}

outgoing::step outgoing::next(std::uint16_t receive_maximum, bool stored, std::int64_t now, std::uint32_t bytes_max) {
    while (cursor_ < queue_.size()) {
        entry& e = queue_[cursor_];
        auto const number = queue_.first() + cursor_;
        if (e.state == progress::over || e.state == progress::storing || e.state == progress::releasing) {
            pass(e, e.state != progress::over);
            continue;
        }
        if (e.state == progress::received) {  // PUBREL is never held back [MQTT-4.9.0-3]
            pass(e, true);
            return {what::pubrel, false, number, e};
        }
        if (e.qos == 0) {  // waited for an absent client: sent is over
            step s{what::publish, false, number, e};
            pass(e, true);
            finish(cursor_ - 1);
            return s;
        }
        if (in_flight_ >= receive_maximum) return {};  // [MQTT-3.3.4-9] [MQTT-4.9.0-2]
        if (bytes_max && in_flight_ && in_flight_bytes_ + std::uint64_t{e.size_64} * 64 > bytes_max) return {};
        if (!e.body) return {what::fetch, false, number, e};
        if (e.state == progress::waiting && e.body->expires_at_ms() != 0 && e.body->expires_at_ms() <= now) {
            step s{what::expired, false, number, e};  // [MQTT-3.3.2-5]
            pass(e, true);
            finish(cursor_ - 1);
            return s;
        }
        if (e.state == progress::waiting && e.qos == 2 && stored && e.owed_lsn) return {};
        pass(e, true);
        if (e.state == progress::waiting) {
            e.packet_id = new_id();
            if (e.qos == 2 && stored && e.at != 0) {
                e.state = progress::storing;
                return {what::advance, false, number, e};
            }
            e.state = progress::sent;
        }
        step s{what::publish, e.sent_before, number, e};
        e.sent_before = true;
        return s;
    }
    return {};
}

outgoing::step outgoing::stored(std::uint32_t number) {
    auto const index = number - queue_.first();
    if (index >= queue_.size() || queue_[index].state != progress::storing) return {};
    entry& e = queue_[index];
    e.state = progress::sent;
    if (index >= cursor_) return {};  // no connection, or a new one that has not come so far: next() will send it
    step s{what::publish, false, number, e};
    e.sent_before = true;
    return s;
}

storage::lsn outgoing::told(std::uint32_t number, storage::lsn at, bool keep_body) {
    auto const index = number - queue_.first();
    if (index >= queue_.size() || !queue_[index].owed_lsn) return 0;
    entry& e = queue_[index];
    e.owed_lsn = false;
    e.at = at;
    if (e.state == progress::over) {
        trim();
        return at;
    }
    if (!keep_body && at != 0) e.body.reset();
    return 0;
}

entry* outgoing::find(std::uint16_t packet_id, std::uint32_t& index) {
    if (cursor_ == 0) return nullptr;
    // Ids rise with the queue, from 65,535 to 1: the first place to look is mostly the right one.
    auto const from = queue_[0].packet_id;
    index = packet_id >= from ? packet_id - from : packet_id + 65535U - from;
    if (index < cursor_ && queue_[index].packet_id == packet_id && queue_[index].state != progress::over) return &queue_[index];
    for (index = 0; index < cursor_; ++index) {
        entry& e = queue_[index];
        if (e.packet_id == packet_id && e.state != progress::over) return &e;
    }
    return nullptr;
}

outgoing::settled outgoing::acknowledged(std::uint16_t packet_id) {
    std::uint32_t index;
    entry* e = find(packet_id, index);
    if (!e || e->qos != 1 || e->state != progress::sent) return {};
    settled s{true, false, e->at, queue_.first() + index, std::move(e->body)};
    finish(index);
    return s;
}

outgoing::settled outgoing::received(std::uint16_t packet_id, bool stored) {
    std::uint32_t index;
    entry* e = find(packet_id, index);
    if (!e || e->qos != 2 || (e->state != progress::sent && e->state != progress::releasing && e->state != progress::received)) return {};
    if (e->state == progress::sent) e->state = stored && e->at != 0 ? progress::releasing : progress::received;
    e->body.reset();  // PUBLISH is not sent again after PUBREC [MQTT-4.3.3-6]
    return {true, e->state == progress::releasing, e->at, queue_.first() + index};
}

std::uint16_t outgoing::released(std::uint32_t number) {
    auto const index = number - queue_.first();
    if (index >= queue_.size() || queue_[index].state != progress::releasing) return 0;
    queue_[index].state = progress::received;
    return index < cursor_ ? queue_[index].packet_id : 0;
}

outgoing::settled outgoing::refused(std::uint16_t packet_id) {
    std::uint32_t index;
    entry const* e = find(packet_id, index);
    if (!e || e->qos != 2 || e->state != progress::sent) return {};
    settled s{true, false, e->at, queue_.first() + index};
    finish(index);
    return s;
}

outgoing::settled outgoing::completed(std::uint16_t packet_id) {
    std::uint32_t index;
    entry const* e = find(packet_id, index);
    if (!e || e->qos != 2 || e->state != progress::received) return {};
    settled s{true, false, e->at, queue_.first() + index};
    finish(index);
    return s;
}

storage::lsn outgoing::discard(std::uint32_t number) {
    auto const index = number - queue_.first();
    if (index >= queue_.size() || queue_[index].state == progress::over) return 0;
    auto const at = queue_[index].at;
    finish(index);
    return at;
}

std::uint64_t outgoing::finish_one(entry& e) {
    e.state = progress::over;
    e.body.reset();
    auto const size = std::uint64_t{e.size_64} * 64;
    bytes_ -= size;
    e.size_64 = 0;
    ++over_;
    return size;
}

void outgoing::finish(std::uint32_t index) {
    auto const size = finish_one(queue_[index]);
    if (index < cursor_) --in_flight_, in_flight_bytes_ -= size;
    trim();
    tell_load();
}

void outgoing::trim() {
    while (!queue_.empty() && queue_[0].state == progress::over && !queue_[0].owed_lsn) {
        queue_.pop_front();
        --over_;
        if (cursor_ > 0) --cursor_;
    }
    // Every id from before has left: the rest is one rising run again.
    if (scan_ids_ && static_cast<std::int32_t>(queue_.first() - scan_until_) >= 0) scan_ids_ = false;
    if (queue_.empty()) {
        scan_ids_ = false;
        sets_.clear();
    }
}

std::vector<outgoing::taken> outgoing::take(std::uint32_t share, bool begun) {
    std::vector<taken> out;
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < queue_.size(); ++i) {
        entry const& e = queue_[i];
        if (e.share != share) continue;
        bool const unacknowledged = begun && e.qos == 1 && e.state == progress::sent;
        if (e.state != progress::waiting && !unacknowledged) continue;
        if (!e.body && e.at == 0) continue;
        out.push_back({e.body, e.at, e.at != 0 || e.owed_lsn});
        numbers.push_back(queue_.first() + i);
    }
    for (auto const n : numbers) discard(n);
    return out;
}

void outgoing::detach() {
    cursor_ = 0, in_flight_ = 0, in_flight_bytes_ = 0;
    scan_all();
    for (std::uint32_t i = 0; i < queue_.size(); ++i)
        if (queue_[i].at != 0) queue_[i].body.reset();
}

namespace {

/// Nobody but this queue has it, and nothing of it has been said to the client or the store.
bool loose(entry const& e) { return e.state == progress::waiting && e.body && e.at == 0 && !e.owed_lsn; }

}

std::uint64_t outgoing::spare() {
    std::uint64_t bytes = 0;
    for (auto i = cursor_; i < queue_.size(); ++i) {
        entry& e = queue_[i];
        if (e.state == progress::waiting && e.body && e.at != 0) e.body.reset(), bytes += std::uint64_t{e.size_64} * 64;
    }
    return bytes;
}

std::uint64_t outgoing::loose_bytes() const {
    std::uint64_t bytes = 0;
    for (auto i = cursor_; i < queue_.size(); ++i)
        if (loose(queue_[i])) bytes += std::uint64_t{queue_[i].size_64} * 64;
    return bytes;
}

outgoing::change outgoing::cut(std::uint64_t kept) {
    change gone{0, 0};
    auto left = loose_bytes();
    // What lies between others leaves an empty entry behind, and of those there are so many and no more.
    for (auto i = queue_.size(); i > cursor_ && left > kept && over_ < over_max / 2; --i) {
        entry& e = queue_[i - 1];
        if (!loose(e)) continue;
        auto const bytes = finish_one(e);
        left -= bytes;
        ++gone.messages, gone.bytes += static_cast<std::int64_t>(bytes);
        if (i == queue_.size()) queue_.pop_back(), --over_;
    }
    trim();
    queue_.fit();
    tell_load();
    return gone;
}

void outgoing::missing(std::size_t n, std::vector<storage::lsn>& at, std::vector<std::uint32_t>& numbers) {
    for (std::uint32_t i = cursor_; i < queue_.size() && at.size() < n; ++i) {
        entry const& e = queue_[i];
        if (e.body || e.at == 0 || (e.state != progress::waiting && e.state != progress::sent)) continue;
        at.push_back(e.at);
        numbers.push_back(queue_.first() + i);
    }
}

bool outgoing::body(std::uint32_t number, storage::message_ptr m) {
    auto const index = number - queue_.first();
    if (index >= queue_.size() || queue_[index].body) return true;
    entry& e = queue_[index];
    if (e.state != progress::waiting && e.state != progress::sent) return true;
    if (m) {
        e.body = std::move(m);
        return true;
    }
    finish(index);
    return false;
}

void outgoing::restore(entry&& e, storage::delivery_state s) {
    e.state = s == storage::delivery_state::queued ? progress::waiting
              : s == storage::delivery_state::sent ? progress::sent
                                                   : progress::received;
    e.sent_before = e.state == progress::sent;
    if (e.packet_id) ids_.resume_after(e.packet_id);
    bytes_ += std::uint64_t{e.size_64} * 64;
    queue_.push(std::move(e));
    scan_all();
}

std::uint32_t outgoing::remember(std::span<std::uint32_t const> ids) {
    if (ids.empty()) return 0;
    if (ids.size() == 1) return ids[0];
    for (std::size_t i = 0; i < sets_.size(); ++i)
        if (std::ranges::equal(sets_[i], ids)) return entry::many | static_cast<std::uint32_t>(i);
    if (sets_.size() >= 256) return ids[0];  // bound: a client that keeps changing its overlaps sees only the first one
    sets_.emplace_back(ids.begin(), ids.end());
    return entry::many | static_cast<std::uint32_t>(sets_.size() - 1);
}

std::span<std::uint32_t const> outgoing::identifiers(entry const& e) const {
    if (e.subscription & entry::many) return sets_[e.subscription & ~entry::many];
    return e.subscription ? std::span{&e.subscription, 1} : std::span<std::uint32_t const>{};
}

}
