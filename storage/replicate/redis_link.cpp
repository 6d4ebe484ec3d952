#include "storage/replicate/redis_link.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <fmt/core.h>
#include <hiredis/hiredis.h>
#include <optional>

namespace airmail::storage::replicate {
namespace {

using socket = asio::generic::stream_protocol::socket;

redis_reply owned(redisReply const& r) {
    redis_reply out;
    using kind = redis_reply::kind;
    switch (r.type) {
    case REDIS_REPLY_STRING: out.what = kind::text, out.text.assign(r.str, static_cast<std::size_t>(r.len)); break;
    case REDIS_REPLY_STATUS: out.what = kind::status, out.text.assign(r.str, static_cast<std::size_t>(r.len)); break;
    case REDIS_REPLY_ERROR: out.what = kind::error, out.text.assign(r.str, static_cast<std::size_t>(r.len)); break;
    case REDIS_REPLY_INTEGER: out.what = kind::number, out.number = r.integer; break;
    case REDIS_REPLY_ARRAY:
        out.what = kind::list;
        for (std::size_t i = 0; i < r.elements; ++i) out.list.push_back(owned(*r.element[i]));
        break;
    default: break;
    }
    return out;
}

void append(std::string& out, redis_command const& c) {
    std::vector<char const*> words;
    std::vector<std::size_t> sizes;
    for (auto const& w : c) words.push_back(w.data()), sizes.push_back(w.size());
    char* text = nullptr;
    auto const n = redisFormatCommandArgv(&text, static_cast<int>(words.size()), words.data(), sizes.data());
    if (n > 0) out.append(text, static_cast<std::size_t>(n));
    redisFreeCommand(text);
}

}

struct redis_link::wire {
    explicit wire(asio::any_io_executor const& where) : plain(where), reader(redisReaderCreate()) {}
    ~wire() { redisReaderFree(reader); }
    /// Ends whatever is under way.
    void cut() {
        boost::system::error_code ignored;
        plain.close(ignored);
    }
    socket plain;
    std::optional<asio::ssl::context> context;
    std::optional<asio::ssl::stream<socket&>> secure;
    redisReader* reader;
};

redis_link::redis_link(asio::any_io_executor where) : where_(std::move(where)) {}
redis_link::~redis_link() { close(); }

void redis_link::close() {
    if (wire_) wire_->cut();
    wire_.reset();
}

namespace {

/// Cuts the wire when time is up; asked to stop, it does nothing.
template <class Wire> std::unique_ptr<asio::steady_timer> guard(asio::any_io_executor const& where, std::shared_ptr<Wire> w, std::chrono::milliseconds timeout) {
    auto t = std::make_unique<asio::steady_timer>(where, timeout);
    t->async_wait([w](boost::system::error_code ec) {
        if (!ec) w->cut();
    });
    return t;
}

std::string secure_words(asio::ssl::context& c, redis_login const& l) {
    boost::system::error_code ec;
    c.set_verify_mode(asio::ssl::verify_peer, ec);
    if (l.ca_file.empty()) c.set_default_verify_paths(ec);
    else c.load_verify_file(l.ca_file, ec);
    if (ec) return fmt::format("replicate_redis_cafile {}: {}", l.ca_file, ec.message());
    if (!l.cert_file.empty()) c.use_certificate_chain_file(l.cert_file, ec);
    if (ec) return fmt::format("replicate_redis_certfile {}: {}", l.cert_file, ec.message());
    if (!l.key_file.empty()) c.use_private_key_file(l.key_file, asio::ssl::context::pem, ec);
    if (ec) return fmt::format("replicate_redis_keyfile {}: {}", l.key_file, ec.message());
    return {};
}

std::vector<redis_command> greeting(redis_login const& l) {
    std::vector<redis_command> out;
    if (!l.password.empty()) out.push_back(l.user.empty() ? redis_command{"AUTH", l.password} : redis_command{"AUTH", l.user, l.password});
    if (l.database) out.push_back({"SELECT", std::to_string(l.database)});
    out.push_back({"PING"});
    return out;
}

}

asio::awaitable<std::string> redis_link::connect(redis_endpoint const& to, redis_login const& login, std::chrono::milliseconds timeout) {
    close();
    peer_ = to;
    wire_ = std::make_shared<wire>(where_);
    auto const w = wire_;
    auto const timer = guard(where_, w, timeout);
    auto failed = [&](boost::system::error_code ec) { return fmt::format("{}: {}", to.str(), ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor ? "no answer in time" : ec.message()); };
    if (to.port.empty()) {
        auto [ec] = co_await w->plain.async_connect(asio::local::stream_protocol::endpoint(to.host), with_error);
        if (ec) co_return failed(ec);
    } else {
        asio::ip::tcp::resolver names(where_);
        auto [unknown, found] = co_await names.async_resolve(to.host, to.port, with_error);
        if (unknown) co_return failed(unknown);
        boost::system::error_code last = asio::error::host_not_found;
        for (auto const& f : found) {
            if (w->plain.is_open()) w->cut();
            auto [ec] = co_await w->plain.async_connect(f.endpoint(), with_error);
            if (last = ec; !ec) break;
        }
        if (last) co_return failed(last);
        boost::system::error_code ignored;
        w->plain.set_option(asio::ip::tcp::no_delay(true), ignored);
    }
    if (login.tls) {
        w->context.emplace(asio::ssl::context::tls_client);
        if (auto why = secure_words(*w->context, login); !why.empty()) co_return why;
        w->secure.emplace(w->plain, *w->context);
        w->secure->set_verify_callback(asio::ssl::host_name_verification(to.host));
        SSL_set_tlsext_host_name(w->secure->native_handle(), to.host.c_str());
        auto [ec] = co_await w->secure->async_handshake(asio::ssl::stream_base::client, with_error);
        if (ec) co_return fmt::format("{}: TLS: {}", to.str(), ec.message());
    }
    auto const hello = greeting(login);
    std::vector<redis_reply> replies;
    auto why = co_await run(hello, replies, timeout);
    if (!why.empty()) co_return why;
    for (auto const& r : replies)
        if (r.is_error()) co_return fmt::format("{}: {}", to.str(), r.text);
    co_return std::string();
}

asio::awaitable<std::string> redis_link::run(std::span<redis_command const> commands, std::vector<redis_reply>& replies, std::chrono::milliseconds timeout) {
    auto const w = wire_;
    if (!w) co_return peer_.str() + ": not connected";
    std::string out;
    for (auto const& c : commands) append(out, c);
    auto const timer = guard(where_, w, timeout);
    auto failed = [&](boost::system::error_code ec) { return fmt::format("{}: {}", peer_.str(), ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor ? "no answer in time" : ec.message()); };
    boost::system::error_code ec;
    if (w->secure) std::tie(ec, std::ignore) = co_await asio::async_write(*w->secure, asio::buffer(out), with_error);
    else std::tie(ec, std::ignore) = co_await asio::async_write(w->plain, asio::buffer(out), with_error);
    if (ec) co_return failed(ec);
    std::string piece(64 * 1024, '\0');
    for (std::size_t left = commands.size(); left > 0;) {
        void* reply = nullptr;
        if (redisReaderGetReply(w->reader, &reply) != REDIS_OK) co_return fmt::format("{}: not Redis' protocol: {}", peer_.str(), w->reader->errstr);
        if (reply) {
            replies.push_back(owned(*static_cast<redisReply*>(reply)));
            freeReplyObject(reply);
            --left;
            continue;
        }
        std::size_t n = 0;
        if (w->secure) std::tie(ec, n) = co_await w->secure->async_read_some(asio::buffer(piece), with_error);
        else std::tie(ec, n) = co_await w->plain.async_read_some(asio::buffer(piece), with_error);
        if (ec) co_return failed(ec);
        redisReaderFeed(w->reader, piece.data(), n);
    }
    co_return std::string();
}

}
