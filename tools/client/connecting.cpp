// How a connection begins: options become a CONNECT, a name becomes an address, TCP, TLS.

#include "tools/client/client.hpp"
#include "tools/client/encode_options.hpp"

#include <boost/asio/connect.hpp>

namespace airmail::client {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t packet_max_default = 16 << 20;  // what we accept when the caller names no limit

}

error_code client::connect(connect_options const& o) {
    if (state_ != state::idle) return errc::already_connected;
    if (!encodable(o)) return errc::invalid_argument;
    reset_connection();
    if (o.tls)
        if (auto const ec = wire_.prepare_tls(*o.tls, o.server_name.empty() ? o.host : o.server_name)) return ec;
    version_ = o.protocol;
    encode_connect(out_, o);  // now, so that the options need not be kept; sent when the way is open
    ++counted_.packets_out;
    keep_alive_ = static_cast<std::uint16_t>(o.keep_alive.count());
    resumable_ = !o.clean_start || o.session_expiry > 0;
    if (o.clean_start) received_.clear();
    queue_bytes_max_ = o.queue_bytes_max;
    packet_max_ = o.maximum_packet_size ? o.maximum_packet_size : packet_max_default;
    alias_max_ = o.topic_alias_maximum;
    began_ = clock::now();
    deadline_ = began_ + o.timeout;

    error_code not_an_address;
    auto const address = asio::ip::make_address(o.host, not_an_address);
    if (!o.local_address.empty()) {
        error_code ec;
        auto const local = asio::ip::make_address(o.local_address, ec);
        if (!ec) wire_.tcp().open(local.is_v6() ? tcp::v6() : tcp::v4(), ec);
        if (!ec) wire_.tcp().bind({local, 0}, ec);
        if (ec) {
            wire_.close();
            return ec;
        }
    }
    not_an_address ? resolve(o.host, o.port) : open_socket({address, o.port});
    if (o.own_timer) start_timer();
    return {};
}

void client::reset_connection() {
    ++generation_;
    out_.clear();
    partial_.clear();
    written_ = 0;
    aliases_.reset();
    server_packet_max_ = 0;
    server_alias_max_ = 0;
    waiting_write_ = reading_paused_ = sent_since_tick_ = ping_open_ = finished_ = false;
    send_quota_ = 65535;
}

void client::resolve(std::string const& host, std::uint16_t port) {
    state_ = state::resolving;
    auto const resolver = std::make_shared<tcp::resolver>(io_);
    auto const self = shared_from_this();
    resolver->async_resolve(host, std::to_string(port), [self, resolver, g = generation_](error_code ec, tcp::resolver::results_type found) {
        if (!self->current(g)) return;
        if (ec) return self->end({ec, {}, {}});
        self->state_ = state::connecting;
        asio::async_connect(self->wire_.tcp(), found, [self, g](error_code ec2, tcp::endpoint const&) {
            if (!self->current(g)) return;
            if (ec2) return self->end({ec2, {}, {}});
            self->shake_hands();
        });
    });
}

void client::open_socket(tcp::endpoint to) {
    state_ = state::connecting;
    wire_.tcp().async_connect(to, [self = shared_from_this(), g = generation_](error_code ec) {
        if (!self->current(g)) return;
        if (ec) return self->end({ec, {}, {}});
        self->shake_hands();
    });
}

void client::shake_hands() {
    if (state_ == state::connecting) {
        if (auto const ec = wire_.connected()) return end({ec, {}, {}});
        state_ = state::shaking_hands;
    }
    switch (wire_.handshake()) {
    case io::want_read: return wait_readable();
    case io::want_write: return wait_writable();
    case io::closed: return fail(errc::connection_closed);
    case io::failed: return fail_wire();
    case io::done: break;
    }
    state_ = state::greeting;
    flush();
    if (state_ == state::greeting) wait_readable();
}

}
