#include "broker/net/send_queue.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace airmail::net {

bytes& send_queue::tail(shard::buffer_pool& pool) {
    if (tail_ && tail_->size() >= chunk_bytes) seal();
    if (!tail_) tail_ = pool.borrow();
    return *tail_;
}

void send_queue::seal() {
    if (!tail_ || tail_->empty()) return;
    if (!backlog_) backlog_ = std::make_unique<std::deque<piece>>();
    sealed_bytes_ += tail_->size();
    backlog_->push_back({std::move(tail_), nullptr});
}

void send_queue::append_shared(byte_view head, storage::message_ptr body, shard::buffer_pool& pool) {
    auto& out = tail(pool);
    out.insert(out.end(), head.begin(), head.end());
    if (body->payload().empty()) return;
    seal();
    sealed_bytes_ += body->payload().size();
    backlog_->push_back({nullptr, std::move(body)});
}

byte_view send_queue::front() const noexcept {
    if (sent_) return {};
    if (backlog_ && !backlog_->empty()) return backlog_->front().view();
    return tail_ ? byte_view{*tail_} : byte_view{};
}

void send_queue::advance(std::size_t n, shard::buffer_pool& pool) {
    sent_ += n;
    while (backlog_ && !backlog_->empty() && sent_ >= backlog_->front().view().size()) {
        auto& first = backlog_->front();
        sent_ -= first.view().size();
        sealed_bytes_ -= first.view().size();
        pool.give_back(std::move(first.chunk));
        backlog_->pop_front();
    }
    if (backlog_ && backlog_->empty()) backlog_.reset();
    if (!backlog_ && tail_ && sent_ == tail_->size()) {
        pool.give_back(std::move(tail_));
        sent_ = 0;
    }
}

step_result send_queue::flush(channel& to, shard::buffer_pool& pool, std::span<std::uint8_t> record, unsigned& writes) {
    writes = 0;
    if (empty()) return advance(0, pool), step_result{};
    return to.ssl() ? flush_tls(to, pool, record, writes) : flush_plain(to, pool, writes);
}

step_result send_queue::flush_plain(channel& to, shard::buffer_pool& pool, unsigned& writes) {
    constexpr std::size_t pieces_max = 64;
    std::size_t total = 0;
    while (!empty()) {
        std::array<iovec, pieces_max> pieces;
        std::size_t count = 0, wanted = 0, skip = sent_;
        auto add = [&](byte_view v) {
            v = v.subspan(std::exchange(skip, 0));
            pieces[count++] = {const_cast<std::uint8_t*>(v.data()), v.size()};
            wanted += v.size();
        };
        if (backlog_)
            for (auto i = backlog_->begin(); i != backlog_->end() && count < pieces_max; ++i) add(i->view());
        if (tail_ && !tail_->empty() && count < pieces_max) add(*tail_);
        ++writes;
        auto const r = count == 1 ? to.write({static_cast<std::uint8_t const*>(pieces[0].iov_base), wanted})
                                  : to.write(pieces.data(), static_cast<int>(count));
        if (r.what != step_result::done) return {r.what, total};
        advance(r.bytes, pool);
        total += r.bytes;
        // The kernel took less than offered: it is full, and asking again would only cost a system call.
        if (r.bytes < wanted) return {step_result::wait_write, total};
    }
    return {step_result::done, total};
}

step_result send_queue::flush_tls(channel& to, shard::buffer_pool& pool, std::span<std::uint8_t> record, unsigned& writes) {
    std::size_t total = 0;
    while (!empty()) {
        byte_view const first = (backlog_ ? backlog_->front().view() : byte_view{*tail_}).subspan(sent_);
        byte_view next = first.first(std::min(first.size(), record_bytes));
        if (first.size() < record_bytes && first.size() < bytes_waiting()) {
            // Packed in order from the front: after a blocked write the same bytes come first again, as OpenSSL demands.
            std::size_t n = 0, skip = sent_;
            auto pack = [&](byte_view v) {
                v = v.subspan(std::exchange(skip, 0));
                auto const take = std::min(v.size(), record_bytes - n);
                std::memcpy(record.data() + n, v.data(), take);
                n += take;
            };
            for (auto i = backlog_->begin(); i != backlog_->end() && n < record_bytes; ++i) pack(i->view());
            if (tail_ && n < record_bytes) pack(*tail_);
            next = record.first(n);
        }
        ++writes;
        auto const r = to.write(next);
        if (r.what != step_result::done) return {r.what, total};
        advance(r.bytes, pool);
        total += r.bytes;
    }
    return {step_result::done, total};
}

void send_queue::clear(shard::buffer_pool& pool) {
    if (backlog_)
        for (auto& p : *backlog_) pool.give_back(std::move(p.chunk));
    backlog_.reset();
    pool.give_back(std::move(tail_));
    sealed_bytes_ = sent_ = 0;
}

}
