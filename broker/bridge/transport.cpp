#include "broker/bridge/transport.hpp"

#include "broker/bridge/tls_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <netinet/tcp.h>

namespace airmail::bridge {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

void set(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

class connection final : public transport, public std::enable_shared_from_this<connection> {
public:
    connection(asio::io_context& io, config::bridge b, config::bridge_address to, transport_events events)
        : settings_{std::move(b)}, to_{std::move(to)}, events_{std::move(events)}, resolver_{io}, socket_{io} {
        if (settings_.tls()) tls_ = tls_client(settings_);
    }

    void begin() {
        resolver_.async_resolve(to_.host, std::to_string(to_.port), [self = shared_from_this()](error_code ec, tcp::resolver::results_type found) {
            if (ec) return self->fail("look-up of " + self->to_.host + ": " + ec.message());
            self->found_.assign(found.begin(), found.end());
            self->next_address();
        });
    }

    bytes& out() override { return waiting_; }
    std::size_t waiting() const override { return waiting_.size() + writing_.size(); }
    void flush() override { write(); }
    void pause(bool on) override {
        if (std::exchange(paused_, on) && !on && up_) read();
    }
    void close(bool after_flush) override {
        over_ = true;
        events_ = {};
        if (!after_flush || !up_ || (waiting_.empty() && writing_.empty())) return shut();
        write();
    }

private:
    void next_address() {
        if (over_) return;
        if (at_ >= found_.size()) return fail(to_.host + ":" + std::to_string(to_.port) + ": " + (last_.empty() ? "no address" : last_));
        auto const where = found_[at_++].endpoint();
        error_code ec;
        socket_.close(ec);
        socket_.open(where.protocol(), ec);
        if (!ec && !settings_.bind_address.empty()) socket_.bind({asio::ip::make_address(settings_.bind_address, ec), 0}, ec);
        if (ec) return last_ = ec.message(), next_address();
        options();
        socket_.async_connect(where, [self = shared_from_this()](error_code failed) {
            if (failed) return self->last_ = failed.message(), self->next_address();
            self->connected();
        });
    }
    void options() {
        int const fd = socket_.native_handle();
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        if (settings_.tcp_keepalive_idle > 0) {
            set(fd, IPPROTO_TCP, TCP_KEEPIDLE, settings_.tcp_keepalive_idle);
            set(fd, IPPROTO_TCP, TCP_KEEPINTVL, settings_.tcp_keepalive_interval);
            set(fd, IPPROTO_TCP, TCP_KEEPCNT, settings_.tcp_keepalive_count);
        }
        if (settings_.tcp_user_timeout_ms >= 0) set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, settings_.tcp_user_timeout_ms);
    }
    void connected() {
        if (over_) return shut();
        if (!tls_) return open();
        stream_.emplace(socket_, *tls_);
        prepare(stream_->native_handle(), settings_, to_.host);
        stream_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](error_code ec) {
            if (ec) return self->fail("TLS with " + self->to_.host + ": " + ec.message());
            self->open();
        });
    }
    void open() {
        if (over_) return shut();
        up_ = true;
        if (events_.open) events_.open();
        read();
    }
    void read() {
        if (over_ || paused_ || reading_) return;
        reading_ = true;
        auto done = [self = shared_from_this()](error_code ec, std::size_t n) {
            self->reading_ = false;
            if (self->over_) return;
            if (ec) return self->fail(ec == asio::error::eof ? "closed by the other side" : ec.message());
            if (self->events_.bytes) self->events_.bytes({self->buffer_.data(), n});
            self->read();
        };
        if (stream_) stream_->async_read_some(asio::buffer(buffer_), std::move(done));
        else socket_.async_read_some(asio::buffer(buffer_), std::move(done));
    }
    void write() {
        if (!up_ || !writing_.empty() || waiting_.empty()) return;
        writing_.swap(waiting_);
        auto done = [self = shared_from_this()](error_code ec, std::size_t) {
            self->writing_.clear();
            if (ec) return self->over_ ? self->shut() : self->fail(ec.message());
            self->write();
            if (self->over_ && self->writing_.empty()) self->shut();
        };
        if (stream_) asio::async_write(*stream_, asio::buffer(writing_), std::move(done));
        else asio::async_write(socket_, asio::buffer(writing_), std::move(done));
    }
    void fail(std::string why) {
        if (over_) return shut();
        over_ = true;
        shut();
        if (auto closed = std::move(events_.closed)) events_ = {}, closed(std::move(why));
    }
    void shut() {
        error_code ec;
        resolver_.cancel();
        socket_.shutdown(tcp::socket::shutdown_both, ec);
        socket_.close(ec);
    }

    config::bridge settings_;
    config::bridge_address to_;
    transport_events events_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    std::shared_ptr<asio::ssl::context> tls_;
    std::optional<asio::ssl::stream<tcp::socket&>> stream_;
    std::vector<tcp::resolver::results_type::value_type> found_;
    std::size_t at_ = 0;
    std::string last_;
    bytes waiting_, writing_;
    std::array<std::uint8_t, 16384> buffer_{};
    bool up_ = false, over_ = false, paused_ = false, reading_ = false;
};

}

std::shared_ptr<transport> connect(asio::io_context& io, config::bridge const& b, config::bridge_address const& to, transport_events events) {
    auto c = std::make_shared<connection>(io, b, to, std::move(events));
    c->begin();
    return c;
}

}
