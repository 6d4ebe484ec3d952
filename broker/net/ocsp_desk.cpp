#include "broker/net/ocsp_desk.hpp"

#include "broker/log/log.hpp"
#include "broker/log/sparing.hpp"
#include "broker/net/counters.hpp"
#include "broker/net/tls.hpp"

#include <algorithm>
#include <ctime>
#include <pthread.h>

namespace airmail::net {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// A responder that did not answer is left alone for this long, then twice as long, ...
constexpr milliseconds pause_first = 5s, pause_most = 60s;
/// What was said and is not to be believed is not asked for again at once.
constexpr milliseconds nonsense_pause = 1s;
constexpr std::size_t responders_max = 1024;
constexpr milliseconds staple_first = 1s, staple_most = 5min, staple_refresh_most = 12h;

/// Not all at once: between nine tenths of the time and all of it, told by the name.
milliseconds spread(milliseconds t, std::string const& name) { return t - t / 10 * static_cast<int>(std::hash<std::string>{}(name) % 101) / 100; }

metrics::counter& count_of(acl::ocsp_answer::verdict v) {
    using enum acl::ocsp_answer::verdict;
    return v == good ? count::ocsp_good : v == revoked ? count::ocsp_revoked : count::ocsp_unknown;
}

}

/// One certificate.
struct ocsp_desk::entry {
    std::string key, url;
    question_ptr about;
    ocsp_rules_ptr rules;
    std::shared_ptr<standing> who = std::make_shared<standing>();
    std::optional<acl::ocsp_answer::verdict> known;
    instant good_until{}, quiet_until{};
    instant due_at{};   // the one time in due_ that counts
    bool under_way = false, urgent = false;
    std::vector<reply> waiting;
    std::list<std::string>::iterator age;

    bool connected() const { return who.use_count() > 1; }
};

/// One listener's own certificate.
struct ocsp_desk::staple_job {
    std::weak_ptr<tls> of;
    ocsp_rules_ptr rules;
    instant due{};
    milliseconds wait = staple_first;
    bool under_way = false, again = false, failing = false;
};

ocsp_desk::ocsp_desk(options o, std::function<void()> on_revoked) : options_{std::move(o)}, on_revoked_{std::move(on_revoked)} {
    if (!options_.ask) options_.ask = [](auto const& about, auto const& url, auto patience, bool nonce) { return about.ask(url, patience, nonce); };
    if (!options_.now) options_.now = [] { return std::chrono::steady_clock::now(); };
}

ocsp_desk::~ocsp_desk() { stop(); }

void ocsp_desk::stop() {
    {
        lock held{lock_};
        stopping_ = true;
    }
    bell_.notify_all();
    for (auto& t : threads_) t.join();
    threads_.clear();
    count::ocsp_entries.add(-static_cast<std::int64_t>(table_.size()));
    table_.clear(), by_age_.clear();
}

void ocsp_desk::begin() {
    if (!threads_.empty() || stopping_) return;
    for (unsigned i = 0; i < options_.threads; ++i) threads_.emplace_back([this] {
        ::pthread_setname_np(::pthread_self(), "airmail-ocsp");
        work();
    });
}

std::size_t ocsp_desk::entries() const {
    lock held{lock_};
    return table_.size();
}

std::optional<ocsp_desk::word> ocsp_desk::ask(question_ptr about, ocsp_rules_ptr rules, standing_ptr& who, reply later) {
    lock held{lock_};
    if (stopping_) return word::silent;
    begin();
    auto const& url = rules->responder.empty() ? about->responder() : rules->responder;
    auto const key = url + '\n' + about->id();
    entry_ptr e;
    if (auto const known = table_.find(key); known != table_.end()) {
        e = known->second;
        by_age_.splice(by_age_.end(), by_age_, e->age);
    } else {
        evict();
        e = table_.emplace(key, std::make_shared<entry>()).first->second;
        e->key = key, e->url = url;
        e->age = by_age_.insert(by_age_.end(), key);
        count::ocsp_entries.add(1);
    }
    e->about = std::move(about), e->rules = std::move(rules);
    who = e->who;
    auto const now = options_.now();
    if (e->known && now < e->good_until) return count::ocsp_cached.add(), static_cast<word>(*e->known);
    if (!e->under_way && (now < e->quiet_until || paused(url))) return count::ocsp_paused.add(), word::silent;
    e->waiting.push_back(std::move(later));
    if (!e->urgent) {
        e->under_way = e->urgent = true;
        asks_.push_back(e);
        bell_.notify_one();
    }
    return {};
}

void ocsp_desk::evict() {
    // Who is connected stays, so a look may find nobody to let go: their number is bounded by the connections.
    for (int looks = 0; table_.size() >= options_.entries && looks < 16; ++looks) {
        auto const found = table_.find(by_age_.front());
        if (found->second->connected() || found->second->under_way) {
            by_age_.splice(by_age_.end(), by_age_, by_age_.begin());
            continue;
        }
        by_age_.pop_front();
        table_.erase(found);
        count::ocsp_entries.add(-1), count::ocsp_evicted.add();
    }
}

void ocsp_desk::work() {
    lock held{lock_};
    while (!stopping_)
        if (!work_some(held) && !stopping_) {
            auto const next = next_due();
            if (next == instant::max()) bell_.wait(held);
            else bell_.wait_for(held, std::clamp<std::chrono::nanoseconds>(next - options_.now(), 1ms, 1min));
        }
}

void ocsp_desk::schedule(entry_ptr const& e, instant when) {
    e->due_at = when;
    due_.emplace(when, e);
}

ocsp_desk::instant ocsp_desk::next_due() const {
    auto next = due_.empty() ? instant::max() : due_.begin()->first;
    for (auto const& j : staples_)
        if (!j->under_way) next = std::min(next, j->due);
    return next;
}

bool ocsp_desk::work_some(lock& held) {
    for (auto* queue : {&asks_, &again_})
        if (!queue->empty()) {
            auto const e = std::move(queue->front());
            queue->pop_front();
            if (e->under_way && (queue == &asks_) == e->urgent) answer(held, e);   // else: a newcomer was quicker
            return true;
        }
    auto const now = options_.now();
    if (!due_.empty() && due_.begin()->first <= now) {
        auto const e = due_.begin()->second.lock();
        auto const at = due_.begin()->first;
        due_.erase(due_.begin());
        if (e && e->due_at == at) look_again(e);
        return true;
    }
    for (auto const& j : staples_)
        if (!j->under_way && j->due <= now) return fetch(held, std::shared_ptr{j}), true;
    return false;
}

void ocsp_desk::look_again(entry_ptr const& e) {
    if (e->under_way) return;   // comes by again when that is settled
    auto const now = options_.now();
    if (e->connected()) {
        e->under_way = true;
        again_.push_back(e);
        return;
    }
    if (now < e->good_until) return schedule(e, e->good_until);
    by_age_.erase(e->age);
    table_.erase(e->key);
    count::ocsp_entries.add(-1);
}

void ocsp_desk::answer(lock& held, entry_ptr const& e) {
    if (paused(e->url)) return count::ocsp_paused.add(), settle(held, e, acl::ocsp_failure{"its responder does not answer", false}, false);
    auto const about = e->about;
    auto const rules = e->rules;
    held.unlock();
    auto const said = options_.ask(*about, e->url, rules->timeout, true);
    held.lock();
    settle(held, e, said, true);
}

void ocsp_desk::settle(lock& held, entry_ptr const& e, acl::ocsp_result<acl::ocsp_answer> const& said, bool asked) {
    auto const now = options_.now();
    bool const was_revoked = e->who->revoked();
    e->under_way = e->urgent = false;
    if (said) {
        count_of(said->is).add();
        note(e->url, true, {});
        learn(*e, *said);
        schedule(e, now + std::min(std::chrono::duration_cast<milliseconds>(e->good_until - now), spread(e->rules->refresh, e->key)));
    } else {
        if (asked) count::ocsp_silent.add(), note(e->url, said.error().reached, said.error().text);
        e->quiet_until = now + nonsense_pause;
        if (e->known && now >= e->good_until) e->known.reset();
        // Whoever is connected stays: silence is no news. It is asked for again.
        schedule(e, now + std::min<milliseconds>(e->rules->refresh, pause_most));
    }
    auto const told = e->known ? static_cast<word>(*e->known) : word::silent;
    auto const waiting = std::exchange(e->waiting, {});
    bool const news = !was_revoked && e->who->revoked() && e->connected();
    held.unlock();
    for (auto const& r : waiting) r(told);
    if (news) on_revoked_();
    held.lock();
}

void ocsp_desk::learn(entry& e, acl::ocsp_answer const& said) {
    using enum acl::ocsp_answer::verdict;
    auto const now = options_.now();
    auto const left = said.until ? std::chrono::seconds(std::max<std::int64_t>(said.until - ::time(nullptr), 1)) : std::chrono::duration_cast<std::chrono::seconds>(e.rules->refresh + 999ms);
    e.known = said.is;
    // What keeps somebody out is not kept longer than the time of asking again: a certificate on hold may come back.
    e.good_until = now + (said.is == good ? std::chrono::duration_cast<milliseconds>(left) : std::min<milliseconds>(left, e.rules->refresh));
    e.who->revoked_.store(said.is == revoked || (said.is == unknown && e.rules->policy == ocsp_policy::hard), std::memory_order_relaxed);
}

bool ocsp_desk::paused(std::string const& url) const {
    if (url.empty()) return true;   // nobody to ask
    auto const p = pauses_.find(url);
    return p != pauses_.end() && options_.now() < p->second.until;
}

void ocsp_desk::note(std::string const& url, bool reached, std::string_view why) {
    auto const known = pauses_.find(url);
    if (reached) {
        if (known != pauses_.end()) pauses_.erase(known), log::info("net", {{"responder", url}}, "the OCSP responder answers again");
        thread_local log::sparing lines{1};
        if (!why.empty() && lines.may(std::chrono::duration_cast<milliseconds>(options_.now().time_since_epoch()).count()))
            log::warn("net", {{"responder", url}}, "an OCSP answer is not believed: {}", why);
        return;
    }
    if (known == pauses_.end() && pauses_.size() >= responders_max) pauses_.clear();
    auto& p = pauses_[url];
    if (p.length == 0ms) log::warn("net", {{"responder", url}}, "the OCSP responder does not answer: {}", why);
    if (options_.now() < p.until) return;   // asked at the same time as one that failed
    p.length = p.length == 0ms ? pause_first : std::min(p.length * 2, pause_most);
    p.until = options_.now() + p.length;
}

void ocsp_desk::staple(std::shared_ptr<tls> const& of, ocsp_rules_ptr rules) {
    auto job = std::make_shared<staple_job>();
    job->of = of, job->rules = std::move(rules), job->due = options_.now(), job->failing = true;
    lock held{lock_};
    begin();
    staples_.push_back(std::move(job));
    count::staples_missing.add(1);
    bell_.notify_one();
}

void ocsp_desk::look_at_staples() {
    lock held{lock_};
    for (auto const& j : staples_) j->due = options_.now(), j->wait = staple_first, j->again = j->under_way;
    bell_.notify_all();
}

void ocsp_desk::fetch(lock& held, std::shared_ptr<staple_job> const& job) {
    auto const of = job->of.lock();
    if (!of) {
        if (job->failing) count::staples_missing.add(-1);
        std::erase(staples_, job);
        return;
    }
    job->under_way = true;
    held.unlock();
    auto const context = of->current();
    auto const about = context->own_question();
    auto const& url = about && !about->responder().empty() ? about->responder() : job->rules->responder;
    auto said = about ? options_.ask(*about, url, job->rules->timeout, false) : acl::ocsp_result<acl::ocsp_answer>{acl::ocsp_failure{"the listener has no certificate to ask about", false}};
    bool const good = said && said->is == acl::ocsp_answer::verdict::good;
    auto next = job->wait;
    if (good) {
        auto const left = said->until ? std::chrono::seconds(std::max<std::int64_t>(said->until - ::time(nullptr), 0)) : std::chrono::seconds(3600);
        context->staple(std::move(said->der), said->until);
        next = std::clamp<milliseconds>(left / 2, 1s, staple_refresh_most);
        count::staples_fetched.add();
    } else {
        count::staples_failed.add();
        if (said) log::error("net", {}, "its authority calls the server's own certificate {}", said->is == acl::ocsp_answer::verdict::revoked ? "revoked" : "unknown");
        else if (job->wait == staple_first) log::warn("net", {{"responder", url}}, "no answer to staple to the server's certificate: {}", said.error().text);
    }
    bool const missing = !context->stapled();   // one of before may still hold
    held.lock();
    if (missing != job->failing) count::staples_missing.add(missing ? 1 : -1), job->failing = missing;
    job->wait = good ? staple_first : std::min(job->wait * 2, staple_most);
    job->due = options_.now() + (std::exchange(job->again, false) ? 0ms : next);
    job->under_way = false;
}

}
