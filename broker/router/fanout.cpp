#include "broker/router/fanout.hpp"

#include "broker/router/metrics.hpp"
#include "broker/shard/task.hpp"

namespace airmail::router {
namespace {

template <class F> void each_shard(shard_set set, F&& f) {
    for (; set; set &= set - 1) f(static_cast<unsigned>(__builtin_ctzll(set)));
}

}

/// Waits for put_message.
struct fanout::stored_publish final : waiter {
    stored_publish(fanout& f, pending_publish&& p) : of{f}, it{std::move(p)} {}
    void stored(boost::system::error_code failed, storage::lsn at) override {
        // Nothing that was delivered is undone; the publisher is told and sends it again.
        of.around_.answer(it.promise, failed ? outcome::not_stored : outcome::routed);
        shard_set shards = 0;
        for (auto const& r : it.got.references) shards |= shard_set{1} << r.shard;
        each_shard(shards, [&](unsigned t) { of.tell(t, it.body, it.got.references, failed ? 0 : at); });
    }
    fanout& of;
    pending_publish it;
};

shard_set fanout::interested(std::string_view topic, std::uint64_t hash) {
    auto const version = interest_.version();  // before the look-up: a change in between makes the answer old, not wrong
    if (auto const* known = routes_.find(hash, version)) return *known;
    return routes_.put(hash, version) = interest_.lookup(topic, hash, shard_.index());
}

void fanout::publish(storage::message_ptr m, std::uint64_t hash, ack_promise p, publish_options const& o) {
    metric::routed.add();
    auto const self = shard_.index(), shards = shard_.count();
    auto const me = shard_set{1} << self;
    auto set = shards == 1 ? me : interested(m->topic(), hash);
    if (m->retain()) set |= shard_set{1} << home(hash, shards);
    // Other shards answer when their answer decides something: references to be stored, a retained message refused. What
    // lives in memory only is acknowledged once it is in their mail, which they drain in order: no wake-up for an answer.
    bool const owes = m->qos() > 0 || m->retain();
    bool const waits = (m->qos() > 0 && o.durable) || m->retain();
    pending_publish job{m, p, o};
    from f{self, 0, o};
    if (auto const others = set & ~me; others) {
        if (waits) {
            f.number = first_pending_ + pending_.size();
            job.missing = __builtin_popcountll(others);
        }
        each_shard(others, [&](unsigned t) {
            metric::forwarded.add();
            shard_.post(t, [&there = around_.of_shard(t), m, hash, f] {
                arrival a;
                there.arrive(m, hash, f, a);
                if (f.number) there.report(f, std::move(a), true);
            });
        });
        if (!waits) job.got.matched = 1;
    }
    if (waits && f.number == 0) f.number = first_pending_ + pending_.size();
    if (set & me) arrive(m, hash, f, job.got);
    if (!owes) return;
    if (job.complete() && pending_.empty()) return finish(job);
    pending_.push_back(std::move(job));
    flush();
}

void fanout::note_hit(subscriber const& s, storage::message const& m) {
    if (s.is == subscriber::group) {
        group_hits_.push_back(s.id);
        return;
    }
    auto& who = *s.who;
    if (s.how.no_local() && m.publisher() == who.number) return;  // [MQTT-3.8.3-3]
    bool const retain = s.how.retain_as_published() && m.retain();  // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    if (who.each_copy) return hits_.push_back({&who, s.how.qos(), retain, s.id, 0});  // [MQTT-3.3.4-5]
    if (who.match_mark != mark_) {
        who.match_mark = mark_;
        who.match_hit = static_cast<std::uint32_t>(hits_.size());
        hits_.push_back({&who, s.how.qos(), retain, s.id, 0});
        return;
    }
    // Overlapping subscriptions make one copy: the highest QoS, all identifiers. [MQTT-3.3.4-2] [MQTT-3.3.4-4]
    auto& h = hits_[who.match_hit];
    h.qos = std::max(h.qos, s.how.qos());
    h.retain |= retain;
    if (s.id == 0) return;
    if (h.first_id == 0) {
        h.first_id = s.id;
        return;
    }
    if (h.more == 0) {
        if (overlaps_used_ == overlaps_.size()) overlaps_.emplace_back();
        overlaps_[overlaps_used_].assign(1, h.first_id);
        h.more = ++overlaps_used_;
    }
    auto& ids = overlaps_[h.more - 1];
    if (std::ranges::find(ids, s.id) == ids.end()) ids.push_back(s.id);
}

void fanout::collect(storage::message const& m, std::uint64_t hash) {
    hits_.clear(), group_hits_.clear();
    overlaps_used_ = 0;
    ++mark_;
    if (!tree_.match(m.topic(), hash, [&](subscriber const& s) { note_hit(s, m); })) metric::matches_cut.add();
}

void fanout::arrive(storage::message_ptr const& m, std::uint64_t hash, from const& f, arrival& a) {
    collect(*m, hash);
    delivery_.forget_variants();
    for (std::size_t i = 0; i < hits_.size(); ++i) {
        auto& h = hits_[i];
        if (!around_.may_receive(*h.who, m->topic(), hash)) {
            metric::dropped_not_allowed.add();
            continue;
        }
        ++a.matched;
        wish w{h.qos, h.retain, {}};
        if (h.more) w.ids = overlaps_[h.more - 1];
        else if (h.first_id) w.ids = {&h.first_id, 1};
        a.crowded |= delivery_.give(*h.who, m, w, f.how.durable, a.references);
    }
    for (std::size_t i = 0; i < group_hits_.size(); ++i) to_group(group_hits_[i], m, hash, f, a, 0);
    if (m->retain() && home(hash, shard_.count()) == shard_.index()) {
        if (!retained_.set(m, f.how.retained_per_identity)) a.refused = true, metric::retained_refused.add();
        retained_share_.set(static_cast<std::int64_t>(retained_.size()));
        retained_bytes_share_.set(static_cast<std::int64_t>(retained_.bytes()));
    }
    delivery_.forget_variants();
}

void fanout::to_group(std::uint32_t number, storage::message_ptr const& m, std::uint64_t hash, from const& f, arrival& a, unsigned hops) {
    auto* g = number < groups_.size() ? groups_[number].get() : nullptr;
    auto const publisher = strategy_ == share_strategy::hash ? keyed_hash(m->client_id()) : 0;
    auto* chosen = g ? g->pick(strategy_, publisher, [&](member& who) { return around_.may_receive(who, m->topic(), hash); }) : nullptr;
    if (!chosen || hops > 3) return metric::dropped_no_member.add();
    storage::reference r;
    r.session = chosen->session, r.qos = chosen->how.qos(), r.subscription_id = chosen->id;
    if (m->retain() && chosen->how.retain_as_published()) r.retain = true;
    ++a.matched;
    if (chosen->shard == shard_.index()) {
        if (auto* s = around_.find(r.session)) {
            wish w{r.qos, r.retain, {}, chosen->record + 1};
            if (r.subscription_id) w.ids = {&r.subscription_id, 1};
            a.crowded |= delivery_.give(*s, m, w, f.how.durable, a.references);
        }
        return;
    }
    // The member's shard answers the publisher's itself, so that it has the message before it hears of the LSN.
    ++a.balance;
    shard_.post(chosen->shard, [&there = around_.of_shard(chosen->shard), m, hash, f, number, here = shard_.index(), hops, r, record = chosen->record] {
        there.to_member(m, hash, f, number, here, hops, r, record);
    });
}

void fanout::to_member(storage::message_ptr const& m, std::uint64_t hash, from const& f, std::uint32_t group, unsigned home, unsigned hops,
                       storage::reference r, std::uint32_t record) {
    auto* s = around_.find(r.session);
    if (s && (s->connected() || s->kept())) {
        arrival a;
        wish w{r.qos, r.retain, {}, record + 1};
        if (r.subscription_id) w.ids = {&r.subscription_id, 1};
        delivery_.forget_variants();
        a.crowded = delivery_.give(*s, m, w, f.how.durable, a.references);
        delivery_.forget_variants();
        a.balance = -1;
        return report(f, std::move(a), false);
    }
    // It left in the same moment: the group chooses again. [MQTT-4.8.2-5] is about deliveries that had begun.
    shard_.post(home, [&there = around_.of_shard(home), m, hash, f, group, hops] {
        arrival a;
        a.balance = -1;
        there.to_group(group, m, hash, f, a, hops + 1);
        there.report(f, std::move(a), false);
    });
}

void fanout::report(from const& f, arrival&& a, bool shard_done) {
    if (f.number == 0) return;
    if (f.shard == shard_.index()) return answered(f.number, std::move(a), shard_done);
    shard_.post(f.shard, [&there = around_.of_shard(f.shard), number = f.number, a = std::make_unique<arrival>(std::move(a)), shard_done] {
        there.answered(number, std::move(*a), shard_done);
    });
}

void fanout::answered(std::uint64_t number, arrival&& a, bool shard_done) {
    auto const index = number - first_pending_;
    if (index >= pending_.size()) return;
    auto& p = pending_[index];
    if (p.got.references.empty()) p.got.references = std::move(a.references);
    else p.got.references.insert(p.got.references.end(), a.references.begin(), a.references.end());
    p.got.matched += a.matched;
    p.got.balance += a.balance;
    p.got.refused |= a.refused, p.got.crowded |= a.crowded;
    p.missing -= shard_done ? 1 : 0;
    flush();
}

void fanout::flush() {
    while (!pending_.empty() && pending_.front().complete()) {
        auto p = std::move(pending_.front());
        pending_.pop_front();
        ++first_pending_;
        finish(p);
    }
}

void fanout::finish(pending_publish& p) {
    if (p.got.crowded && p.how.will) around_.crowded();
    bool const retains = p.body->retain() && !p.got.refused && !p.how.handed_on;
    bool const stores = p.how.durable && (!p.got.references.empty() || retains || p.how.consumers || p.how.remember_id);
    if (!stores) {
        auto const o = p.got.refused ? outcome::over_quota : p.got.matched || p.how.heard || p.how.consumers ? outcome::routed : outcome::nobody;
        return around_.answer(p.promise, o);
    }
    storage::put_message change;
    change.body = p.body;
    change.references.reserve(p.got.references.size());
    for (auto const& r : p.got.references) change.references.push_back(r.reference);
    change.retain_set = retains && !p.body->payload().empty();
    change.retain_clear = retains && p.body->payload().empty();
    change.consumers = p.how.consumers;
    if (p.how.remember_id) change.qos2_in = {p.promise.session, p.promise.packet_id};
    auto const promise = p.promise;
    auto const body = p.body;
    auto const references = p.got.references;
    if (ledger_.offer(std::move(change), std::make_unique<stored_publish>(*this, std::move(p)))) return;
    around_.answer(promise, outcome::not_stored);
    shard_set shards = 0;
    for (auto const& r : references) shards |= shard_set{1} << r.shard;
    each_shard(shards, [&](unsigned t) { tell(t, body, references, 0); });
}

void fanout::tell(unsigned t, storage::message_ptr const& m, std::vector<owed> const& list, storage::lsn at) {
    if (t == shard_.index()) {
        for (auto const& r : list)
            if (r.shard == t) delivery_.told(r.reference.session, r.number, at);
        return;
    }
    auto mine = std::make_unique<std::vector<std::pair<std::uint32_t, std::uint32_t>>>();
    for (auto const& r : list)
        if (r.shard == t) mine->push_back({r.reference.session, r.number});
    (void)m;
    shard_.post(t, [&there = around_.of_shard(t), list = std::move(mine), at] {
        for (auto const& [session, number] : *list) there.delivery_.told(session, number, at);
    });
}

}
