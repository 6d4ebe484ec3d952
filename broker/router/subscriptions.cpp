// fanout's other half: who subscribed, shared groups, and the replay of retained messages.

#include "broker/router/fanout.hpp"
#include "broker/router/metrics.hpp"
#include "broker/shard/task.hpp"

namespace airmail::router {
namespace {

std::string group_key(std::string_view name, std::string_view filter) {
    std::string k{name};
    k += '/';
    return k += filter;
}

}

fanout::subscribed fanout::subscribe(session::session& s, std::string_view group, std::string_view filter, std::uint32_t id, options how,
                                     acl::identity const& who, std::function<void(bool)> confirmed) {
    if (group.empty()) {
        auto const a = tree_.subscribe(filter, s, id, how);
        if (a.first) interest_.add(filter, shard_.index());
        subscription_share_.set(static_cast<std::int64_t>(tree_.subscriptions()));
        return {a.is_new};
    }
    auto key = group_key(group, filter);
    auto const a = tree_.subscribe("$share/" + key, s, id, how, true);
    subscription_share_.set(static_cast<std::int64_t>(tree_.subscriptions()));
    if (a.is_new) metric::shared_subscriptions.add(1);
    member m;
    m.session = s.number, m.shard = shard_.index(), m.id = id, m.record = a.filter, m.how = how;
    if (strategy_ == share_strategy::least_loaded) m.load = s.sending().load();
    m.online = s.connected(), m.kept = s.kept();
    m.who = who;
    auto const t = home(keyed_hash(key), shard_.count());
    if (t == shard_.index()) return {a.is_new, false, !join(key, std::string{group}, std::string{filter}, std::move(m))};
    struct request {
        std::string key, name, filter;
        member m;
        std::function<void(bool)> confirmed;
    };
    auto r = std::make_unique<request>(request{std::move(key), std::string{group}, std::string{filter}, std::move(m), std::move(confirmed)});
    shard_.post(t, [&there = around_.of_shard(t), r = std::move(r), back = shard_.index()]() mutable {
        bool const ok = there.join(r->key, r->name, r->filter, std::move(r->m));
        there.shard_.post(back, [r = std::move(r), ok] {
            if (r->confirmed) r->confirmed(ok);
        });
    });
    return {a.is_new, true};
}

bool fanout::join(std::string const& key, std::string const& name, std::string const& filter, member m) {
    auto known = group_numbers_.find(key);
    if (known == group_numbers_.end()) {
        if (groups_max_ && group_numbers_.size() >= groups_max_) return false;
        std::uint32_t number = 0;
        while (number < groups_.size() && groups_[number]) ++number;
        if (number == groups_.size()) groups_.emplace_back();
        groups_[number] = std::make_unique<shared_group>(name, filter);
        known = group_numbers_.emplace(key, number).first;
        if (tree_.add_group(filter, number)) interest_.add(filter, shard_.index());
    }
    groups_[known->second]->put(std::move(m));
    return true;
}

void fanout::leave(std::string const& key, std::uint32_t session) {
    auto const known = group_numbers_.find(key);
    if (known == group_numbers_.end()) return;
    auto const number = known->second;
    auto& g = *groups_[number];
    g.remove(session);
    if (!g.empty()) return;
    if (tree_.remove_group(g.filter(), number)) interest_.remove(g.filter(), shard_.index());
    group_numbers_.erase(known);
    groups_[number].reset();
}

bool fanout::unsubscribe(session::session& s, std::string_view text) {
    if (!tree_.find(text, s)) return false;
    take_away(s, text, std::make_shared<leaving>());
    return true;
}

void fanout::take_away(session::session& s, std::string_view text, std::shared_ptr<leaving> const& l) {
    auto const r = tree_.unsubscribe(text, s);
    if (!r.found) return;
    subscription_share_.set(static_cast<std::int64_t>(tree_.subscriptions()));
    if (!r.record) {
        if (r.last) interest_.remove(text, shard_.index());
        return;
    }
    metric::shared_subscriptions.add(-1);
    std::string const key{text.substr(7)};  // "$share/"
    auto const t = home(keyed_hash(key), shard_.count());
    if (t == shard_.index()) leave(key, s.number);
    else
        shard_.post(t, [&there = around_.of_shard(t), key = std::make_unique<std::string>(key), number = s.number] { there.leave(*key, number); });
    // Behind the leave: the group must not choose the one that has gone.
    hand_on(s, r.id, key, l->ends, l);
}

void fanout::forget(session::session& s, std::function<void()> after) {
    auto const l = std::make_shared<leaving>();
    l->ends = true, l->after = std::move(after);
    while (!s.filters.empty()) {
        std::string const text{tree_.text(s.filters.back().filter)};
        take_away(s, text, l);
    }
    delivery_.forget(s);
    l->one();
}

void fanout::hand_on(session::session& s, std::uint32_t record, std::string const& key, bool ends, std::shared_ptr<leaving> const& l) {
    if (!s.sending_if()) return;
    auto list = s.sending_if()->take(record + 1, ends);
    if (list.empty()) return;
    auto const t = home(keyed_hash(key), shard_.count());
    auto give = [this, t, key, l, number = s.number](storage::message_ptr m, storage::lsn at, bool durable) {
        ++l->open;
        // The reference on disk goes when the other member has its own: a crash in between delivers twice rather than never.
        auto done = [this, l, at, number] {
            if (at != 0 && !l->ends) ledger_.insist(storage::settle{at, number});
            l->one();
        };
        if (t == shard_.index()) return regroup(key, std::move(m), durable, std::move(done));
        struct parcel {
            std::string key;
            storage::message_ptr m;
            std::function<void()> done;
        };
        auto p = std::make_unique<parcel>(parcel{key, std::move(m), std::move(done)});
        shard_.post(t, [&there = around_.of_shard(t), p = std::move(p), durable, back = shard_.index()]() mutable {
            there.regroup(p->key, std::move(p->m), durable, [&there, done = std::move(p->done), back] { there.shard_.post(back, [done] { done(); }); });
        });
    };
    std::vector<storage::lsn> missing;
    for (auto& each : list) {
        if (each.body) give(std::move(each.body), each.at, each.stored);
        else missing.push_back(each.at);
    }
    if (missing.empty()) return;
    ++l->open;
    ledger_.port().fetch(missing, [give, missing, l](std::vector<storage::message_ptr> bodies) {
        for (std::size_t i = 0; i < bodies.size() && i < missing.size(); ++i)
            if (bodies[i]) give(std::move(bodies[i]), missing[i], true);
        l->one();
    });
}

void fanout::regroup(std::string const& key, storage::message_ptr m, bool durable, std::function<void()> done) {
    auto const known = group_numbers_.find(key);
    if (known == group_numbers_.end()) return done();  // nobody is left: it goes with its member
    metric::handed_on.add();
    publish_options how;
    how.durable = durable, how.handed_on = true;
    pending_publish job{m, around_.promise_to([done = std::move(done)](bool) { done(); }), how};
    from const f{shard_.index(), first_pending_ + pending_.size(), how};
    delivery_.forget_variants();
    to_group(known->second, m, keyed_hash(m->topic()), f, job.got, 0);
    delivery_.forget_variants();
    if (job.complete() && pending_.empty()) return finish(job);
    pending_.push_back(std::move(job));
    flush();
}

void fanout::online(session::session& s, bool is) {
    for (auto const& ref : s.filters) {
        if (tree_.at(ref).is != subscriber::record) continue;
        auto key = std::make_unique<std::string>(tree_.text(ref.filter).substr(7));
        auto const t = home(keyed_hash(*key), shard_.count());
        auto change = [&there = around_.of_shard(t), key = std::move(key), number = s.number, is] {
            if (auto const g = there.group_numbers_.find(*key); g != there.group_numbers_.end()) there.groups_[g->second]->online(number, is);
        };
        if (t == shard_.index()) change();
        else shard_.post(t, std::move(change));
    }
}

void fanout::replay(session::session& s, std::string_view filter, std::uint32_t id, options how) {
    auto const shards = shard_.count();
    replay_work w{s.number, id, s.connection, how, {}, 0};
    constexpr std::size_t most = 65536;  // messages of one replay and shard; beyond it the client must ask more precisely
    bool const wild = codec::has_wildcard(filter);
    for (unsigned t = 0; t < shards; ++t) {
        if (!wild && t != home(keyed_hash(filter), shards)) continue;
        auto look = [&there = around_.of_shard(t), w, back = shard_.index(), filter = std::make_unique<std::string>(filter)]() mutable {
            if (!there.retained_.match(*filter, there.delivery_.now(), most, [&](storage::message_ptr const& m) { w.messages.push_back(m); }))
                metric::replays_cut.add();
            if (w.messages.empty()) return;
            if (back == there.shard_.index()) return there.replay_arrived(std::move(w));
            there.shard_.post(back, [&origin = there.around_.of_shard(back), w = std::make_unique<replay_work>(std::move(w))] {
                origin.replay_arrived(std::move(*w));
            });
        };
        if (t == shard_.index()) look();
        else shard_.post(t, std::move(look));
    }
}

void fanout::replay_arrived(replay_work w) {
    replays_.push_back(std::move(w));
    if (run_replays()) shard_.again();
}

bool fanout::run_replays() {
    // A page of 64 messages per replay and turn; a client that does not take them makes its replay wait (its QoS 1 queue and its
    // output are the measure), not the shard.
    bool more = false;
    std::vector<owed> none;
    delivery_.forget_variants();
    for (auto n = replays_.size(); n > 0; --n) {
        auto w = std::move(replays_.front());
        replays_.pop_front();
        auto* s = around_.find(w.session);
        if (!s || !s->connected() || s->connection != w.connection) continue;
        bool held = false;
        for (unsigned page = 0; page < 64 && w.next < w.messages.size(); ++page) {
            held = (s->sending_if() && s->sending_if()->size() >= 64) || (s->output_bytes_max && s->out->out_bytes() > s->output_bytes_max / 2);
            if (held) break;
            auto const& m = w.messages[w.next++];
            if (retained_.expired(*m, delivery_.now())) continue;
            if (!around_.may_receive(*s, m->topic(), keyed_hash(m->topic())) || !around_.source_may(*m)) {
                metric::dropped_not_allowed.add();
                continue;
            }
            wish want{w.how.qos(), true, {}};  // caused by a subscription: RETAIN 1
            if (w.id) want.ids = {&w.id, 1};
            delivery_.give(*s, m, want, false, none);
        }
        if (w.next == w.messages.size()) continue;
        more |= !held;
        replays_.push_back(std::move(w));
    }
    delivery_.forget_variants();
    return more;
}

}
