#include "plugins/outbound/web_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <exception>

namespace airmail::plugins::outbound {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t answer_bytes_max = 1u << 20, piece_bytes = 64u << 10;

bool inside(asio::ip::address a) {
    if (a.is_v6() && a.to_v6().is_v4_mapped()) a = asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6());
    if (a.is_unspecified() || a.is_loopback() || a.is_multicast()) return true;
    if (a.is_v6()) {
        auto const b = a.to_v6().to_bytes();
        return a.to_v6().is_link_local() || (b[0] & 0xfe) == 0xfc;                       // fe80::/10, fc00::/7
    }
    auto const n = a.to_v4().to_uint();
    auto const in = [n](std::uint32_t net, int bits) { return (n ^ net) >> (32 - bits) == 0; };
    return in(0x0a000000, 8) || in(0xac100000, 12) || in(0xc0a80000, 16) || in(0xa9fe0000, 16) || in(0x64400000, 10) || in(0, 8) || in(0xf0000000, 4);
}

}

bool is_inside(std::string const& address) {
    error_code ec;
    auto const a = asio::ip::make_address(address, ec);
    return ec || inside(a);
}

struct web_client::wire {
    explicit wire(web_server s) : server(std::move(s)), tls(asio::ssl::context::tls_client) {}

    web_server server;
    asio::io_context io{1};
    asio::ssl::context tls;
    bool tls_ready = false;
    std::unique_ptr<beast::tcp_stream> plain;
    std::unique_ptr<beast::ssl_stream<beast::tcp_stream>> secret;
    beast::flat_buffer buffer;
    std::atomic<bool> stopped{false};

    void close() { plain.reset(), secret.reset(), buffer.clear(); }
    bool open() const { return plain || secret; }
    beast::tcp_stream& lowest() { return secret ? secret->next_layer() : *plain; }

    asio::awaitable<std::string> connect() {
        error_code ec;
        auto awaiting = asio::redirect_error(asio::use_awaitable, ec);
        auto name = server.host;
        if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);
        tcp::resolver resolver(io);
        auto found = co_await resolver.async_resolve(name, server.port, awaiting);
        if (ec || stopped) co_return "cannot find " + server.host + ": " + ec.message();
        std::vector<tcp::endpoint> to;
        for (auto const& f : found)
            if (!server.public_only || !inside(f.endpoint().address())) to.push_back(f.endpoint());
        if (to.empty()) co_return server.host + " is an address inside of this network: refused";
        if (server.tls && !tls_ready) {
            if (server.ca_file.empty()) tls.set_default_verify_paths(ec);
            else tls.load_verify_file(server.ca_file, ec);
            if (ec) co_return "certificates " + server.ca_file + ": " + ec.message();
            tls.set_verify_mode(asio::ssl::verify_peer);
            tls_ready = true;
        }
        if (server.tls) secret = std::make_unique<beast::ssl_stream<beast::tcp_stream>>(io, tls);
        else plain = std::make_unique<beast::tcp_stream>(io);
        lowest().expires_after(server.patience);
        co_await lowest().async_connect(to, awaiting);
        if (ec) co_return "cannot connect to " + server.host + ":" + server.port + ": " + ec.message();
        if (secret) {
            secret->set_verify_callback(asio::ssl::host_name_verification(name));
            SSL_set_tlsext_host_name(secret->native_handle(), name.c_str());
            co_await secret->async_handshake(asio::ssl::stream_base::client, awaiting);
            if (ec) co_return "TLS with " + server.host + ": " + ec.message();
        }
        co_return std::string{};
    }

    template <class Stream> asio::awaitable<void> exchange(Stream& s, web_ask const& a, web_answer& out) {
        error_code ec;
        auto awaiting = asio::redirect_error(asio::use_awaitable, ec);
        std::uint64_t const length = a.read ? a.length : a.body.size();
        std::string head = a.verb + " " + a.target + " HTTP/1.1\r\n";
        for (auto const& [name, value] : a.headers) head += name + ": " + value + "\r\n";
        head += "Content-Length: " + std::to_string(length) + "\r\nConnection: close\r\n\r\n";
        if (!a.read) head += a.body;
        lowest().expires_after(server.patience);
        co_await asio::async_write(s, asio::buffer(head), awaiting);
        std::vector<std::uint8_t> piece(a.read ? piece_bytes : 0);
        for (std::uint64_t at = 0; a.read && !ec && at < length;) {
            std::span<std::uint8_t> const now(piece.data(), std::min<std::uint64_t>(piece.size(), length - at));
            if (!a.read(at, now)) {
                out.trouble = "the image cannot be read";
                co_return;
            }
            lowest().expires_after(server.patience);
            co_await asio::async_write(s, asio::buffer(now.data(), now.size()), awaiting);
            at += now.size();
        }
        // A server that refuses early answers before it has taken all: its words are worth more than "broken pipe".
        auto const wrote = ec;
        http::response_parser<http::string_body> answer;
        answer.body_limit(answer_bytes_max);
        if (a.verb == "HEAD") answer.skip(true);
        lowest().expires_after(server.patience);
        co_await http::async_read(s, buffer, answer, awaiting);
        if (ec) {
            out.trouble = server.host + ": " + (wrote ? wrote : ec).message();
            co_return;
        }
        out.status = static_cast<int>(answer.get().result_int());
        out.etag = std::string(answer.get()[http::field::etag]);
        out.body = std::move(answer.get().body());
    }

    /// A connection each: a kept one that the server has just closed would leave open whether it has seen the request.
    asio::awaitable<void> story(web_ask const& a, web_answer& out) {
        out.trouble = co_await connect();
        if (out.trouble.empty() && !stopped) {
            if (secret) co_await exchange(*secret, a, out);
            else co_await exchange(*plain, a, out);
        }
    }
};

web_client::web_client(web_server s) : wire_(std::make_unique<wire>(std::move(s))) {
    if (wire_->server.port.empty()) wire_->server.port = wire_->server.tls ? "443" : "80";
}
web_client::~web_client() = default;

web_answer web_client::ask(web_ask const& a) {
    auto& w = *wire_;
    web_answer out;
    if (w.stopped) return out.trouble = "stopped", out;
    bool done = false;
    std::exception_ptr broken;
    w.io.restart();
    asio::co_spawn(w.io, w.story(a, out), [&](std::exception_ptr e) { broken = e, done = true; });
    while (!done) {
        if (w.io.stopped()) w.io.restart();
        if (w.stopped && w.open()) w.lowest().close();          // everything under way ends with an error, and the story with it
        w.io.run_one_for(std::chrono::milliseconds(w.stopped ? 50 : 1000));
    }
    w.close();
    if (w.stopped) return {.trouble = "stopped"};
    if (broken) return {.trouble = "the request could not be made"};
    return out;
}

void web_client::stop() {
    wire_->stopped = true;
    wire_->io.stop();
}

}
