#pragma once
// An asynchronous MQTT 5 / 3.1.1 client for fleets: callbacks, one write per loop turn, nothing kept for an idle connection
// but its state (under 2 KiB without TLS). Thousands live on one io_context.

#include "broker/codec/framer.hpp"
#include "tools/client/errc.hpp"
#include "tools/client/inflight.hpp"
#include "tools/client/options.hpp"
#include "tools/client/wire.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <functional>
#include <memory>

namespace airmail::client {

class client;

/// What a client tells. One set may serve any number of clients: each call names its client (see client::tag). A callback may
/// call anything on the client, also connect() in on_closed; it may not run the io_context. Unset ones are not called.
struct handlers {
    /// CONNACK; after a failure code on_closed follows.
    std::function<void(client&, codec::connack_view const&)> on_connack;
    /// A PUBLISH. The view dies with the call; QoS 2 duplicates do not come here; the acknowledgement goes out afterwards.
    std::function<void(client&, codec::publish_view const&)> on_message;
    /// A request is answered.
    std::function<void(client&, ack_event const&)> on_ack;
    /// The connection has ended, for whatever reason; called once per connect(), except after drop().
    std::function<void(client&, close_info const&)> on_closed;
};

/// Owned by: the thread of its io_context; every call is made there. Reusable: connect() again after on_closed, and what was
/// in flight is sent again when the server still has the session [MQTT-4.4.0-1].
class client : public std::enable_shared_from_this<client> {
public:
    using clock = std::chrono::steady_clock;

    /// A client at rest. From connect() on it keeps itself alive until on_closed or drop().
    static std::shared_ptr<client> make(boost::asio::io_context& io, std::shared_ptr<handlers const> h);
    ~client();
    client(client const&) = delete;
    client& operator=(client const&) = delete;

    /// Begins. @return invalid_argument, already_connected or tls_failed at once; everything later comes through on_closed.
    error_code connect(connect_options const& o);

    /// Queues a PUBLISH. @return its packet id (0 for QoS 0); not_connected, invalid_argument, packet_too_large, queue_full
    /// (counted), packet_ids_exhausted. QoS 1 and 2 beyond the server's Receive Maximum are held, within the queue's bound.
    result<std::uint16_t> publish(publication const& p);
    /// Queues a SUBSCRIBE; `id` is the Subscription Identifier (v5, 0 = none). @return its packet id, or as publish().
    result<std::uint16_t> subscribe(std::span<subscription const> filters, std::uint32_t id = 0);
    /// Queues an UNSUBSCRIBE. @return its packet id, or as publish().
    result<std::uint16_t> unsubscribe(std::span<std::string_view const> filters);
    /// Sends DISCONNECT behind everything queued, then closes; on_closed tells when it is over. 3.1.1 has no reasons: anything
    /// but success closes without DISCONNECT there, so that the will is published.
    void disconnect(codec::reason why = codec::reason::success, std::span<user_property const> user = {});
    /// Closes now, without DISCONNECT and without on_closed: what a power cut looks like (`reset`: RST instead of FIN).
    void drop(bool reset = false);

    /// Deadlines and keep alive; about once a second when options.own_timer is false.
    void tick(clock::time_point now);

    bool online() const { return state_ == state::online; }
    bool idle() const { return state_ == state::idle; }
    codec::version protocol() const { return version_; }
    /// Requests without an answer, held ones included.
    std::size_t unanswered() const { return inflight_.size(); }
    /// Bytes queued and not yet written.
    std::size_t queued_bytes() const { return out_.size() - written_; }
    /// Time at which the CONNECT was begun.
    client::clock::time_point began() const { return began_; }
    counters const& counted() const { return counted_; }

    std::uint64_t tag = 0;  // the caller's own, for shared handlers

private:
    enum class state : std::uint8_t { idle, resolving, connecting, shaking_hands, greeting, online, leaving };
    using timer = boost::asio::basic_waitable_timer<clock, boost::asio::wait_traits<clock>, boost::asio::io_context::executor_type>;

    client(boost::asio::io_context& io, std::shared_ptr<handlers const> h);

    // connecting.cpp: from options to a greeting
    void reset_connection();
    void resolve(std::string const& host, std::uint16_t port);
    void open_socket(boost::asio::ip::tcp::endpoint to);
    void shake_hands();

    // client.cpp: reading, writing, deadlines, the end
    void wait_readable();
    void wait_writable();
    void on_readable();
    void on_writable();
    void schedule_flush();
    void flush();
    void end(close_info why);
    void fail(errc e, codec::reason code = codec::reason::success);
    void fail_wire();
    void start_timer();
    /// True while the connection that a handler belongs to is still this one.
    bool current(std::uint32_t generation) const { return generation == generation_; }

    // incoming.cpp: what the server sent
    bool take(byte_view in);
    std::size_t take_packets(byte_view in);
    void on_packet(codec::frame const& f);
    codec::reason on_connack(codec::frame const& f);
    codec::reason on_publish(codec::frame const& f);
    codec::reason on_ack(codec::frame const& f);
    codec::reason on_suback(codec::frame const& f);
    codec::reason on_disconnect(codec::frame const& f);
    codec::reason resolve_alias(codec::publish_view& p);
    void answer(codec::publish_view const& p);
    void tell_ack(codec::packet_type type, std::uint16_t id, std::span<codec::reason const> codes, codec::properties const& props);
    void resume(bool session_present);

    // requests.cpp
    error_code check(std::size_t size) const;
    error_code refused(error_code why);
    void send_held();

    wire wire_;
    boost::asio::io_context& io_;
    std::shared_ptr<handlers const> handlers_;
    bytes out_;      // queued; the first written_ bytes are gone
    bytes partial_;  // an unfinished packet
    std::size_t written_ = 0, queue_bytes_max_ = 0, held_bytes_ = 0;
    inflight inflight_;
    std::vector<std::uint16_t> received_;  // QoS 2 ids between PUBREC and PUBREL [MQTT-4.3.3-10]
    std::unique_ptr<std::vector<std::string>> aliases_;
    std::unique_ptr<timer> timer_;
    clock::time_point began_{}, deadline_{}, sent_at_{}, pinged_at_{};
    std::uint32_t generation_ = 0, server_packet_max_ = 0, packet_max_ = 0;
    std::uint16_t keep_alive_ = 0, send_quota_ = 0, alias_max_ = 0, server_alias_max_ = 0;
    codec::version version_ = codec::version::v5;
    state state_ = state::idle;
    bool flush_posted_ = false, waiting_write_ = false, reading_paused_ = false, sent_since_tick_ = false, ping_open_ = false;
    bool resumable_ = false, finished_ = false;
    counters counted_;
};

}
