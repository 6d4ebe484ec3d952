#pragma once
// Bodies of session.hpp; included by the two files that instantiate it.

#include "broker/admin/range.hpp"
#include "broker/admin/routes.hpp"
#include "broker/admin/session.hpp"
#include "broker/admin/session_text.hpp"
#include "broker/admin/websocket.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::admin {

namespace http = boost::beast::http;
using error_code = boost::system::error_code;
constexpr auto awaiting = boost::asio::use_awaitable;

/// Closes the connection when a phase takes too long; one timer per connection, re-armed per phase.
class phase_deadline {
public:
    phase_deadline(boost::asio::io_context& io, std::function<void()> shut) : timer_(io), shut_(std::move(shut)) {}
    void arm(std::chrono::seconds t) {
        timer_.expires_after(t);
        timer_.async_wait([shut = shut_](error_code ec) {
            if (!ec) shut();
        });
    }
    void disarm() { timer_.cancel(); }

private:
    boost::asio::steady_timer timer_;
    std::function<void()> shut_;
};

/// Turns a callback of the house (any thread) into something a coroutine awaits on the HTTP thread.
template <class Value, class Start> boost::asio::awaitable<Value> bring_home(boost::asio::io_context& io, Start start) {
    auto begin = [&io, start = std::move(start)](auto handler) mutable {
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        auto work = boost::asio::make_work_guard(io);
        start([&io, kept, work](Value v) {
            boost::asio::post(io, [kept, v = std::move(v)]() mutable { (*kept)(std::move(v)); });
        });
    };
    return boost::asio::async_initiate<decltype(awaiting) const, void(Value)>(std::move(begin), awaiting);
}

/// A file opened for one transfer and closed with it, or what the house has opened.
struct open_file {
    int fd = -1;
    std::uint64_t size = 0;
    std::shared_ptr<content> opened;
    explicit open_file(response const& answer) : opened(answer.opened) {
        if (opened) size = opened->size();
        else open(answer.file_path);
        if (answer.file_bytes) size = std::min(size, answer.file_bytes);
    }
    void open(std::string const& path) {
        fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;
        if (fd >= 0 && ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) size = static_cast<std::uint64_t>(st.st_size);
        else if (fd >= 0) ::close(fd), fd = -1;
    }
    open_file(open_file const&) = delete;
    ~open_file() {
        if (fd >= 0) ::close(fd);
    }
    bool there() const { return fd >= 0 || opened; }
    /// Bytes read; 0 or less: it ends here, or has gone bad.
    ssize_t get(std::uint64_t at, std::uint8_t* to, std::size_t n) const {
        if (opened) return opened->read(at, {to, n}) ? static_cast<ssize_t>(n) : -1;
        return ::pread(fd, to, n, static_cast<off_t>(at));
    }
};

/// Half a close: the peer may go on sending, and knows that we have said all.
template <class Stream> boost::asio::awaitable<void> say_the_end(Stream& s, error_code& ec) {
    if constexpr (requires { s.async_shutdown(awaiting); }) co_await s.async_shutdown(boost::asio::redirect_error(awaiting, ec));
    else s.shutdown(Stream::shutdown_send, ec);
}

template <class Stream> class session_story {
public:
    session_story(http_server::world w, std::shared_ptr<Stream> s, std::function<void()> shut, arrival who)
        : w_(w), stream_(std::move(s)), shut_(std::move(shut)), who_(std::move(who)), deadline_(w.io, shut_) {}

    boost::asio::awaitable<void> run() {
        buffer_.max_size(w_.limits.header_bytes_max + (64u << 10));
        bool more = true;
        while (more) {
            deadline_.arm(first_ ? w_.limits.deadline : w_.limits.idle);
            first_ = false;
            more = co_await one_request();
        }
        deadline_.disarm();
    }

private:
    boost::asio::awaitable<bool> one_request() {
        http::request_parser<http::buffer_body> parser;
        parser.header_limit(w_.limits.header_bytes_max);
        parser.body_limit(w_.limits.upload_bytes_max);
        error_code ec;
        co_await http::async_read_header(*stream_, buffer_, parser, boost::asio::redirect_error(awaiting, ec));
        request r = describe(parser.get());
        if (ec == http::error::header_limit) {
            response too_long = problem(431, "http.header_too_large", "the request header is larger than the limit", r.request_id);
            co_await write(std::move(too_long), r, false);
            co_return false;
        }
        if (ec) co_return false;
        deadline_.arm(w_.limits.deadline);
        ++w_.count.requests;
        keep_alive_ = parser.get().keep_alive();
        response answer = co_await answer_to(parser, r);
        if (gone_) co_return false;
        bool const again = keep_alive_ && parser.is_done();
        bool const more = co_await write(std::move(answer), r, again);
        if (!parser.is_done()) co_await linger();
        co_return more;
    }

    /// The answer is out and the peer still sends what was refused. Closed now, the kernel would answer those bytes with a reset, and a
    /// reset throws away what the peer has not yet read: our answer. So we say that nothing more comes, and drop what does, to a bound.
    /// [RFC9112-9.6]
    boost::asio::awaitable<void> linger() {
        error_code ec;
        deadline_.arm(w_.limits.linger);
        ++w_.count.lingered;
        co_await say_the_end(*stream_, ec);
        piece_.resize(64u << 10);
        std::uint64_t dropped = 0;
        while (!ec && dropped < w_.limits.linger_bytes_max)
            dropped += co_await stream_->async_read_some(boost::asio::buffer(piece_), boost::asio::redirect_error(awaiting, ec));
        if (dropped >= w_.limits.linger_bytes_max || ec == boost::asio::error::operation_aborted) ++w_.count.lingers_cut;
    }

    request describe(http::request<http::buffer_body> const& h) {
        request r;
        r.from = who_.from;
        r.peer = who_.peer;
        r.role = who_.role;
        r.caller = r.kind = who_.role.empty() ? "" : "control";
        r.verb = std::string(h.method_string());
        std::string target(h.target());
        auto q = target.find('?');
        r.path = target.substr(0, q);
        if (q != target.npos) r.query = target.substr(q + 1);
        r.headers = header_lines(h);
        r.cookie = std::string(h[http::field::cookie]);
        r.upgrade = boost::beast::websocket::is_upgrade(h);
        r.range = std::string(h[http::field::range]);
        r.if_range = std::string(h[http::field::if_range]);
        auto auth = h[http::field::authorization];
        if (auth.size() > 7 && boost::beast::iequals(auth.substr(0, 7), "bearer ")) r.bearer = std::string(auth.substr(7));
        r.request_id = new_request_id();
        return r;
    }

    boost::asio::awaitable<response> answer_to(http::request_parser<http::buffer_body>& parser, request& r) {
        if (who_.from == door::metrics) co_return health(w_.house, r);
        plan p = decide(w_.house, r);
        if (p.refuse) co_return std::move(p.refusal);
        if (p.needs_login && !r.bearer.empty()) {
            auto& house = w_.house;
            auto look_up = [&house, key = r.bearer](auto done) { house.authenticate(key, std::move(done)); };
            auto found = co_await bring_home<std::optional<caller>>(w_.io, std::move(look_up));
            if (found) {
                r.caller = found->name;
                r.role = found->role;
                r.scope = found->scope;
                r.kind = found->kind;
            }
        }
        p = admit(std::move(p), r);
        if (p.refuse) co_return std::move(p.refusal);
        if (p.match.socket && r.upgrade) co_return co_await upgrade(parser, r);
        response trouble;
        bool const taken = p.match.body_to_file ? co_await body_to_disk(p.match, parser, r, trouble) : co_await body_to_memory(parser, r, trouble);
        if (!taken) co_return trouble;
        deadline_.disarm();  // the house has its own deadlines; the peer has nothing to do meanwhile
        auto& house = w_.house;
        auto ask = [&house, match = p.match, asked = r](auto done) mutable { house.serve(match, std::move(asked), std::move(done)); };
        response answer = co_await bring_home<response>(w_.io, std::move(ask));
        co_return answer;
    }

    /// A WebSocket until it ends; the answer is only for a refusal.
    boost::asio::awaitable<response> upgrade(http::request_parser<http::buffer_body>& parser, request& r) {
        auto peer = std::make_shared<websocket_peer<Stream>>(stream_, w_.io, shut_);
        response refusal;
        auto session = w_.house.open_socket(r, peer, refusal);
        if (!session) co_return refusal;
        deadline_.disarm();  // from here on Beast's own time-outs hold: 10 s for the handshake, a ping every 15 s, 30 s of silence
        co_await peer->run(parser.get(), session);
        gone_ = true;
        co_return refusal;
    }

    /// Reads the next piece of the body into `piece_`; empty at the end or on error (then `ec`).
    boost::asio::awaitable<std::span<std::uint8_t const>> next_piece(http::request_parser<http::buffer_body>& parser, error_code& ec) {
        piece_.resize(64u << 10);
        auto& body = parser.get().body();
        body.data = piece_.data();
        body.size = piece_.size();
        body.more = true;
        deadline_.arm(w_.limits.deadline);
        co_await http::async_read(*stream_, buffer_, parser, boost::asio::redirect_error(awaiting, ec));
        if (ec == http::error::need_buffer) ec = {};
        co_return std::span<std::uint8_t const>(piece_.data(), piece_.size() - body.size);
    }

    boost::asio::awaitable<bool> body_to_memory(http::request_parser<http::buffer_body>& parser, request& r, response& trouble) {
        error_code ec;
        auto const announced = parser.content_length();
        bool large = announced && *announced > w_.limits.body_bytes_max;      // then nothing of it needs to come
        while (!large && !parser.is_done()) {
            auto piece = co_await next_piece(parser, ec);
            large = r.body.size() + piece.size() > w_.limits.body_bytes_max;
            if (large) break;
            r.body.append(reinterpret_cast<char const*>(piece.data()), piece.size());
            if (ec) break;
        }
        if (large) trouble = problem(413, "http.body_too_large", "the body is larger than the limit", r.request_id);
        else if (ec) trouble = problem(400, "http.body_broken", "the body ended early: " + ec.message(), r.request_id);
        r.body_size = r.body.size();
        co_return !large && !ec;
    }

    boost::asio::awaitable<bool> body_to_disk(route_match const& m, http::request_parser<http::buffer_body>& parser, request& r, response& trouble) {
        auto sink = w_.house.begin_upload(m, r, trouble);
        if (!sink) co_return false;
        error_code ec;
        while (!parser.is_done()) {
            auto piece = co_await next_piece(parser, ec);
            if (!piece.empty() && !sink->write(piece)) {
                trouble = problem(sink->status(), sink->code(), sink->why(), r.request_id);
                co_return false;
            }
            r.body_size += piece.size();
            if (ec) break;
        }
        if (ec) {
            bool const large = ec == http::error::body_limit;
            trouble = problem(large ? 413 : 400, large ? "http.body_too_large" : "http.body_broken", "the upload ended early: " + ec.message(), r.request_id);
            co_return false;
        }
        auto [path, digest] = sink->finish();
        if (path.empty()) {
            trouble = problem(sink->status(), sink->code(), sink->why(), r.request_id);
            co_return false;
        }
        r.body_file = path;
        r.body_sha256 = digest;
        co_return true;
    }

    boost::asio::awaitable<bool> write(response answer, request const& r, bool again) {
        w_.count.responses_4xx += answer.status >= 400 && answer.status < 500;
        w_.count.responses_5xx += answer.status >= 500;
        if (!answer.file_path.empty()) co_return co_await write_file(std::move(answer), r, again);
        std::string_view const body = answer.lasting.empty() ? std::string_view(answer.body) : answer.lasting;
        std::string head = status_line(answer.status) + common_headers(answer, r, again);
        if (answer.status != 204) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";  // [RFC9110-8.6] none in a 204
        head += "\r\n";
        bool const bare = r.verb == "HEAD" || answer.status == 204;
        if (!bare && answer.lasting.empty()) head += body;
        error_code ec;
        deadline_.arm(w_.limits.deadline);
        co_await boost::asio::async_write(*stream_, boost::asio::buffer(head), boost::asio::redirect_error(awaiting, ec));
        // Piece by piece, so that a slow reader has the deadline per piece and not for a megabyte.
        for (std::size_t at = 0; !bare && !ec && at < answer.lasting.size(); at += 64u << 10) {
            auto const piece = answer.lasting.substr(at, 64u << 10);
            deadline_.arm(w_.limits.deadline);
            co_await boost::asio::async_write(*stream_, boost::asio::buffer(piece.data(), piece.size()), boost::asio::redirect_error(awaiting, ec));
            w_.count.bytes_sent += piece.size();
        }
        w_.count.bytes_sent += head.size();
        co_return !ec && again;
    }

    boost::asio::awaitable<bool> write_file(response answer, request const& r, bool again) {
        open_file file(answer);
        if (!file.there()) {
            response gone = problem(404, "http.file_gone", "the file is no longer there", r.request_id);
            co_return co_await write(std::move(gone), r, again);
        }
        auto part = choose_range(r.range, r.if_range, answer.etag, file.size);
        using kind = byte_range::kind;
        bool const nothing = part.what == kind::unsatisfiable || file.size == 0;
        int const status = part.what == kind::whole ? 200 : part.what == kind::part ? 206 : 416;
        std::uint64_t const length = nothing ? 0 : part.size();
        std::string head = status_line(status) + common_headers(answer, r, again) + "Accept-Ranges: bytes\r\nETag: " + answer.etag + "\r\n";
        if (part.what == kind::part) head += "Content-Range: bytes " + std::to_string(part.first) + "-" + std::to_string(part.last) + "/" + std::to_string(file.size) + "\r\n";
        if (part.what == kind::unsatisfiable) head += "Content-Range: bytes */" + std::to_string(file.size) + "\r\n";
        head += "Content-Length: " + std::to_string(length) + "\r\n\r\n";
        error_code ec;
        deadline_.arm(w_.limits.deadline);
        co_await boost::asio::async_write(*stream_, boost::asio::buffer(head), boost::asio::redirect_error(awaiting, ec));
        if (ec) co_return false;
        if (r.verb == "HEAD" || nothing) co_return again;
        bool const whole = co_await pump(file, part.first, length, answer);
        co_return whole && again;
    }

    /// Sends `length` bytes from `first`, paced, until revoked, over budget or done.
    boost::asio::awaitable<bool> pump(open_file& file, std::uint64_t first, std::uint64_t length, response const& answer) {
        bool cut = false;
        std::function<void()> stop = [this, &cut] { cut = true, ++w_.count.transfers_cut, shut_(); };
        transfers::ticket ticket(w_.open, answer.revoke_token, std::move(stop));
        pacer pace(answer.rate_bytes_s);
        boost::asio::steady_timer wait(w_.io);
        piece_.resize(64u << 10);
        std::uint64_t sent = 0;
        error_code ec;
        while (sent < length && !cut) {
            auto const want = std::min<std::uint64_t>(piece_.size(), length - sent);
            auto const got = file.get(first + sent, piece_.data(), want);
            if (got <= 0) co_return false;  // truncated underneath us: the peer sees a short body, never wrong bytes
            deadline_.arm(w_.limits.deadline);
            auto const piece = boost::asio::buffer(piece_.data(), static_cast<std::size_t>(got));
            co_await boost::asio::async_write(*stream_, piece, boost::asio::redirect_error(awaiting, ec));
            if (ec) co_return false;
            sent += static_cast<std::uint64_t>(got);
            w_.count.bytes_sent += static_cast<std::uint64_t>(got);
            if (answer.byte_budget && sent >= answer.byte_budget && sent < length) co_return false;
            auto const now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
            auto const pause = pace.after(static_cast<std::uint64_t>(got), now);
            if (pause > 0 && sent < length) {
                deadline_.disarm();
                wait.expires_after(std::chrono::milliseconds(pause));
                co_await wait.async_wait(boost::asio::redirect_error(awaiting, ec));
            }
        }
        ++w_.count.files_sent;
        co_return !cut;
    }

    static std::string status_line(int status) {
        auto const code = static_cast<http::status>(status);
        return "HTTP/1.1 " + std::to_string(status) + " " + std::string(http::obsolete_reason(code)) + "\r\n";
    }

    static std::string common_headers(response const& answer, request const& r, bool again) {
        std::string h = "Server: airmail\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: " + r.request_id + "\r\n";
        h += "Content-Type: " + (answer.content_type.empty() ? std::string("application/octet-stream") : answer.content_type) + "\r\n";
        h += answer.headers;
        h += again ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
        return h;
    }

    http_server::world w_;
    std::shared_ptr<Stream> stream_;
    std::function<void()> shut_;
    arrival who_;
    phase_deadline deadline_;
    boost::beast::flat_buffer buffer_;
    std::vector<std::uint8_t> piece_;
    bool keep_alive_ = true, first_ = true, gone_ = false;
};

template <class Stream>
boost::asio::awaitable<void> serve_connection(http_server::world w, std::shared_ptr<Stream> stream, std::function<void()> shut, arrival who) {
    session_story<Stream> story(w, stream, shut, std::move(who));
    co_await story.run();
    shut();
}

}
