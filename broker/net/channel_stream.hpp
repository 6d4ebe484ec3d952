#pragma once
// A channel as a stream that Beast can read and write, woken by the hub's poller instead of an Asio socket: plain, TLS and
// unix sockets in one type, so that Beast is compiled once. One read and one write at a time, on the shard's thread.
//
// Included by websocket.cpp alone.

#include "broker/net/channel.hpp"
#include "broker/net/poller.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>

namespace airmail::net {

/// Meets Beast's AsyncStream. Must live until the end of the turn in which it was closed (as every watcher).
class channel_stream {  // not final, and no watcher itself: Asio asks what it is by deriving from it
public:
    using executor_type = boost::asio::io_context::executor_type;
    using error_code = boost::system::error_code;

    channel_stream(poller& p, boost::asio::io_context& io, channel wire) : poller_{p}, executor_{io.get_executor()}, wire_{std::move(wire)} {}
    ~channel_stream() { close(); }
    channel_stream(channel_stream const&) = delete;

    executor_type get_executor() const noexcept { return executor_; }
    bool open() { return is_open_ = poller_.add(wire_.fd(), bell_, 0); }

    /// void(error_code, std::size_t); `eof` after the peer's last byte.
    template <class Buffers, class Token> auto async_read_some(Buffers const& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(error_code, std::size_t)>(operation<Buffers, true>{this, buffers}, token, executor_);
    }
    /// void(error_code, std::size_t).
    template <class Buffers, class Token> auto async_write_some(Buffers const& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(error_code, std::size_t)>(operation<Buffers, false>{this, buffers}, token, executor_);
    }
    /// close_notify and FIN; the peer's bytes can still be read.
    void finish() { wire_.finish(); }
    /// Closes now. What waits is forgotten, not called: who closes knows.
    void close() {
        if (!std::exchange(is_open_, false)) return;
        poller_.remove(wire_.fd());
        wire_ = channel{};
        auto const reader = std::move(reader_), writer = std::move(writer_);
    }

private:
    template <class Buffers, bool Reads> struct operation {
        channel_stream* s;
        Buffers buffers;
        enum : std::uint8_t { fresh, waited, posted } stage = fresh;
        error_code result{};
        std::size_t n = 0;

        template <class Self> void operator()(Self& self) {
            if (stage == posted) return self.complete(result, n);
            if (!attempt()) {
                stage = waited;
                return Reads ? s->wait(s->reader_, EPOLLIN, std::move(self)) : s->wait(s->writer_, EPOLLOUT, std::move(self));
            }
            if (stage == waited) return self.complete(result, n);
            // Never complete inside the initiating call.
            stage = posted;
            boost::asio::post(s->executor_, std::move(self));
        }
        /// False: the wire has to be waited for.
        bool attempt() {
            if (!s->is_open_) return result = boost::asio::error::bad_descriptor, true;
            if (boost::asio::buffer_size(buffers) == 0) return true;
            step_result r;
            if constexpr (Reads) {
                boost::asio::mutable_buffer first;
                for (auto i = boost::asio::buffer_sequence_begin(buffers); first.size() == 0; ++i) first = *i;
                r = s->wire_.read({static_cast<std::uint8_t*>(first.data()), first.size()});
            } else {
                // Frame header and body lie apart: joined, so that they travel in one record or segment. A second try joins the
                // same bytes again, which is what OpenSSL demands of a retried write.
                thread_local std::array<std::uint8_t, 16 * 1024> record;
                auto const size = boost::asio::buffer_copy(boost::asio::buffer(record), buffers);
                r = s->wire_.write({record.data(), size});
            }
            switch (r.what) {
            case step_result::done: n = r.bytes; return true;
            case step_result::wait_read:
            case step_result::wait_write: return false;
            case step_result::end: result = boost::asio::error::eof; return true;
            case step_result::failed: result = boost::asio::error::connection_reset; return true;
            }
            return true;
        }
    };

    template <class Self> void wait(shard::task& who, std::uint32_t event, Self self) {
        who = shard::task{[self = std::move(self)]() mutable { self(); }};
        watch(watching_ | event);
    }
    void watch(std::uint32_t events) {
        if (events == watching_) return;
        watching_ = events;
        poller_.change(wire_.fd(), bell_, events);
    }
    struct bell final : watcher {
        explicit bell(channel_stream& stream) noexcept : s{stream} {}
        void ready(std::uint32_t events) override { s.ready(events); }
        channel_stream& s;
    };
    void ready(std::uint32_t events) {
        bool const broken = events & (EPOLLERR | EPOLLHUP);  // whoever waits finds out by trying
        auto reader = (broken || (events & EPOLLIN)) ? std::move(reader_) : shard::task{};
        auto writer = (broken || (events & EPOLLOUT)) ? std::move(writer_) : shard::task{};
        if (reader) reader();
        if (writer && is_open_) writer();
        if (!is_open_) return;
        // Left registered while somebody waits again, which is the rule for reading.
        std::uint32_t const wanted = (reader_ ? EPOLLIN : 0u) | (writer_ ? EPOLLOUT : 0u);
        watch(wanted);
        // Broken, and nobody to find out: it must not spin.
        if (broken && !wanted) poller_.remove(wire_.fd());
    }

    poller& poller_;
    executor_type executor_;
    channel wire_;
    bell bell_{*this};
    shard::task reader_, writer_;
    std::uint32_t watching_ = 0;
    bool is_open_ = false;
};

/// Beast calls these when a close handshake is over, or hopeless.
inline void teardown(boost::beast::role_type, channel_stream& s, boost::system::error_code& ec) { ec = {}, s.finish(); }
template <class Handler> void async_teardown(boost::beast::role_type, channel_stream& s, Handler&& handler) {
    s.finish();
    boost::asio::post(s.get_executor(), [h = std::forward<Handler>(handler)]() mutable { h(boost::system::error_code{}); });
}
inline void beast_close_socket(channel_stream& s) { s.finish(); }

}
