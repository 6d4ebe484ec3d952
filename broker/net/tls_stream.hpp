#pragma once
// A stream that Beast can read and write (HTTPS, wss) over OpenSSL on the descriptor: what asio::ssl::stream would be
// without its 34 KB of buffers a connection. Owned by: whoever made it; one read and one write at a time, on its executor.
//
//   tls_stream s{std::move(socket), listener_tls->current()};
//   s.async_handshake(...);  http::async_read(s, buffer, request, ...);  s.async_shutdown(...)

#include "broker/net/tls.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>

namespace airmail::net {

/// A server-side TLS stream; meets Beast's AsyncStream. Deadlines: a timer that calls cancel() or close().
class tls_stream {
public:
    using next_layer_type = boost::asio::ip::tcp::socket;
    using lowest_layer_type = next_layer_type;
    using executor_type = next_layer_type::executor_type;

    /// Takes the socket and makes it non-blocking. `context` is kept as long as the stream lives.
    tls_stream(next_layer_type socket, std::shared_ptr<tls_context const> context);
    tls_stream(tls_stream&&) = default;
    tls_stream& operator=(tls_stream&&) = default;

    executor_type get_executor() { return socket_.get_executor(); }
    next_layer_type& next_layer() { return socket_; }
    next_layer_type const& next_layer() const { return socket_; }
    lowest_layer_type& lowest_layer() { return socket_; }
    SSL* native() const { return ssl_.get(); }

    /// void(error_code). Errors: tls_failed, eof, the socket's.
    template <class Token> auto async_handshake(Token&& token) {
        return boost::asio::async_compose<Token, void(error_code)>(plain_op{this, step::handshake}, token, socket_);
    }
    /// void(error_code, std::size_t). `eof` after the peer's close_notify or end of file.
    template <class Buffers, class Token> auto async_read_some(Buffers const& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(error_code, std::size_t)>(read_op<Buffers>{this, buffers}, token, socket_);
    }
    /// void(error_code, std::size_t). Small buffers of one sequence are sent as one record.
    template <class Buffers, class Token> auto async_write_some(Buffers const& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(error_code, std::size_t)>(write_op<Buffers>{this, buffers}, token, socket_);
    }
    /// Sends close_notify and the TCP FIN; does not wait for the peer's. void(error_code).
    template <class Token> auto async_shutdown(Token&& token) {
        return boost::asio::async_compose<Token, void(error_code)>(plain_op{this, step::shutdown}, token, socket_);
    }

    /// After the handshake, when the peer's certificate is no longer wanted: see tls_context::strip.
    bool strip() { return context_->strip(ssl_.get()); }
    /// Ends waiting operations with operation_aborted.
    void cancel() { boost::system::error_code ignored; socket_.cancel(ignored); }
    /// Closes at once, without close_notify.
    void close() { boost::system::error_code ignored; socket_.close(ignored); }
    bool is_open() const { return socket_.is_open(); }

private:
    using error_code = boost::system::error_code;
    enum class step : std::uint8_t { handshake, read, write, shutdown };
    enum class next : std::uint8_t { done, wait_read, wait_write };

    /// Tries one step on the descriptor. `done`: it succeeded with `n` bytes, or failed with `ec`.
    next attempt(step what, void* data, std::size_t size, std::size_t& n, error_code& ec);

    // Every operation: try; wait until the socket is ready and try again; never complete inside the initiating call.
    template <class Derived> struct op {
        tls_stream* s;
        enum : std::uint8_t { fresh, waited, posted } stage = fresh;
        error_code result{};
        std::size_t n = 0;

        template <class Self> void operator()(Self& self, error_code ec = {}) {
            if (stage == posted) return static_cast<Derived*>(this)->finish(self);
            if (ec) return result = ec, static_cast<Derived*>(this)->finish(self);
            next const todo = static_cast<Derived*>(this)->go();
            if (todo != next::done) {
                stage = waited;
                auto& socket = s->socket_;
                auto const what = todo == next::wait_read ? next_layer_type::wait_read : next_layer_type::wait_write;
                return socket.async_wait(what, std::move(self));
            }
            if (stage == waited) return static_cast<Derived*>(this)->finish(self);
            stage = posted;
            auto executor = s->get_executor();
            boost::asio::post(executor, std::move(self));
        }
    };
    struct plain_op : op<plain_op> {
        step what;
        plain_op(tls_stream* stream, step w) : op<plain_op>{stream}, what{w} {}
        next go() { return this->s->attempt(what, nullptr, 0, this->n, this->result); }
        template <class Self> void finish(Self& self) { self.complete(this->result); }
    };
    template <class Buffers> struct read_op : op<read_op<Buffers>> {
        Buffers buffers;
        read_op(tls_stream* stream, Buffers const& b) : op<read_op>{stream}, buffers{b} {}
        next go() {
            for (auto i = boost::asio::buffer_sequence_begin(buffers); i != boost::asio::buffer_sequence_end(buffers); ++i)
                if (boost::asio::mutable_buffer b{*i}; b.size())
                    return this->s->attempt(step::read, b.data(), b.size(), this->n, this->result);
            return next::done;
        }
        template <class Self> void finish(Self& self) { self.complete(this->result, this->n); }
    };
    template <class Buffers> struct write_op : op<write_op<Buffers>> {
        Buffers buffers;
        write_op(tls_stream* stream, Buffers const& b) : op<write_op>{stream}, buffers{b} {}
        next go() {
            auto const whole = boost::asio::buffer_size(buffers);
            if (!whole) return next::done;
            auto first = boost::asio::buffer_sequence_begin(buffers);
            while (boost::asio::const_buffer{*first}.size() == 0) ++first;
            boost::asio::const_buffer const b{*first};
            if (b.size() == whole || b.size() >= record_bytes)
                return this->s->attempt(step::write, const_cast<void*>(b.data()), b.size(), this->n, this->result);
            // Head and body of an answer lie apart: joined, so that they travel in one record. A second try joins the same
            // bytes again, which is what OpenSSL demands of a retried write.
            thread_local std::array<std::uint8_t, record_bytes> record;
            auto const joined = boost::asio::buffer_copy(boost::asio::buffer(record), buffers);
            return this->s->attempt(step::write, record.data(), joined, this->n, this->result);
        }
        template <class Self> void finish(Self& self) { self.complete(this->result, this->n); }
    };
    static constexpr std::size_t record_bytes = 16 * 1024;

    next_layer_type socket_;
    std::shared_ptr<tls_context const> context_;
    ssl_ptr ssl_;  // dies before the socket
};

/// Beast's websocket::stream calls these when a close handshake is over.
void teardown(boost::beast::role_type, tls_stream& s, boost::system::error_code& ec);
template <class Handler> void async_teardown(boost::beast::role_type, tls_stream& s, Handler&& handler) {
    s.async_shutdown(std::forward<Handler>(handler));
}

}
