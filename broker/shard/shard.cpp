#include "broker/shard/shard.hpp"

#include "broker/log/metrics.hpp"
#include "broker/shard/asio_side.hpp"
#include "broker/shard/folding.hpp"
#include "broker/shard/mailbox.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <climits>
#include <deque>
#include <optional>
#include <poll.h>
#include <system_error>

namespace airmail::shard {
namespace {

using clock = std::chrono::steady_clock;
auto const process_start = clock::now();

metrics::counter turns{"airmail_shard_turns_total", "Turns of all shard loops."};
metrics::counter borrowed{"airmail_shard_borrowed_total", "Passes that a shard ran for a sleeping neighbour instead of waking it."};
metrics::counter mail{"airmail_shard_mail_total", "Tasks that shards sent to one another."};
metrics::counter external_mail{"airmail_shard_external_mail_total", "Tasks that other threads sent to shards."};
metrics::counter overflowed{"airmail_shard_mail_overflowed_total", "Tasks that found the ring full and waited with the sender."};
metrics::gauge overflow_tasks{"airmail_shard_mail_overflow_tasks", "Tasks waiting with senders because a ring is full."};
metrics::counter congestions{"airmail_shard_congested_total", "Times a shard stopped reading publishers because its mail waits."};
metrics::counter external_floods{"airmail_shard_external_over_bound_total", "Tasks from other threads beyond the expected bound."};
metrics::counter heap_tasks{"airmail_shard_tasks_heap_total", "Tasks whose captures did not fit inline."};

instant since_start(clock::time_point t) { return std::chrono::duration_cast<std::chrono::milliseconds>(t - process_start).count(); }
instant read_clock() { return since_start(clock::now()); }

class shard_on_epoll;

/// A pass for a neighbour that takes longer than this had better been done by two threads at once: then it is woken for its
/// next `woken_next` pieces of mail.
constexpr auto pass_long = std::chrono::microseconds(100);
constexpr unsigned woken_next = 8;

/// What the shards of one broker share: who they are, and the ring of every pair.
struct neighbourhood {
    shard_options options;
    std::vector<shard_on_epoll*> shards;
    std::vector<std::unique_ptr<ring>> rings;  // [from * count + to]; null on the diagonal
    std::unique_ptr<folding> fold;             // null: one shard, or switched off
};

class shard_on_epoll final : public shard {
public:
    shard_on_epoll(unsigned index, std::shared_ptr<neighbourhood> all)
        : index_{index}, all_{std::move(all)}, timers_{read_clock(), all_->options.tick_ms}, overflow_(all_->shards.size()),
          ring_later_(all_->shards.size()), wake_next_(all_->shards.size()) {
        // Edge-triggered: each ring is seen once and the counter never has to be read.
        if (!sockets_.add(bell_.fd(), awoken_, EPOLLIN | EPOLLET)) throw std::system_error(errno, std::system_category(), "epoll_ctl");
    }

    unsigned index() const override { return index_; }
    unsigned count() const override { return static_cast<unsigned>(all_->shards.size()); }
    poll_set& sockets() override { return sockets_; }
    boost::asio::io_context& io() override {
        if (!asio_) asio_ = std::make_unique<asio_side>(sockets_.fd());
        return asio_->io();
    }
    instant now() const override {
        // Asio sleeps and handles in one call, so the first question after a sleep reads the clock.
        if (now_stale_) now_ = read_clock(), now_stale_ = false;
        return now_;
    }
    timer_wheel& timers() override { return timers_; }
    std::span<std::uint8_t> read_buffer() override { return read_buffer_; }

    void post(unsigned to, task t) override;
    void post_external(task t) override;
    bool congested() const override { return congested_; }

    void at_turn_end(std::function<void()> hook) override { hooks_.push_back(std::move(hook)); }
    void again() override { again_ = true; }

    /// Shard 0 before any runs: its thread may keep watch for `other`, when that one asks for it.
    void keep_watch_for(shard_on_epoll& other) {
        if (!sockets_.add(other.sockets_.fd(), other.watched_, 0)) throw std::system_error(errno, std::system_category(), "epoll_ctl");
    }

    void run() override;
    void stop() override {
        stopping_.store(true);
        bell_.ring();
    }

private:
    void turn();
    void work();
    void call(shard_on_epoll& neighbour);
    void call_neighbours();
    void run_for_neighbour(shard_on_epoll& neighbour);
    void serve_for_neighbour();
    void ask_for_watch(bool wanted);
    void ring_others();
    /// How it sleeps, decided while it is awake.
    struct bed {
        instant until;
        bool congested, with_asio, lent, folded;
    };
    void sleep(bed const& b, bool sleeps);
    void drain_mail();
    void retry_overflow();

    unsigned const index_;
    std::shared_ptr<neighbourhood> all_;
    /// Being awake is all that the bell asks for.
    struct alarm final : watcher {
        void ready(std::uint32_t) override {}
    } awoken_;
    /// In the set of shard 0, which keeps watch: something of ours is ready.
    struct watched final : watcher {
        explicit watched(shard_on_epoll& of) : of_{of} {}
        void ready(std::uint32_t) override { of_.serve_for_neighbour(); }
        shard_on_epoll& of_;
    } watched_{*this};
    bool watch_asked_ = false;
    timer_wheel timers_;
    doorbell bell_;
    poll_set sockets_;
    std::unique_ptr<asio_side> asio_;  // null until somebody asks for io()
    external_queue external_;
    std::vector<task> to_self_, to_self_running_;
    std::vector<std::deque<task>> overflow_;  // by receiver
    std::size_t overflow_size_ = 0;
    std::vector<std::uint8_t> ring_later_;    // receivers that got mail this turn
    std::vector<unsigned> wake_next_;         // neighbours that are woken so many times before they are run here again
    instant wake_at_ = 0;                     // how long it sleeps, if nobody calls
    std::vector<std::function<void()>> hooks_;
    mutable instant now_ = 0;
    mutable bool now_stale_ = true;
    bool again_ = false, congested_ = false;
    std::atomic<bool> stopping_{false};
    std::array<std::uint8_t, 64 * 1024> read_buffer_;
};

void shard_on_epoll::post(unsigned to, task t) {
    assert(to < count() && t);
    if (to == index_) {
        to_self_.push_back(std::move(t));
        again_ = true;
        return;
    }
    mail.add();
    ring_later_[to] = 1;
    // Behind what already waits: order between two shards is a promise.
    if (overflow_[to].empty() && all_->rings[index_ * count() + to]->push(t)) return;
    overflow_[to].push_back(std::move(t));
    overflowed.add();
    overflow_tasks.add(1);
    if (++overflow_size_ > all_->options.overflow_tasks && !congested_) congested_ = true, congestions.add();
}

void shard_on_epoll::post_external(task t) {
    assert(t);
    external_mail.add();
    if (external_.size() >= all_->options.external_tasks) external_floods.add();
    if (external_.push(std::move(t))) bell_.ring();
}

void shard_on_epoll::run() {
    auto* const fold = all_->fold.get();
    if (fold && index_ == 0) fold->open();
    while (!stopping_.load(std::memory_order_relaxed)) turn();
    if (fold && index_ == 0) fold->close(), ring_others();
    ask_for_watch(false);
}

void shard_on_epoll::turn() {
    bool const busy = std::exchange(again_, false) || !to_self_.empty();
    wake_at_ = timers_.next_wake();
    // The receiver of what overflowed does not ring when it has made room; look again soon.
    if (overflow_size_) wake_at_ = std::min(wake_at_, read_clock() + 1);
    sockets_.before_wait();
    // Asio runs its handlers before we know that we are awake: then nobody may run us meanwhile.
    bool const lent = !asio_ && overflow_size_ == 0;
    bed const b{wake_at_, congested_, asio_ != nullptr, lent, lent && !congested_ && index_ != 0 && all_->fold && all_->fold->folded()};
    ask_for_watch(b.folded);
    // Order matters: work is looked for after the bell says "asleep", so whoever comes later rings. And from there until
    // wake() nothing of ours is ours.
    bool const sleeps = !busy && bell_.sleep(b.lent, b.folded);
    sleep(b, sleeps);
    // Awake before anything is served: who posts from here on need not write to the bell.
    bell_.wake();
    auto const woke = clock::now();
    now_ = since_start(woke), now_stale_ = false;
    if (!congested_) sockets_.serve();
    if (asio_ && asio_->poll()) again_ = true;
    // Once more: what rang until now is looked at now, and needs no turn of its own.
    bell_.wake();
    work();
    call_neighbours();
    if (!all_->fold) return;
    auto const end = clock::now();
    // A congested shard sleeps because it has too much to do.
    auto const asleep_yet_busy = congested_ ? std::chrono::milliseconds(1) : std::chrono::milliseconds(0);
    if (all_->fold->spent(index_, end - woke + asleep_yet_busy, end)) ring_others();
}

void shard_on_epoll::ring_others() {
    for (auto* s : all_->shards)
        if (s != this) s->bell_.ring();
}

void shard_on_epoll::ask_for_watch(bool wanted) {
    if (std::exchange(watch_asked_, wanted) == wanted) return;
    all_->shards[0]->sockets_.change(sockets_.fd(), watched_, wanted ? std::uint32_t{EPOLLIN} : 0U);
}

void shard_on_epoll::work() {
    turns.add();
    drain_mail();
    timers_.advance(now());
    // By index: a hook may add a hook.
    for (std::size_t i = 0; i < hooks_.size(); ++i) hooks_[i]();
    retry_overflow();
}

void shard_on_epoll::call_neighbours() {
    // What a neighbour's pass has for a third is called in the next round, which may be the last: then the rest is woken.
    constexpr int rounds = 3;
    for (int round = 0; round < rounds; ++round) {
        bool called = false;
        for (unsigned to = 0; to < ring_later_.size(); ++to)
            if (std::exchange(ring_later_[to], 0)) call(*all_->shards[to]), called = true;
        if (!called) return;
    }
    for (unsigned to = 0; to < ring_later_.size(); ++to)
        if (std::exchange(ring_later_[to], 0)) all_->shards[to]->bell_.ring();
}

void shard_on_epoll::call(shard_on_epoll& neighbour) {
    auto& wake_next = wake_next_[neighbour.index_];
    // Who is folded into this thread has no other that would be quicker.
    if (index_ == 0 && all_->fold && all_->fold->folded()) wake_next = 0;
    if (wake_next > 0) --wake_next;
    else if (neighbour.bell_.borrow()) {
        auto const began = clock::now();
        neighbour.run_for_neighbour(*this);
        if (clock::now() - began > pass_long) wake_next = woken_next;
        return;
    }
    neighbour.bell_.ring();
}

void shard_on_epoll::serve_for_neighbour() {
    // It may have woken in the meantime, or even sleep again on its sockets: then it serves them itself.
    if (!bell_.borrow()) return;
    if (!bell_.alone()) return bell_.give_back(false);
    sockets_.before_wait();
    sockets_.wait(0);
    now_stale_ = true;
    sockets_.serve();
    run_for_neighbour(*all_->shards[0]);
}

void shard_on_epoll::run_for_neighbour(shard_on_epoll& neighbour) {
    borrowed.add();
    now_stale_ = true;
    work();
    // Mail for the one that runs us is looked at in its turn; for the others it calls.
    for (unsigned to = 0; to < ring_later_.size(); ++to)
        if (std::exchange(ring_later_[to], 0)) {
            if (to == neighbour.index_) neighbour.bell_.ring();
            else neighbour.ring_later_[to] = 1;
        }
    bell_.give_back(again_ || !to_self_.empty() || overflow_size_ > 0 || asio_ || timers_.next_wake() < wake_at_);
}

void shard_on_epoll::sleep(bed const& b, bool sleeps) {
    // Publishers are not read, and their sockets stay ready: the set would not let us sleep.
    if (b.congested) return sleeps ? void(::poll(nullptr, 0, 1)) : void();
    if (b.with_asio && sleeps) {
        now_stale_ = true;
        asio_->sleep(b.until == timer_wheel::never ? std::nullopt : std::optional{process_start + std::chrono::milliseconds(b.until)});
        sleeps = false;
    }
    if (!sleeps) return sockets_.wait(0);
    int const ms = b.until == timer_wheel::never ? -1 : static_cast<int>(std::clamp<instant>(b.until - read_clock(), 0, INT_MAX));
    b.folded ? bell_.sleep_alone(ms) : sockets_.wait(ms);
}

void shard_on_epoll::drain_mail() {
    for (unsigned from = 0; from < count(); ++from)
        if (from != index_) all_->rings[from * count() + index_]->drain();
    external_.drain();
    // Mail to oneself runs this turn; what that posts to itself runs in the next, so a loop of mail cannot hold the turn.
    to_self_.swap(to_self_running_);
    for (auto& t : to_self_running_) {
        t();
        t = task{};
    }
    to_self_running_.clear();
}

void shard_on_epoll::retry_overflow() {
    if (!overflow_size_) return;
    for (unsigned to = 0; to < overflow_.size(); ++to) {
        auto& waiting = overflow_[to];
        while (!waiting.empty() && all_->rings[index_ * count() + to]->push(waiting.front())) {
            waiting.pop_front();
            --overflow_size_;
            overflow_tasks.add(-1);
            ring_later_[to] = 1;
        }
    }
    if (congested_ && overflow_size_ <= all_->options.overflow_tasks / 2) congested_ = false;
}

}

void detail::count_heap_task() noexcept { heap_tasks.add(); }

std::vector<std::unique_ptr<shard>> make_shards(unsigned count, shard_options const& options) {
    assert(count >= 1 && count <= 64);
    auto all = std::make_shared<neighbourhood>();
    all->options = options;
    all->shards.resize(count);
    for (unsigned from = 0; from < count; ++from)
        for (unsigned to = 0; to < count; ++to)
            all->rings.push_back(from == to ? nullptr : std::make_unique<ring>(options.ring_tasks));
    std::vector<std::unique_ptr<shard>> out;
    for (unsigned i = 0; i < count; ++i) {
        auto s = std::make_unique<shard_on_epoll>(i, all);
        all->shards[i] = s.get();
        out.push_back(std::move(s));
    }
    if (count > 1 && options.fold_below > 0) {
        all->fold = std::make_unique<folding>(count, options.fold_below, options.unfold_above, std::chrono::milliseconds(options.fold_window_ms));
        for (unsigned i = 1; i < count; ++i) all->shards[0]->keep_watch_for(*all->shards[i]);
    }
    return out;
}

}
