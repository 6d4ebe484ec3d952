#include "storage/reads/reads.hpp"

#include "storage/reads/ledgers.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <pthread.h>
#include <utility>

namespace airmail::storage::reads {

namespace {
constexpr std::size_t batch_max = 500;
}

reads::reads(reads_options o)
    : options_(std::move(o)), memory_(options_.fresh, options_.remembered),
      remembers_(std::find(options_.order.begin(), options_.order.end(), place::memory) != options_.order.end() && options_.fresh.count() > 0) {
    for (auto const p : options_.order) {
        if (p == place::sqlite) steps_.push_back({p, std::make_unique<sqlite_source>(options_.database)});
        if (p == place::postgres && options_.postgres) steps_.push_back({p, std::make_unique<postgres_source>(*options_.postgres, options_.timeout)});
        if (p == place::redis && options_.redis) {
            auto r = std::make_unique<redis_source>(*options_.redis, options_.timeout);
            redis_ = r.get();
            steps_.push_back({p, std::move(r)});
        }
    }
}

reads::~reads() { stop(); }

void reads::start() {
    for (auto const& s : steps_) asio::co_spawn(loop_, s.from->keep(), asio::detached);
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "airmail-reads");
        loop_.run();
    });
}

void reads::stop() {
    if (thread_.joinable()) loop_.stop(), thread_.join();
    std::vector<question> left;
    {
        std::lock_guard hold(mutex_);
        stopped_ = true;
        left.swap(waiting_);
    }
    for (auto& q : left) q.done({answer::kind::unreachable, {}, {}, "the broker is stopping"});
}

void reads::ask(subject about, std::string id, answered done) {
    ++total_;
    question q;
    q.about = about, q.id = std::move(id);
    if (remembers_) {
        auto& c = counters_[static_cast<std::size_t>(place::memory)];
        ++c.asked;
        if (std::string json; memory_.find(q.key(), memory::clock::now(), json)) {
            ++c.answered;
            return done({answer::kind::known, std::move(json), place::memory, {}});
        }
    }
    q.done = std::move(done);
    auto refuse = answer::kind::known;
    {
        std::lock_guard hold(mutex_);
        if (stopped_) refuse = answer::kind::unreachable;
        else if (waiting_.size() >= options_.waiting_max) refuse = answer::kind::busy;
        else {
            waiting_.push_back(std::move(q));
            if (!std::exchange(serving_, true)) asio::co_spawn(loop_, serve(), asio::detached);
        }
    }
    if (refuse == answer::kind::known) return;
    ++refused_;
    q.done({refuse, {}, {}, refuse == answer::kind::busy ? "too many questions wait" : "the broker is stopping"});
}

asio::awaitable<void> reads::serve() {
    for (;;) {
        std::vector<question> batch;
        {
            std::lock_guard hold(mutex_);
            auto const n = std::min(waiting_.size(), batch_max);
            if (n == 0) {
                serving_ = false;
                co_return;
            }
            batch.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(n)));
            waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
        }
        co_await answer_all(batch);
    }
}

asio::awaitable<void> reads::answer_all(std::vector<question>& batch) {
    std::string why;                          // of the last source, when it could not say
    for (auto const& s : steps_) {
        std::vector<question*> open;
        for (auto& q : batch)
            if (q.json.empty()) open.push_back(&q);
        if (open.empty()) break;
        auto& c = counters_[static_cast<std::size_t>(s.where)];
        if (!s.from->there()) {
            c.failed += open.size();
            why = std::string(name_of(s.where)) + ": " + s.from->trouble();
            continue;
        }
        c.asked += open.size();
        try {
            why = co_await s.from->find(open);
        } catch (std::exception const& e) { why = e.what(); }
        auto const n = std::count_if(open.begin(), open.end(), [](auto const* q) { return !q->json.empty(); });
        c.answered += static_cast<std::uint64_t>(n);
        if (!why.empty()) c.failed += open.size() - static_cast<std::size_t>(n), why = std::string(name_of(s.where)) + ": " + why;
    }
    for (auto& q : batch) give(q, why.empty(), why);
    // Whoever asked has his answer; Redis gets what it lacked.
    std::vector<question*> back;
    for (auto& q : batch)
        if (q.missed && !q.json.empty() && q.from != place::redis) back.push_back(&q);
    if (!redis_ || !redis_->there() || back.empty()) co_return;
    try {
        co_await redis_->refill(back);        // what it says of trouble it has said in degraded()
    } catch (std::exception const& e) { redis_->lose(e.what()); }   // serve() goes on: others wait behind it
}

void reads::give(question& q, bool sure, std::string const& why) {
    auto const done = std::move(q.done);
    if (q.json.empty()) return done({sure ? answer::kind::unknown : answer::kind::unreachable, {}, {}, why});
    if (remembers_) memory_.keep(q.key(), q.json, memory::clock::now());
    done({answer::kind::known, q.json, q.from, {}});
}

std::string reads::degraded() const {
    std::string out;
    for (auto const& s : steps_)
        if (auto why = s.from->trouble(); !why.empty()) out += "reads from " + std::string(name_of(s.where)) + ": " + why + "\n";
    return out;
}

}
