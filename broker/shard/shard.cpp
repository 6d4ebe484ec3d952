#include "broker/shard/shard.hpp"

#include "broker/log/metrics.hpp"
#include "broker/shard/mailbox.hpp"

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cassert>
#include <chrono>
#include <deque>
#include <unistd.h>

namespace airmail::shard {
namespace {

/// Asio handlers in one turn.
constexpr int handlers_max = 256;

using clock = std::chrono::steady_clock;
auto const process_start = clock::now();

metrics::counter turns{"airmail_shard_turns_total", "Turns of all shard loops."};
metrics::counter mail{"airmail_shard_mail_total", "Tasks that shards sent to one another."};
metrics::counter external_mail{"airmail_shard_external_mail_total", "Tasks that other threads sent to shards."};
metrics::counter overflowed{"airmail_shard_mail_overflowed_total", "Tasks that found the ring full and waited with the sender."};
metrics::gauge overflow_tasks{"airmail_shard_mail_overflow_tasks", "Tasks waiting with senders because a ring is full."};
metrics::counter congestions{"airmail_shard_congested_total", "Times a shard stopped reading publishers because its mail waits."};
metrics::counter external_floods{"airmail_shard_external_over_bound_total", "Tasks from other threads beyond the expected bound."};
metrics::counter heap_tasks{"airmail_shard_tasks_heap_total", "Tasks whose captures did not fit inline."};

instant read_clock() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - process_start).count();
}

class shard_on_asio;

/// What the shards of one broker share: who they are, and the ring of every pair.
struct neighbourhood {
    shard_options options;
    std::vector<shard_on_asio*> shards;
    std::vector<std::unique_ptr<ring>> rings;  // [from * count + to]; null on the diagonal
};

class shard_on_asio final : public shard {
public:
    shard_on_asio(unsigned index, std::shared_ptr<neighbourhood> all)
        : index_{index}, all_{std::move(all)}, timers_{read_clock(), all_->options.tick_ms},
          bell_wait_{io_, ::dup(bell_.fd())}, overflow_(all_->shards.size()), ring_later_(all_->shards.size()) {}

    unsigned index() const override { return index_; }
    unsigned count() const override { return static_cast<unsigned>(all_->shards.size()); }
    boost::asio::io_context& io() override { return io_; }
    instant now() const override {
        // Sleeping and handling happen in one call of Asio, so the first handler after a sleep reads the clock.
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

    void run() override;
    void stop() override {
        stopping_.store(true);
        bell_.ring();
    }

private:
    void turn();
    void sleep_or_poll();
    void wait_for_bell();
    void drain_mail();
    void retry_overflow();

    unsigned const index_;
    std::shared_ptr<neighbourhood> all_;
    boost::asio::io_context io_{1};
    timer_wheel timers_;
    doorbell bell_;
    boost::asio::posix::stream_descriptor bell_wait_;
    external_queue external_;
    std::vector<task> to_self_, to_self_running_;
    std::vector<std::deque<task>> overflow_;  // by receiver
    std::size_t overflow_size_ = 0;
    std::vector<std::uint8_t> ring_later_;    // receivers that got mail this turn
    std::vector<std::function<void()>> hooks_;
    mutable instant now_ = 0;
    mutable bool now_stale_ = true;
    bool again_ = false, congested_ = false;
    std::atomic<bool> stopping_{false};
    std::array<std::uint8_t, 64 * 1024> read_buffer_;
};

void shard_on_asio::post(unsigned to, task t) {
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

void shard_on_asio::post_external(task t) {
    assert(t);
    external_mail.add();
    if (external_.size() >= all_->options.external_tasks) external_floods.add();
    if (external_.push(std::move(t))) bell_.ring();
}

void shard_on_asio::run() {
    auto guard = boost::asio::make_work_guard(io_);
    wait_for_bell();
    while (!stopping_.load(std::memory_order_relaxed)) turn();
}

void shard_on_asio::turn() {
    sleep_or_poll();
    bell_.wake();
    turns.add();
    now_stale_ = true;
    // Bounded: a handler that waits anew for what is ready already must not keep mail and timers from their turn.
    int handlers = 0;
    while (handlers < handlers_max && io_.poll_one()) ++handlers;
    if (handlers == handlers_max) again_ = true;
    drain_mail();
    timers_.advance(now());
    // By index: a hook may add a hook.
    for (std::size_t i = 0; i < hooks_.size(); ++i) hooks_[i]();
    retry_overflow();
    for (unsigned to = 0; to < ring_later_.size(); ++to)
        if (std::exchange(ring_later_[to], 0)) all_->shards[to]->bell_.ring();
}

void shard_on_asio::sleep_or_poll() {
    bool const busy = std::exchange(again_, false) || !to_self_.empty();
    if (busy || !bell_.sleep()) return;
    now_stale_ = true;
    instant wake = timers_.next_wake();
    // The receiver of what overflowed does not ring when it has made room; look again soon.
    if (overflow_size_) wake = std::min(wake, read_clock() + 1);
    if (wake == timer_wheel::never) io_.run_one();
    else io_.run_one_until(process_start + std::chrono::milliseconds(wake));
}

void shard_on_asio::wait_for_bell() {
    bell_wait_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](boost::system::error_code ec) {
        if (ec) return;
        std::uint64_t count;
        [[maybe_unused]] auto n = ::read(bell_.fd(), &count, sizeof count);
        wait_for_bell();
    });
}

void shard_on_asio::drain_mail() {
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

void shard_on_asio::retry_overflow() {
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
        auto s = std::make_unique<shard_on_asio>(i, all);
        all->shards[i] = s.get();
        out.push_back(std::move(s));
    }
    return out;
}

}
