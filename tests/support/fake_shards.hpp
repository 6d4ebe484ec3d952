#pragma once
// N shards on one thread: mail waits in a queue per pair, as the rings do, and is taken in an order drawn from a seed, so that
// a test meets the interleavings that real threads would.

#include "broker/shard/shard.hpp"
#include "broker/shard/task.hpp"
#include "broker/shard/timer_wheel.hpp"
#include "tests/support/fake_clock.hpp"

#include <boost/asio/io_context.hpp>
#include <deque>
#include <random>

namespace airmail::test {

class fake_shards {
public:
    fake_shards(unsigned n, fake_clock& c, unsigned seed = 1) : clock_{c}, random_{seed} {
        for (unsigned i = 0; i < n; ++i) shards_.push_back(std::make_unique<one>(*this, i));
        mail_.resize(std::size_t{n} * (n + 1));
    }
    shard::shard& operator[](unsigned i) { return *shards_[i]; }
    unsigned size() const { return static_cast<unsigned>(shards_.size()); }

    /// Delivers mail and runs ends of turns until nothing is left. False when there was nothing at all.
    bool settle() {
        bool any = false;
        for (unsigned round = 0; round < 1'000'000; ++round) {
            std::vector<std::size_t> full;
            for (std::size_t i = 0; i < mail_.size(); ++i)
                if (!mail_[i].empty()) full.push_back(i);
            if (full.empty()) {
                bool again = false;
                for (auto& s : shards_) again |= s->turn();
                bool mail = false;
                for (auto const& m : mail_) mail |= !m.empty();
                if (!again && !mail) return any;
                any = true;
                continue;
            }
            any = true;
            auto& q = mail_[full[random_() % full.size()]];
            auto t = std::move(q.front());
            q.pop_front();
            t();
        }
        return any;
    }
    void advance_timers() {
        for (auto& s : shards_) s->wheel.advance(clock_.ms);
    }

private:
    struct one final : shard::shard {
        one(fake_shards& o, unsigned i) : of{o}, me{i}, wheel{o.clock_.ms, 10} {}
        unsigned index() const override { return me; }
        unsigned count() const override { return of.size(); }
        airmail::shard::poll_set& sockets() override { return set; }
        boost::asio::io_context& io() override { return context; }
        airmail::shard::instant now() const override { return of.clock_.ms; }
        airmail::shard::timer_wheel& timers() override { return wheel; }
        std::span<std::uint8_t> read_buffer() override { return {}; }
        void post(unsigned to, airmail::shard::task t) override { of.mail_[std::size_t{me} * of.size() + to].push_back(std::move(t)); }
        void post_external(airmail::shard::task t) override { of.mail_[std::size_t{of.size()} * of.size() + me].push_back(std::move(t)); }
        bool congested() const override { return false; }
        void at_turn_end(std::function<void()> hook) override { hooks.push_back(std::move(hook)); }
        void again() override { wants = true; }
        void run() override {}
        void stop() override {}
        bool turn() {
            wants = false;
            for (auto& h : hooks) h();
            return wants;
        }
        fake_shards& of;
        unsigned me;
        bool wants = false;
        boost::asio::io_context context{1};
        airmail::shard::poll_set set;  // nobody waits on it
        airmail::shard::timer_wheel wheel;
        std::vector<std::function<void()>> hooks;
    };

    fake_clock& clock_;
    std::mt19937 random_;
    std::vector<std::unique_ptr<one>> shards_;
    std::vector<std::deque<shard::task>> mail_;   // [from * n + to]; the last n are from outside
};

}
