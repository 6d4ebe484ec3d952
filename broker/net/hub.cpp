#include "broker/net/hub.hpp"

#include "broker/net/connection.hpp"
#include "broker/net/counters.hpp"
#include "broker/net/newcomer.hpp"

#include <algorithm>

namespace airmail::net {

hub::hub(shard::shard& s, handlers::protocol& p, neighbours& n, turn_budget b)
    : shard_{s}, protocol_{p}, others_{n}, budget_{b} {
    ignore_sigpipe();
}

hub::~hub() {
    for (auto* c : all_) delete c;
    for (auto* n : newcomers_) delete n;
    for (auto& g : guests_) g->shut();
}

void hub::start() { shard_.at_turn_end([this] { end_of_turn(); }); }

void hub::adopt(std::unique_ptr<arrival> a) {
    auto* c = new connection{*this, *a};
    c->place_ = static_cast<std::uint32_t>(all_.size());
    all_.push_back(c);
    c->start(*a);
    if (goodbye_done_) c->close(goodbye_, "shutting down");
}

void hub::remove(connection& c) {
    all_[c.place_] = all_.back();
    all_[c.place_]->place_ = c.place_;
    all_.pop_back();
}

void hub::admit(newcomer& n) {
    n.place_ = newcomers_.size();
    newcomers_.push_back(&n);
    n.start();
}

void hub::ended(newcomer& n) {
    newcomers_[n.place_] = newcomers_.back();
    newcomers_[n.place_]->place_ = n.place_;
    newcomers_.pop_back();
    dead_newcomers_.push_back(&n);
    shard_.again();
}

void hub::admit(std::shared_ptr<guest> g) {
    g->place_ = guests_.size();
    guests_.push_back(std::move(g));
}

void hub::ended(guest& g) {
    auto const at = g.place_;
    dead_guests_.push_back(std::move(guests_[at]));
    if (at + 1 != guests_.size()) guests_[at] = std::move(guests_.back()), guests_[at]->place_ = at;
    guests_.pop_back();
    shard_.again();
}

bool hub::take_handshake_step() {
    if (handshake_steps_ == 0) return false;
    --handshake_steps_;
    return true;
}

void hub::handshake_began() {
    ++handshaking_;
    count::handshaking.add(1);
}

void hub::handshake_ended() {
    --handshaking_;
    count::handshaking.add(-1);
    for (auto& f : handshake_room_) f();
}

bool hub::may_log() {
    if (auto const second = shard_.now() / 1000; second != log_second_) log_second_ = second, log_tokens_ = 20;
    return log_tokens_ > 0 && log_tokens_--;
}

void hub::end_of_turn() {
    again_now_.swap(again_);
    for (auto* c : again_now_) {
        c->again_ = false;
        c->read_again();
    }
    again_now_.clear();
    if (goodbye_done_) close_some();
    if (unchecked_) cut_some();
    // gone() publishes wills, so it comes before the writes. What a write ends is told here too, up to a few rounds: the
    // rest has the next turn.
    for (int round = 0; round < 4 && !(ended_.empty() && dirty_.empty()); ++round) {
        say_gone();
        // By index: nobody appends while flushing, but a flush may end its connection.
        for (std::size_t i = 0; i < dirty_.size(); ++i) {
            auto* c = dirty_[i];
            c->dirty_ = false;
            c->flush();
        }
        dirty_.clear();
    }
    if (!ended_.empty() || !dirty_.empty()) shard_.again();
    bury();
    if (goodbye_done_ && all_.empty() && newcomers_.empty() && guests_.empty()) std::exchange(goodbye_done_, nullptr)();
    handshake_steps_ = budget_.handshake_steps;
    // A flood to peers that do not read takes hundreds of megabytes a second: a quarter of a second is too long to wait.
    constexpr shard::instant look_every_ms = 5;
    if (std::exchange(held_back_, false) && others_.look_at_memory && shard_.now() - memory_looked_at_ >= look_every_ms)
        memory_looked_at_ = shard_.now(), others_.look_at_memory(shard_);
}

void hub::say_gone() {
    for (std::size_t i = 0; i < ended_.size(); ++i) {
        auto* c = ended_[i];
        c->ending_ = false;
        if (!c->gone_) {
            c->gone_ = true;
            protocol_.gone(*c);
            c->session = nullptr;
        }
        if (c->state_ == connection::state::dead) dead_.push_back(c);
    }
    ended_.clear();
}

void hub::bury() {
    // A dead connection that gone() of another wrote to is still in dirty_ only if rounds ran out; it stays until then.
    std::size_t kept = 0;
    for (auto* c : dead_) {
        if (c->dirty_ || c->again_) {
            dead_[kept++] = c;
            continue;
        }
        remove(*c);
        delete c;
    }
    dead_.resize(kept);
    for (auto* n : dead_newcomers_) delete n;
    dead_newcomers_.clear();
    // Moved out first: what dies may end others.
    std::exchange(dead_guests_, {}).clear();
}

void hub::shed() {
    constexpr std::size_t worth_it = 16 * 1024;
    std::vector<connection*> large;
    std::size_t waiting = 0, freed = 0;
    for (auto* c : all_)
        if (c->alive() && c->out_bytes() >= worth_it) large.push_back(c), waiting += c->out_bytes();
    std::ranges::sort(large, {}, [](connection* c) { return -static_cast<std::int64_t>(c->out_bytes()); });
    for (auto* c : large) {
        if (freed * 2 >= waiting) break;
        freed += c->out_bytes();
        c->end(errc::memory);
    }
    protocol_.shed();
}

void hub::close_all(codec::reason why, std::function<void()> done) {
    goodbye_ = why;
    goodbye_done_ = std::move(done);
    shard_.again();
}

void hub::cut_revoked() {
    unchecked_ = all_.size();
    shard_.again();
}

void hub::cut_some() {
    constexpr int each_turn = 2000;
    // From the back: who leaves is replaced by the last, who has been looked at already.
    unchecked_ = std::min(unchecked_, all_.size());
    for (int n = 0; n < each_turn && unchecked_; ++n) {
        auto* c = all_[--unchecked_];
        if (!c->alive() || !c->revoked()) continue;
        count::cut_revoked.add();
        protocol_.revoked(*c);
    }
    if (unchecked_) shard_.again();
}

void hub::close_some() {
    constexpr int each_turn = 500;  // farewells are writes: paced, so that drains do not stop the loop
    int closed = 0;
    for (std::size_t i = 0; i < all_.size() && closed < each_turn; ++i)
        if (all_[i]->alive()) all_[i]->close(goodbye_, "shutting down"), ++closed;
    for (auto* n : std::vector{newcomers_}) n->drop(errc::shutting_down);
    for (auto& g : std::vector{guests_}) g->goodbye();
    if (closed) shard_.again();
}

}
