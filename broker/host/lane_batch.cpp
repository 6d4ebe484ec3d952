// One batch: hooks as steps of one transaction, commit, and what happens when a hook or the commit fails.
#include "broker/host/lane.hpp"
#include "broker/host/lane_step.hpp"
#include "broker/host/message_properties.hpp"

#include <algorithm>

namespace airmail::host {

namespace sqlite = storage::sqlite;

bool lane::run_start(instance& i) {
    return run_step(i, "start", [&] { return i.table->start(i.body) == 0; });
}

void lane::run_stop(instance& i) {
    run_step(i, "stop", [&] { return i.table->stop(i.body), true; });
    if (commit(seen_lsn_)) leave();
}

bool lane::attempt(batch& b) {
    batch_handle_ = last_handle_, batch_asked_ = last_asked_;
    broken_ = false;
    for (auto& e : b.events) {
        dispatch(*e);
        if (broken_) return undo_batch(), false;
    }
    storage::lsn upto = seen_lsn_;
    for (auto const& m : b.messages) {
        dispatch(m);
        if (broken_) return undo_batch(), false;
        if (m.at) upto = m.at;
    }
    if (!commit(upto)) return undo_batch(), false;
    counters_.batches.fetch_add(1, std::memory_order_relaxed);
    counters_.events.fetch_add(b.events.size(), std::memory_order_relaxed);
    counters_.messages.fetch_add(b.messages.size(), std::memory_order_relaxed);
    since_stored_ += b.messages.size();
    leave();
    return true;
}

bool lane::attempt_committed() {
    batch_handle_ = last_handle_, batch_asked_ = last_asked_;
    broken_ = false;
    for (auto& i : seats_)
        if (i->table->on_committed && i->body && !broken_)
            run_step(*i, "committed", [&] { return i->table->on_committed(i->body), true; });
    if (broken_ || !commit(seen_lsn_)) return undo_batch(), false;
    leave();
    return true;
}

bool lane::commit(storage::lsn upto) {
    try {
        if (tx_->open()) {
            if (upto > stored_lsn_.load())
                db_->exec("INSERT INTO airmail_applied(lane, lsn) VALUES(?, ?) ON CONFLICT(lane) DO UPDATE SET lsn = excluded.lsn",
                          {name_, static_cast<std::int64_t>(upto)});
            tx_->commit();
            counters_.commits.fetch_add(1, std::memory_order_relaxed);
            stored_lsn_.store(upto, std::memory_order_release);
            since_stored_ = 0, stored_at_ms_ = steady_ms();
        }
        seen_lsn_ = upto;
        return true;
    } catch (sqlite::error const& e) {
        broken(e.what());
        return false;
    }
}

/// A lane that wrote nothing tells how far it is now and then: every second, or every 10,000 messages.
void lane::store_applied_lazily() {
    if (seen_lsn_ == stored_lsn_.load(std::memory_order_relaxed)) return;
    if (since_stored_ < 10'000 && steady_ms() - stored_at_ms_ < 1000) return;
    try {
        tx_->write();
    } catch (sqlite::error const& e) { return broken(e.what()), tx_->roll_back(); }
    if (!commit(seen_lsn_)) tx_->roll_back();
}

void lane::broken(std::string const& why) { broken_ = true, why_ = why; }

void lane::undo_batch() {
    tx_->roll_back();
    drop_effects(0);
    forget_asked(batch_asked_ + 1);
    for (auto at = pending_.upper_bound(batch_handle_); at != pending_.end();) at = pending_.erase(at);
    for (auto at = connects_.begin(); at != connects_.end();) at = at->first > batch_handle_ ? connects_.erase(at) : std::next(at);
}

void lane::drop_effects(std::size_t from) {
    // An answer that was taken back can be given again.
    for (auto i = from; i < effects_.size(); ++i) {
        auto* late = std::get_if<late_reply_effect>(&effects_[i]);
        auto* http = std::get_if<http_effect>(&effects_[i]);
        if (auto at = pending_.find(late ? late->handle : http ? http->handle : 0); at != pending_.end()) at->second.given.reset();
    }
    effects_.resize(from);
}

bool lane::add(effect e) {
    if (effects_.size() >= env_.options.effects_max) return false;
    effects_.push_back(std::move(e));
    return true;
}

void lane::fail(instance& i, std::string_view why) {
    failed_ = true, why_ = why;
    log(sdk::level::error, i.id, std::string{why});
}

void lane::dispatch(event& e) {
    std::visit([&](auto const& x) { on(x); }, e);
}

void lane::dispatch(message_item const& m) {
    auto const& body = *m.body;
    auto p = read_message_properties(body.properties());
    auto str = [](std::string_view s) { return airmail_str{s.data(), s.size()}; };
    airmail_message c{};
    c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION, c.topic = str(body.topic()), c.identity = str(body.identity());
    c.client_id = str(body.client_id()), c.content_type = str(p.content_type), c.response_topic = str(p.response_topic);
    c.correlation_data = str(p.correlation_data), c.traceparent = str(p.traceparent);
    c.payload = {reinterpret_cast<char const*>(body.payload().data()), body.payload().size()};
    c.lsn = m.at, c.received_ms = body.received_at_ms(), c.tenant = body.tenant(), c.qos = body.qos(), c.retain = body.retain();
    outbox_->traceparent(p.traceparent);
    instance* last = nullptr;
    std::vector<instance*> given;
    topics_.match(body.topic(), [&](std::uint32_t n) {
        auto const& to = interests_[n];
        // Once per plugin, however many of its filters match.
        if (to.who == last || std::find(given.begin(), given.end(), to.who) != given.end() || broken_) return;
        given.push_back(last = to.who);
        give(m, to, c);
    });
    outbox_->traceparent({});
}

void lane::give(message_item const& m, interest const& to, airmail_message& c) {
    std::string_view payload{c.payload.ptr, c.payload.len};
    if (to.rule)
        if (auto why = to.rule->violation(payload); !why.empty()) {
            if (counters_.schema_violations.fetch_add(1, std::memory_order_relaxed) < 10)
                log(sdk::level::warn, to.who->id, "payload on " + std::string{m.body->topic()} + " dropped: " + why);
            return;
        }
    auto v = AIRMAIL_FAIL;
    bool ok = run_step(*to.who, "message", [&] {
        v = to.who->table->on_message(to.who->body, &c);
        return v != AIRMAIL_FAIL;
    });
    if (broken_) return;
    if (!ok) set_aside(*to.who, "message", m.at, m.body->topic(), m.body->identity(), payload);
    else if (v == AIRMAIL_REFUSE) counters_.refused.fetch_add(1, std::memory_order_relaxed);
}

void lane::on(session_event const& e) {
    auto str = [](std::string const& s) { return airmail_str{s.data(), s.size()}; };
    for (auto& i : seats_) {
        if (!i->table->on_session || i->what.ready_topic.empty() || broken_) continue;
        if (!e.topic.empty() && e.topic != ready_topic_of(*i, e.identity)) continue;
        airmail_session s{};
        s.size = sizeof s, s.version = AIRMAIL_ABI_VERSION, s.event = static_cast<airmail_session_event>(e.change);
        s.identity = str(e.identity), s.client_id = str(e.client_id), s.topic = str(e.topic), s.note = str(e.note);
        s.connection = e.connection, s.at_ms = e.at_ms;
        bool ok = run_step(*i, "session", [&] { return i->table->on_session(i->body, &s), true; });
        if (!ok && !broken_) set_aside(*i, "session", 0, e.topic, e.identity, e.note);
    }
}

void lane::on(delivery_event const& e) {
    auto const& body = *e.body;
    auto p = read_message_properties(body.properties());
    airmail_delivery d{};
    d.size = sizeof d, d.version = AIRMAIL_ABI_VERSION, d.identity = {e.identity.data(), e.identity.size()};
    d.topic = {body.topic().data(), body.topic().size()}, d.correlation_data = {p.correlation_data.data(), p.correlation_data.size()};
    bool ok = run_step(*e.who, "delivered", [&] { return e.who->on_delivered(e.who->body, &d), true; });
    if (!ok && !broken_) set_aside(*e.who, "delivered", 0, body.topic(), e.identity, {});
}

void lane::on(timer_event const& e) {
    if (!e.fired) {
        add(timer_effect{e.who, e.id, e.due_ms});
        return;
    }
    if (!e.who->table->on_timer) return;
    bool ok = run_step(*e.who, "timer", [&] { return e.who->table->on_timer(e.who->body, e.id, e.due_ms), true; });
    if (!ok && !broken_) set_aside(*e.who, "timer", 0, std::to_string(e.id), {}, {});
}

/// The item goes into a table with its reason: the lane goes on, nothing is silent. Items that are not from the log get
/// falling negative numbers, since (lane, lsn) is the key.
void lane::set_aside(instance& i, char const* hook, storage::lsn at, std::string_view topic, std::string_view identity, std::string_view payload) {
    counters_.dead_letters.fetch_add(1, std::memory_order_relaxed);
    auto reason = i.id + ": " + (why_.empty() ? std::string{hook} + ": answered FAIL" : why_);
    try {
        tx_->write();
        auto key = at ? static_cast<std::int64_t>(at)
                      : db_->integer("SELECT min(coalesce(min(lsn), 0), 0) - 1 FROM airmail_dead_letters WHERE lane = ?", {name_});
        sqlite::blob bytes(payload.begin(), payload.end());
        db_->exec("INSERT INTO airmail_dead_letters(lane, lsn, topic, identity, reason, payload, at_ms) VALUES(?, ?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT(lane, lsn) DO UPDATE SET reason = reason || '; ' || excluded.reason",
                  {name_, key, std::string{topic}, std::string{identity}, reason, std::move(bytes), env_.options.wall_ms()});
        db_->exec("DELETE FROM airmail_dead_letters WHERE lane = ? AND id <= (SELECT max(id) FROM airmail_dead_letters) - ?",
                  {name_, env_.options.dead_letters_max});
    } catch (sqlite::error const& e) { broken(e.what()); }
    log(sdk::level::error, i.id, "set aside: " + std::string{topic} + ": " + reason);
}

}
