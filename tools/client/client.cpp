#include "tools/client/client.hpp"

#include "broker/codec/ping.hpp"
#include "tools/client/encode_options.hpp"
#include "tools/client/read_buffer.hpp"

#include <boost/asio/post.hpp>
#include <cassert>

namespace airmail::client {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t idle_capacity = 512;            // a write buffer up to this size is kept for the next packet
constexpr int read_turns = 4;                         // buffers read before others get their turn
constexpr std::chrono::seconds leave_time{2};         // for the server to close after our DISCONNECT

}

client::client(asio::io_context& io, std::shared_ptr<handlers const> h) : wire_(io), io_(io), handlers_(std::move(h)) { assert(handlers_); }

client::~client() = default;

std::shared_ptr<client> client::make(asio::io_context& io, std::shared_ptr<handlers const> h) {
    return std::shared_ptr<client>(new client(io, std::move(h)));
}

void client::wait_readable() {
    wire_.tcp().async_wait(tcp::socket::wait_read, [self = shared_from_this(), g = generation_](error_code ec) {
        if (!self->current(g) || ec) return;  // an error here is our own close
        self->state_ == state::shaking_hands ? self->shake_hands() : self->on_readable();
    });
}

void client::wait_writable() {
    if (std::exchange(waiting_write_, true)) return;
    wire_.tcp().async_wait(tcp::socket::wait_write, [self = shared_from_this(), g = generation_](error_code ec) {
        if (!self->current(g) || ec) return;
        self->waiting_write_ = false;
        self->state_ == state::shaking_hands ? self->shake_hands() : self->on_writable();
    });
}

void client::on_readable() {
    auto const g = generation_;
    read_buffer buffer;
    for (int turn = 0; turn < read_turns; ++turn) {
        auto const step = wire_.read(buffer.room());
        if (step.state == io::done) {
            counted_.bytes_in += step.size;
            if (!take(buffer.room().first(step.size)) || !current(g)) return;
            if (queued_bytes() > queue_bytes_max_) {
                flush();
                if (!current(g)) return;
                // The server does not read its acknowledgements: neither do we read what makes more of them.
                if ((reading_paused_ = waiting_write_)) return;
            }
            if (step.size < buffer.room().size() && !wire_.secure()) break;
            continue;
        }
        if (step.state == io::closed) return state_ == state::leaving ? end({}) : fail(errc::connection_closed);
        if (step.state == io::failed) return state_ == state::leaving ? end({}) : fail_wire();
        if (step.state == io::want_write) wait_writable();
        flush();
        if (current(g) && state_ != state::idle) wait_readable();
        return;
    }
    flush();
    if (!current(g) || state_ == state::idle) return;
    if (!wire_.secure()) return wait_readable();
    // OpenSSL may hold what the descriptor no longer shows.
    asio::post(io_, [self = shared_from_this(), g] {
        if (self->current(g)) self->on_readable();
    });
}

void client::on_writable() {
    auto const g = generation_;
    flush();
    if (!current(g) || !reading_paused_ || queued_bytes() > queue_bytes_max_ / 2) return;
    reading_paused_ = false;
    on_readable();
}

void client::schedule_flush() {
    if (flush_posted_ || waiting_write_ || state_ < state::greeting) return;
    flush_posted_ = true;
    asio::post(io_, [self = shared_from_this()] {
        self->flush_posted_ = false;
        if (self->state_ >= state::greeting) self->flush();
    });
}

void client::flush() {
    while (queued_bytes() > 0 && !waiting_write_) {
        auto const step = wire_.write(byte_view{out_}.subspan(written_));
        if (step.state == io::done) {
            written_ += step.size;
            counted_.bytes_out += step.size;
            ++counted_.writes;
            sent_since_tick_ = true;
        } else if (step.state == io::want_write) {
            return wait_writable();
        } else if (step.state == io::want_read) {
            return;  // after the next read
        } else {
            return fail_wire();
        }
    }
    if (queued_bytes() > 0) return;
    written_ = 0;
    out_.clear();
    if (out_.capacity() > idle_capacity) bytes{}.swap(out_);
    // Nothing of ours comes after DISCONNECT. [MQTT-3.14.4-1] [MQTT-3.14.4-2]
    if (state_ == state::leaving && !std::exchange(finished_, true)) wire_.finish();
}

void client::end(close_info why) {
    ++generation_;  // whatever still waits belongs to the past
    wire_.close();
    state_ = state::idle;
    timer_.reset();
    bytes{}.swap(out_);
    bytes{}.swap(partial_);
    written_ = 0;
    auto const told = handlers_;
    if (told->on_closed) told->on_closed(*this, why);
}

void client::fail(errc e, codec::reason code) { end({make_error_code(e), code, {}}); }

void client::fail_wire() { end({wire_.error(), {}, wire_.detail()}); }

void client::drop(bool reset) {
    ++generation_;
    wire_.close(reset);
    state_ = state::idle;
    timer_.reset();
    bytes{}.swap(out_);
    bytes{}.swap(partial_);
    written_ = 0;
}

void client::start_timer() {
    if (!timer_) timer_ = std::make_unique<timer>(io_);
    timer_->expires_after(std::chrono::milliseconds(500));
    // Weak: a timer must not keep a client alive that nobody else wants.
    timer_->async_wait([weak = weak_from_this(), g = generation_](error_code ec) {
        auto const self = weak.lock();
        if (ec || !self || !self->current(g)) return;
        self->tick(clock::now());
        if (self->current(g)) self->start_timer();
    });
}

void client::tick(clock::time_point now) {
    if (state_ == state::idle) return;
    if (state_ != state::online) {
        if (now < deadline_) return;
        return state_ == state::leaving ? end({}) : fail(errc::connect_timeout);
    }
    if (std::exchange(sent_since_tick_, false)) sent_at_ = now;
    if (keep_alive_ == 0) return;
    auto const keep = std::chrono::milliseconds(keep_alive_ * 1000);
    if (ping_open_) {
        if (now - pinged_at_ > keep / 2 + std::chrono::seconds(2)) fail(errc::ping_timeout);
        return;
    }
    if (now - sent_at_ < keep * 3 / 4) return;  // [MQTT-3.1.2-20]
    codec::encode_pingreq(out_);
    ++counted_.packets_out;
    ping_open_ = true;
    pinged_at_ = now;
    schedule_flush();
}

void client::disconnect(codec::reason why, std::span<user_property const> user) {
    if (state_ == state::idle || state_ == state::leaving) return;
    if (state_ != state::online) return end({});
    bool const silent = version_ != codec::version::v5 && why != codec::reason::success;
    if (!silent) {
        encode_disconnect(out_, why, user, version_);
        ++counted_.packets_out;
    }
    state_ = state::leaving;
    deadline_ = clock::now() + leave_time;
    schedule_flush();
}

}
