// What operators ask of a shard: who is here, disconnect one, leave in peace.

#include "broker/handlers/operate.hpp"

#include "broker/handlers/parked.hpp"
#include "broker/router/keyed_hash.hpp"
#include "broker/shard/task.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <iterator>
#include <mutex>

namespace airmail::handlers {

std::vector<session_info> mqtt::list() const {
    std::vector<session_info> rows;
    rows.reserve(sessions_.size());
    const_cast<sessions&>(sessions_).each([&](session::session& s) {
        session_info i;
        i.identity = s.name(), i.client_id = s.client_id();
        i.number = s.number, i.expiry_s = s.expiry_s, i.connection = s.connection;
        i.connected = s.connected(), i.durable = s.stored;
        i.protocol = static_cast<std::uint8_t>(s.protocol);
        i.subscriptions = s.filters.size();
        i.disconnected_at_ms = s.disconnected_at;
        if (s.connected()) {
            i.address = peer_of(s).address();
            if (auto const* c = peer_of(s).certificate()) i.certificate_serial = c->certificate_serial, i.certificate_not_after = c->not_after;
        }
        if (auto const* q = s.sending_if()) i.queued = q->size() - q->in_flight(), i.in_flight = q->in_flight(), i.queued_bytes = q->bytes();
        rows.push_back(std::move(i));
    });
    return rows;
}

shard_counts mqtt::counts() const {
    shard_counts c;
    c.sessions = sessions_.size();
    const_cast<sessions&>(sessions_).each([&](session::session& s) { c.connected += s.connected(); });
    c.subscriptions = fanout_.tree().subscriptions();
    c.retained = fanout_.retained_messages().size();
    c.pending = fanout_.pending() + ledger_.waiting();
    return c;
}

std::vector<std::string> mqtt::tree(std::size_t most) const {
    std::vector<std::string> rows;
    const_cast<sessions&>(sessions_).each([&](session::session& s) {
        for (auto const& f : s.filters) {
            if (rows.size() >= most) return;
            rows.push_back(fmt::format("{} (QoS {}) {} {}", fanout_.tree().text(f.filter), fanout_.tree().at(f).how.qos(), s.name().empty() ? "-" : s.name(), s.client_id()));
        }
    });
    return rows;
}

std::size_t mqtt::kick(std::string_view identity, codec::reason r, bool ends) {
    std::vector<std::uint32_t> numbers;
    sessions_.each([&](session::session& s) {
        if (s.name() == identity && (ends || s.connected())) numbers.push_back(s.number);
    });
    for (auto const number : numbers) {
        auto* s = sessions_.find(number);
        if (s->connected()) {
            auto& from = peer_of(*s);
            if (ends) s->expiry_s = 0;
            lost(*s, "kicked");
            from.close(r, "disconnected by an operator");
            from.session = nullptr;
        } else end(*s);
    }
    return numbers.size();
}

void mqtt::revoked(peer& from) {
    // Words of somebody whom nobody trusts any more.
    if (from.session && !world_.publish_revoked_wills) from.session->last_will.reset();
    from.close(codec::reason::not_authorized, "certificate revoked");
}

void mqtt::recheck_logins(std::function<bool(acl::identity const&)> const& good) {
    std::vector<std::uint32_t> numbers;
    sessions_.each([&](session::session& s) {
        if (s.connected() && !good(s.who(scratch_))) numbers.push_back(s.number);
    });
    for (auto const number : numbers)
        if (auto* s = sessions_.find(number); s && s->connected()) {
            auto& from = peer_of(*s);
            lost(*s, "login no longer valid");
            from.close(codec::reason::not_authorized, "this user is no longer known");
            from.session = nullptr;
        }
}

void mqtt::drain() {
    world_.draining = true;
    sessions_.each([&](session::session& s) {
        if (s.connected()) peer_of(s).close(codec::reason::server_shutting_down, "draining");
    });
}

namespace {

/// Asks every shard in turn by mail and adds up what they say.
template <class Sum> struct round {
    Sum sum{};
    std::size_t left = 0;
    std::mutex lock;
    std::function<void(Sum)> done;
    template <class Add> void one(Add&& add) {
        std::unique_lock hold{lock};
        add(sum);
        if (--left != 0) return;
        hold.unlock();
        if (done) done(std::move(sum));
    }
};

}

void publish(world& w, storage::message_ptr m, std::function<void(bool)> done, bool durable) {
    auto& there = *w.shards[router::fanout::home(router::keyed_hash(m->topic()), static_cast<unsigned>(w.shards.size()))];
    there.on().post_external([&there, m = std::move(m), done = std::move(done), durable]() mutable { there.publish(std::move(m), std::move(done), durable); });
}

void kick(world& w, std::string identity, codec::reason r, bool end, std::function<void(std::size_t)> done) {
    auto all = std::make_shared<round<std::size_t>>();
    all->left = w.shards.size(), all->done = std::move(done);
    for (auto* p : w.shards)
        p->on().post_external([p, all, identity, r, end] {
            auto const n = p->kick(identity, r, end);
            all->one([n](std::size_t& sum) { sum += n; });
        });
}

void list(world& w, std::function<void(std::vector<session_info>)> done) {
    auto all = std::make_shared<round<std::vector<session_info>>>();
    all->left = w.shards.size(), all->done = std::move(done);
    for (auto* p : w.shards)
        p->on().post_external([p, all] {
            auto rows = p->list();
            all->one([&rows](auto& sum) { std::ranges::move(rows, std::back_inserter(sum)); });
        });
}

void tree(world& w, std::size_t most, std::function<void(std::vector<std::string>)> done) {
    auto all = std::make_shared<round<std::vector<std::string>>>();
    all->left = w.shards.size(), all->done = std::move(done);
    for (auto* p : w.shards)
        p->on().post_external([p, all, most] {
            auto rows = p->tree(most);
            all->one([&rows](auto& sum) { std::ranges::move(rows, std::back_inserter(sum)); });
        });
}

void recheck_logins(world& w, std::function<bool(acl::identity const&)> good) {
    for (auto* p : w.shards) p->on().post_external([p, good] { p->recheck_logins(good); });
}

void drain(world& w) {
    w.draining = true;
    for (auto* p : w.shards) p->on().post_external([p] { p->drain(); });
}

}
