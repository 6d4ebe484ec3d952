#pragma once
// One WebSocket of the HTTP server: Beast's stream over the connection's own, a queue in front of it. Included by session_impl.hpp.
// Bounds: 64 KiB a message from the peer (1009), 4 MiB queued to it (then it is cut). HTTP thread, except send, close and unsent.

#include "broker/net/tls_stream.hpp"
#include "plugins/sdk/web.hpp"

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>

namespace airmail::admin {

template <class Stream> class websocket_peer final : public sdk::web_socket, public std::enable_shared_from_this<websocket_peer<Stream>> {
public:
    static constexpr std::size_t message_bytes_max = 64 << 10, unsent_bytes_max = 4 << 20;

    websocket_peer(std::shared_ptr<Stream> s, boost::asio::io_context& io, std::function<void()> shut) : stream_(std::move(s)), io_(io), shut_(std::move(shut)), ws_(*stream_) {}

    void send(std::string text) override {
        unsent_ += text.size();
        boost::asio::post(io_, [self = this->shared_from_this(), text = std::move(text)]() mutable { self->queue(std::move(text)); });
    }
    void close(int code, std::string reason) override {
        boost::asio::post(io_, [self = this->shared_from_this(), code, reason = std::move(reason)] {
            if (self->closing_) return;
            self->closing_ = true, self->reason_ = boost::beast::websocket::close_reason(static_cast<boost::beast::websocket::close_code>(code), reason);
            if (!self->writing_) self->next();
        });
    }
    std::size_t unsent() const override { return unsent_; }

    /// Handshake, then reads until the end.
    template <class Request> boost::asio::awaitable<void> run(Request const& asked, std::shared_ptr<sdk::web_session> session) {
        namespace ws = boost::beast::websocket;
        auto const token = boost::asio::use_awaitable;
        boost::system::error_code ec;
        ws_.read_message_max(message_bytes_max);
        ws_.set_option(ws::stream_base::timeout{std::chrono::seconds(10), std::chrono::seconds(30), true});
        ws_.set_option(ws::stream_base::decorator([](ws::response_type& r) {
            r.set(boost::beast::http::field::server, "airmail");
            r.set(boost::beast::http::field::sec_websocket_protocol, "graphql-transport-ws");
        }));
        co_await ws_.async_accept(asked, boost::asio::redirect_error(token, ec));
        open_ = !ec;
        boost::beast::flat_buffer buffer;
        buffer.max_size(message_bytes_max + 1024);
        if (open_ && !writing_) next();                     // what was said before the handshake was over
        while (!ec) {
            co_await ws_.async_read(buffer, boost::asio::redirect_error(token, ec));
            if (ec) break;
            session->message({static_cast<char const*>(buffer.data().data()), buffer.size()});
            buffer.consume(buffer.size());
        }
        open_ = false, queue_.clear(), unsent_ = 0;
        session->closed();
        shut_();
    }

private:
    void queue(std::string text) {
        if (closing_ || over_) return void(unsent_ -= std::min<std::size_t>(unsent_, text.size()));
        queue_.push_back(std::move(text));
        if (unsent_ > unsent_bytes_max) return over_ = true, shut_();
        if (open_ && !writing_) next();
    }

    /// Writes the first of the queue; the close frame when it is empty and a close was asked.
    void next() {
        if (!open_) return;
        auto self = this->shared_from_this();
        if (queue_.empty()) {
            if (closing_ && !over_) over_ = true, writing_ = true, ws_.async_close(reason_, [self](boost::system::error_code) { self->shut_(); });
            return;
        }
        writing_ = true;
        ws_.text(true);
        ws_.async_write(boost::asio::buffer(queue_.front()), [self](boost::system::error_code ec, std::size_t) {
            self->writing_ = false;
            if (ec || self->queue_.empty()) return;         // the reader sees the end of the connection too
            self->unsent_ -= std::min<std::size_t>(self->unsent_, self->queue_.front().size());
            self->queue_.pop_front();
            self->next();
        });
    }

    std::shared_ptr<Stream> stream_;
    boost::asio::io_context& io_;
    std::function<void()> shut_;
    boost::beast::websocket::stream<Stream&> ws_;
    std::deque<std::string> queue_;
    std::atomic<std::size_t> unsent_{0};
    boost::beast::websocket::close_reason reason_;
    bool open_ = false, writing_ = false, closing_ = false, over_ = false;
};

}
