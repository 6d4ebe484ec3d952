#include "broker/net/tunnel.hpp"

#include <algorithm>
#include <cstring>

namespace airmail::net {

void near_end::wake(std::uint32_t events) {
    if (owner_ && (events_ & events)) owner_->ready(events_ & events);
}

void near_end::deliver(bytes b) {
    if (finished_ || !owner_) return consumed(b.size());
    in_.push_back(std::move(b));
    wake(EPOLLIN);
}

void near_end::taken(std::size_t n) {
    under_way_ -= std::min(n, under_way_);
    if (under_way_ < tunnel::window_bytes) wake(EPOLLOUT);
}

void near_end::ended() {
    ended_ = true;
    if (!owner_) return;
    // Like a socket that is closed both ways: told even to a connection that does not read just now.
    owner_->ready(events_ & EPOLLIN ? EPOLLIN : EPOLLHUP);
}

void near_end::consumed(std::size_t n) {
    uncredited_ += n;
    if (uncredited_ < tunnel::credit_bytes) return;
    tell([n = std::exchange(uncredited_, 0)](far_end& f) { f.credit(n); });
}

tunnel::~tunnel() {
    near_->owner_ = nullptr;
    near_->in_.clear();
    near_->tell([](far_end& f) { f.abandon(); });
}

step_result tunnel::read(std::span<std::uint8_t> room) {
    auto& n = *near_;
    std::size_t got = 0;
    while (got < room.size() && !n.in_.empty()) {
        auto const& first = n.in_.front();
        auto const take = std::min(room.size() - got, first.size() - n.at_);
        std::memcpy(room.data() + got, first.data() + n.at_, take);
        got += take;
        n.at_ += take;
        if (n.at_ == first.size()) n.in_.pop_front(), n.at_ = 0;
    }
    if (got) return n.consumed(got), step_result{step_result::done, got};
    return {n.ended_ ? step_result::end : step_result::wait_read};
}

step_result tunnel::write(std::span<iovec const> pieces) {
    auto& n = *near_;
    if (n.ended_) return {step_result::failed};
    std::size_t room = window_bytes - std::min(window_bytes, n.under_way_);
    if (!room) return {step_result::wait_write};
    std::size_t wanted = 0;
    for (auto const& p : pieces) wanted += p.iov_len;
    bytes out;
    out.reserve(std::min(room, wanted));
    for (auto const& p : pieces) {
        auto const take = std::min(room, p.iov_len);
        auto const* from = static_cast<std::uint8_t const*>(p.iov_base);
        out.insert(out.end(), from, from + take);
        room -= take;
    }
    auto const size = out.size();
    n.under_way_ += size;
    n.tell([out = std::move(out)](far_end& f) mutable { f.send(std::move(out)); });
    return {step_result::done, size};
}

void tunnel::finish() {
    near_->finished_ = true;
    near_->in_.clear();
    near_->tell([](far_end& f) { f.finish(); });
}

void tunnel::watch(watcher* w, std::uint32_t events) {
    near_->owner_ = w;
    near_->events_ = events;
}

}
