#include "broker/net/websocket.hpp"

#include "broker/log/log.hpp"
#include "broker/net/channel_stream.hpp"
#include "broker/net/counters.hpp"
#include "broker/net/greeting.hpp"
#include "broker/net/websocket_request.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <optional>

namespace airmail::net {
namespace {

namespace http = boost::beast::http;
namespace ws = boost::beast::websocket;
using error_code = boost::system::error_code;

/// How long a peer may take to read our last words.
constexpr std::int64_t farewell_ms = 2000;
constexpr std::size_t read_bytes = 4096;

class web_socket final : public guest, public far_end, public std::enable_shared_from_this<web_socket> {
public:
    web_socket(hub& h, std::unique_ptr<arrival> a)
        : hub_{&h}, peer_{std::move(a)}, from_{peer_->from}, number_{peer_->number}, address_{peer_->address},
          wire_{h.sockets(), h.shard().io(), std::move(peer_->wire)} {
        count::newcomers.add(1);
        count::websockets.add(1);
    }
    ~web_socket() override { count::websockets.add(-1); }

    void start() {
        if (!wire_.open()) return drop(errc::socket_failed);
        hub_->shard().timers().arm(deadline_, peer_->accepted_at + from_->limits.connect_timeout);
        request_.emplace();
        request_->header_limit(from_->websocket->header_bytes_max);
        request_->body_limit(1);  // a body is not read; its announcement alone is an error
        buffer_.max_size(from_->websocket->header_bytes_max + read_bytes);
        http::async_read_header(wire_, buffer_, *request_, [self = shared_from_this()](error_code ec, std::size_t) { self->requested(ec); });
    }

    // guest
    void goodbye() override {
        if (peer_) drop(errc::shutting_down);  // past CONNECT its connection says goodbye
    }
    void shut() override {
        deadline_.cancel();
        if (peer_) count::newcomers.add(-1);
        wire_.close();
        stage_ = stage::over;
        hub_ = nullptr;
    }

    // far_end
    void send(bytes b) override {
        if (stage_ != stage::open) return;
        waiting_.push_back(std::move(b));
        write();
    }
    void credit(std::size_t n) override {
        delivered_ -= std::min(n, delivered_);
        if (held_ && delivered_ < tunnel::window_bytes) held_ = false, read();
    }
    void finish() override {
        if (stage_ != stage::open) return;
        finishing_ = true;
        if (!writing_) say_goodbye(ws::close_code::normal);
    }
    void abandon() override {
        home_.reset();
        if (stage_ == stage::closing) return;  // our last words are on their way
        end();
    }

private:
    enum class stage : std::uint8_t { request, answer, open, closing, over };

    // The HTTP request.

    void requested(error_code ec) {
        if (stage_ != stage::request) return;
        if (ec == http::error::header_limit) return refuse(request_verdict{431, "the request's header is too large"});
        if (ec == http::error::end_of_stream || ec == boost::asio::error::eof || ec == boost::asio::error::connection_reset) return drop(errc::closed_by_peer);
        if (ec) return refuse(request_verdict{400, "not an HTTP request"});
        auto const& r = request_->get();
        auto verdict = judge({.target = r.target(), .origin = r[http::field::origin], .has_origin = r.count(http::field::origin) != 0,
                              .subprotocols = r[http::field::sec_websocket_protocol], .is_upgrade = ws::is_upgrade(r)},
                             *from_->websocket);
        if (!verdict.status && buffer_.size()) verdict = {400, "bytes follow the request before it was answered"};
        if (verdict.status) return refuse(verdict);
        accept(verdict.subprotocol);
    }

    void refuse(request_verdict const& v) {
        count::websocket_refused.add();
        if (hub_->may_log())
            log::info("net", {{"conn", number_}, {"address", address_.text()}, {"listener", from_->rules->name}, {"status", v.status}},
                      "WebSocket refused: {}", v.why);
        stage_ = stage::answer;
        auto answer = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(v.status), 11);
        answer->set(http::field::content_type, "text/plain");
        if (v.status == 426) answer->set(http::field::upgrade, "websocket");
        answer->keep_alive(false);
        answer->body() = std::string{v.why} + "\n";
        answer->prepare_payload();
        http::async_write(wire_, *answer, [self = shared_from_this(), answer](error_code, std::size_t) {
            if (self->stage_ != stage::answer) return;
            self->wire_.finish();
            self->linger();
        });
    }

    /// The peer's remaining bytes are taken, so that closing does not reset what it was told.
    void linger() {
        hub_->shard().timers().arm_in(deadline_, farewell_ms);
        wire_.async_read_some(boost::asio::buffer(in_), [self = shared_from_this()](error_code ec, std::size_t) {
            if (self->stage_ != stage::answer) return;
            ec ? self->end() : self->linger();
        });
    }

    void accept(std::string_view subprotocol) {
        stage_ = stage::answer;
        socket_.set_option(ws::stream_base::timeout{ws::stream_base::none(), ws::stream_base::none(), false});  // our timers
        socket_.set_option(ws::stream_base::decorator([word = std::string{subprotocol}](ws::response_type& r) {
            r.set(http::field::sec_websocket_protocol, word);  // [MQTT-6.0.0-4]
            r.erase(http::field::server);
        }));
        socket_.read_message_max(from_->websocket->message_bytes_max);
        socket_.binary(true);
        socket_.auto_fragment(false);
        socket_.async_accept(request_->get(), [self = shared_from_this()](error_code ec) {
            if (self->stage_ != stage::answer) return;
            if (ec) return count::websocket_refused.add(), self->drop(errc::http_refused, ec.message());
            self->request_.reset();
            self->buffer_ = {};
            self->stage_ = stage::open;
            count::websocket_upgrades.add();
            self->read();
        });
    }

    // From the peer to its session.

    void read() {
        if (stage_ != stage::open || reading_) return;
        if (delivered_ >= tunnel::window_bytes) {
            held_ = true;
            return count::websocket_paused.add();
        }
        reading_ = true;
        socket_.async_read_some(boost::asio::buffer(in_), [self = shared_from_this()](error_code ec, std::size_t n) { self->got(ec, n); });
    }

    void got(error_code ec, std::size_t n) {
        reading_ = false;
        if (stage_ != stage::open) return;
        if (ec) return lost(ec);
        if (socket_.got_text()) {
            // Whatever is in it. [MQTT-6.0.0-1]
            count::websocket_text.add();
            if (hub_->may_log())
                log::info("net", {{"conn", number_}, {"address", address_.text()}, {"listener", from_->rules->name}}, "closed: text frame on a WebSocket");
            tell_home([](near_end& e) { e.ended(); });
            return say_goodbye(ws::close_code::unknown_data);
        }
        if (finishing_) return read();  // it was told goodbye; what it says now is nobody's
        byte_view const fresh{in_.data(), n};
        // Frames and packets need not begin together. [MQTT-6.0.0-2]
        peer_ ? look_for_connect(fresh) : pass_on(fresh);
        read();
    }

    void look_for_connect(byte_view fresh) {
        auto& read = peer_->read;
        read.insert(read.end(), fresh.begin(), fresh.end());
        auto g = greet(read, from_->rules->packet_bytes_max_before_login);
        if (g.is == greeting::verdict::more) return;
        if (g.is == greeting::verdict::refused) {
            count::cut_not_mqtt.add();
            if (hub_->may_log())
                log::info("net", {{"conn", number_}, {"address", address_.text()}, {"listener", from_->rules->name}, {"why", name(errc::not_mqtt)}},
                          "refused before CONNECT: {}", g.why);
            if (g.answer.empty()) return say_goodbye(ws::close_code::protocol_error);
            finishing_ = true;
            return send(std::move(g.answer));
        }
        go_home(std::move(g));
    }

    void go_home(greeting g) {
        peer_->connect_bytes = g.size;
        auto& here = hub_->shard();
        auto const home = home_of(*hub_, *peer_, g.connect);
        home_ = std::make_shared<near_end>(hub_->others().hubs[home]->shard(), here.index(), weak_from_this());
        home_shard_ = home;
        peer_->wire = channel{std::make_unique<tunnel>(home_)};
        // What followed the CONNECT goes the way of all later packets.
        bytes const rest(peer_->read.begin() + static_cast<std::ptrdiff_t>(g.size), peer_->read.end());
        peer_->read.resize(g.size);
        version_ = g.connect.protocol;
        deadline_.cancel();
        count::newcomers.add(-1);
        send_home(*hub_, home, std::move(peer_));
        if (!rest.empty()) pass_on(rest);
    }

    /// Mails the whole packets that are there; keeps the rest.
    void pass_on(byte_view fresh) {
        unfinished_.insert(unfinished_.end(), fresh.begin(), fresh.end());
        std::size_t whole = 0;
        while (whole < unfinished_.size()) {
            auto const f = codec::next_frame(byte_view{unfinished_}.subspan(whole), version_, from_->rules->packet_bytes_max);
            if (!f) {
                whole = unfinished_.size();  // the session's shard says what is wrong with it
                break;
            }
            if (!f->complete()) break;
            whole += f->size;
        }
        if (!whole) return;
        bytes packets;
        if (whole == unfinished_.size()) packets.swap(unfinished_);
        else {
            packets.assign(unfinished_.begin(), unfinished_.begin() + static_cast<std::ptrdiff_t>(whole));
            unfinished_.erase(unfinished_.begin(), unfinished_.begin() + static_cast<std::ptrdiff_t>(whole));
        }
        delivered_ += whole;
        tell_home([packets = std::move(packets)](near_end& e) mutable { e.deliver(std::move(packets)); });
    }

    template <class F> void tell_home(F f) {
        if (!home_) return;
        hub_->shard().post(home_shard_, [home = home_, f = std::move(f)]() mutable { f(*home); });
    }

    // From the session to its peer.

    void write() {
        if (writing_ || waiting_.empty()) return;
        writing_ = true;
        leaving_ = std::move(waiting_.front());
        if (!begun_.empty()) leaving_.insert(leaving_.begin(), begun_.begin(), begun_.end()), begun_.clear();
        waiting_.pop_front();
        left_ = 0;
        write_frame();
    }

    /// A packet is a frame of its own, although frames and packets need not begin together [MQTT-6.0.0-2]: Eclipse Paho for C
    /// looks for the second packet of a frame only when the socket is readable again. What one piece of the tunnel has of a
    /// packet that goes on in the next is a frame too.
    void write_frame() {
        byte_view const rest = byte_view{leaving_}.subspan(left_);
        std::size_t size = std::min(of_packet_, rest.size());
        if (size == 0) {
            auto const f = codec::next_frame(rest, version_);
            if (f && !f->complete() && rest.size() < 5 && !knows_length(rest)) {
                begun_.assign(rest.begin(), rest.end());   // how long it is comes with the next piece
                leaving_.resize(left_);
                return written();
            }
            of_packet_ = !f ? rest.size() : f->complete() ? f->size : rest.size() + f->need;
            size = std::min(of_packet_, rest.size());
        }
        of_packet_ -= size;
        left_ += size;
        socket_.async_write(boost::asio::buffer(rest.data(), size), [self = shared_from_this()](error_code ec, std::size_t) { self->wrote(ec); });
    }

    void wrote(error_code ec) {
        if (!ec && stage_ == stage::open && left_ < leaving_.size()) return write_frame();
        if (stage_ == stage::open && ec) return writing_ = false, lost(ec);
        written();
    }
    static bool knows_length(byte_view front) {
        for (std::size_t i = 1; i < front.size(); ++i)
            if (!(front[i] & 0x80)) return true;
        return false;
    }

    void written() {
        writing_ = false;
        if (stage_ != stage::open) return;
        taken_ += leaving_.size();
        leaving_ = {};
        if (taken_ >= tunnel::credit_bytes) tell_home([n = std::exchange(taken_, 0)](near_end& e) { e.taken(n); });
        if (!waiting_.empty()) return write();
        if (finishing_) say_goodbye(ws::close_code::normal);
    }

    // The end.

    void say_goodbye(ws::close_code why) {
        if (stage_ != stage::open) return;
        stage_ = stage::closing;
        waiting_.clear();
        hub_->shard().timers().arm_in(deadline_, farewell_ms);
        if (peer_) count::newcomers.add(-1), hub_->others().doors.leave(address_, *from_->count, false), peer_.reset();
        if (writing_) return end();  // Beast sends one thing at a time; who does not read does not hear either
        socket_.async_close(why, [self = shared_from_this()](error_code) {
            if (self->stage_ == stage::closing) self->end();
        });
    }

    /// The peer closed, or its bytes broke the rules of WebSocket; Beast has answered what there was to answer.
    void lost(error_code ec) {
        if (ec == ws::error::bad_frame_payload) count::websocket_text.add();  // text, and not even UTF-8: Beast has said 1007
        if (peer_) return drop(errc::closed_by_peer);
        end();
    }

    void drop(errc why, std::string_view text = {}) {
        if (why == errc::connect_timeout) count::cut_connect_timeout.add();
        if (why != errc::closed_by_peer && hub_->may_log())
            log::info("net", {{"conn", number_}, {"address", address_.text()}, {"listener", from_->rules->name}, {"why", name(why)}},
                      "refused before CONNECT{}{}", text.empty() ? "" : ": ", text);
        end();
    }

    void end() {
        if (stage_ == stage::over) return;
        stage_ = stage::over;
        deadline_.cancel();
        if (peer_) count::newcomers.add(-1), hub_->others().doors.leave(address_, *from_->count, false), peer_.reset();
        tell_home([](near_end& e) { e.ended(); });
        wire_.close();
        hub_->ended(*this);
    }

    void too_late() { peer_ && stage_ != stage::closing && stage_ != stage::answer ? drop(errc::connect_timeout) : end(); }

    struct deadline : shard::timer {
        explicit deadline(web_socket& s) : timer{[](shard::timer& t) { static_cast<deadline&>(t).of.too_late(); }}, of{s} {}
        web_socket& of;
    };

    hub* hub_;
    std::unique_ptr<arrival> peer_;       // until its CONNECT goes home
    origin_ptr from_;
    std::uint64_t const number_;
    endpoint const address_;
    channel_stream wire_;
    ws::stream<channel_stream&, false> socket_{wire_};
    boost::beast::flat_buffer buffer_;    // of the HTTP request
    std::optional<http::request_parser<http::empty_body>> request_;
    std::array<std::uint8_t, read_bytes> in_;
    bytes unfinished_;                    // the beginning of a packet
    std::deque<bytes> waiting_;           // bounded by the tunnel's window
    bytes leaving_, begun_;               // begun_: the first bytes of a packet whose length is not known yet
    std::size_t left_ = 0;                // of leaving_, given to Beast
    std::size_t of_packet_ = 0;           // still to come of the packet that was begun
    std::shared_ptr<near_end> home_;
    unsigned home_shard_ = 0;
    codec::version version_ = codec::version::v5;
    std::size_t delivered_ = 0;           // and not yet read by the session's side
    std::size_t taken_ = 0;               // by the peer, and not yet told
    deadline deadline_{*this};
    stage stage_ = stage::request;
    bool reading_ = false, writing_ = false, held_ = false, finishing_ = false;
};

}

void begin_websocket(hub& h, std::unique_ptr<arrival> a) {
    auto s = std::make_shared<web_socket>(h, std::move(a));
    h.admit(s);
    s->start();
}

}
