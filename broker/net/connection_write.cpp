// Writing: what handlers append during a turn leaves at its end, in one write.

#include "broker/log/log.hpp"
#include "broker/net/connection.hpp"
#include "broker/net/counters.hpp"

namespace airmail::net {
namespace {
/// So much may gather within one turn before it is written early: a fan-out storm must not become memory.
constexpr std::size_t early_flush_bytes = 64 * 1024;
}

bytes& connection::out() {
    if (!alive()) return hub_.nowhere();
    if (auto const waiting = queue_.bytes_waiting(); waiting >= early_flush_bytes) {
        if (!blocked_) flush();
        if (!alive()) return hub_.nowhere();
        if (queue_.bytes_waiting() > rules().output_cut_bytes) return end(errc::output_overflow), hub_.nowhere();
    }
    if (!dirty_) dirty_ = true, hub_.dirty(*this);
    count::packets_out.add();  // handlers ask for the buffer once a packet
    return queue_.tail(hub_.pool());
}

void connection::out_shared(byte_view head, storage::message_ptr body) {
    auto& buffer = out();
    if (!alive()) return;
    (void)buffer;
    queue_.append_shared(head, std::move(body), hub_.pool());
}

void connection::flush() {
    if (state_ == state::dead || state_ == state::lingering) return;
    if (blocked_) {
        hub_.held_back();
        // Nothing can leave; but what gathered meanwhile may be too much.
        if (alive() && queue_.bytes_waiting() > rules().output_cut_bytes) end(errc::output_overflow);
        return;
    }
    look_for_connack();
    unsigned writes = 0;
    auto const r = queue_.flush(wire_, hub_.pool(), hub_.record(), writes);
    count::writes.add(writes);
    count::bytes_out.add(r.bytes);
    if (r.what == step_result::failed || r.what == step_result::end) return end(errc::socket_failed);
    if (r.what != step_result::done) {
        auto const now = hub_.shard().now();
        // The clock of a stalled peer starts when it first takes nothing, and again whenever it took something.
        if (r.bytes || !(watching_ & EPOLLOUT)) progress_at_ = now;
        blocked_ = true;
        hub_.held_back();
        count::blocked.add();
        watch();
        if (state_ == state::running) {
            auto const limit = progress_at_ + from_->limits.stalled_writer;
            if (!clock_.armed() || clock_.due() > limit) hub_.shard().timers().arm(clock_, limit);
            if (queue_.bytes_waiting() > rules().output_cut_bytes) end(errc::output_overflow);
        }
        return;
    }
    if (watching_ & EPOLLOUT) watch();
    if (state_ == state::closing) finish();
}

void connection::look_for_connack() {
    if (state_ != state::login) return;
    auto const front = queue_.front();
    if (!proving_ && !front.empty() && front[0] == 0xF0) {
        proving_ = true;
        watch();
        if ((!inbox_.empty() || wire_.has_pending()) && !again_) again_ = true, hub_.read_again(*this);
        return;
    }
    // The first packet to a client, AUTH apart, is its CONNACK: one byte of type, up to four of length, flags, reason code.
    if (front.size() < 4 || front[0] != 0x20) return;
    std::size_t at = 1;
    while (at < 5 && (front[at] & 0x80)) ++at;
    if (at + 2 >= front.size() || front[at + 2] != 0) return;
    logged_in();
}

void connection::watch() {
    std::uint32_t events = 0;
    if (listens() || state_ == state::lingering) events |= EPOLLIN;
    if (blocked_) events |= EPOLLOUT;
    if (events == watching_) return;
    watching_ = events;
    if (auto* t = wire_.mail()) return t->watch(this, events);
    hub_.sockets().change(wire_.fd(), *this, events);
}

bool connection::begin_watching() {
    if (auto* t = wire_.mail()) return t->watch(this, 0), true;
    return hub_.sockets().add(wire_.fd(), *this, 0);
}

void connection::finish() {
    wire_.finish();
    state_ = state::lingering;
    hub_.shard().timers().arm_in(clock_, 2000);
    watch();
}

}
