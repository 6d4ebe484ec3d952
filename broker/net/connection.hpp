#pragma once
// One MQTT connection past CONNECT, on the home shard of its session: callbacks only, no coroutine, no buffer while idle.
//
//   readable -> read into the shard's buffer -> whole packets to protocol -> replies gather in out()
//   turn end -> one write -> blocked? then wait until writable
//
//   state: login (CONNECT handed on, no CONNACK out yet, not read unless AUTH asked for more) -> running -> closing (flush) -> lingering -> dead

#include "broker/net/channel.hpp"
#include "broker/net/errc.hpp"
#include "broker/net/hub.hpp"
#include "broker/net/inbox.hpp"
#include "broker/net/newcomer.hpp"
#include "broker/net/send_queue.hpp"

namespace airmail::net {

/// Owned by: its hub. About 250 bytes, with nothing on the heap while idle on plain TCP.
class connection final : public handlers::peer, watcher {
public:
    connection(hub& h, arrival& a);
    ~connection();
    connection(connection const&) = delete;
    connection& operator=(connection const&) = delete;

    /// True when the authority of its certificate has taken that back. Asks the lists of now.
    bool revoked() const;
    /// Hands the CONNECT to the protocol. `a` is the arrival it was made from.
    void start(arrival const& a);

    bytes& out() override;
    void out_shared(byte_view head, storage::message_ptr body) override;
    std::size_t out_bytes() const override { return queue_.bytes_waiting(); }
    void close(codec::reason r, std::string_view why) override;
    void pause_reading(bool on) override;
    handlers::listener_rules const& rules() const override { return *from_->rules; }
    std::uint64_t connection_number() const override { return number_; }
    /// Valid until the fourth next call on this thread: made when asked for, since only logs ask.
    std::string_view address() const override;
    acl::identity const* certificate() const override { return certificate_.get(); }

private:
    friend class hub;
    enum class state : std::uint8_t { login, running, closing, lingering, dead };

    // Reading: connection_read.cpp
    void ready(std::uint32_t events) override;
    void read();
    /// Handles whole packets of `data`; returns how many bytes they were.
    std::size_t consume(byte_view data);
    void keep(byte_view data, bool in_inbox, std::size_t consumed);
    void read_again();
    void linger();

    // Writing: connection_write.cpp
    void flush();
    void look_for_connack();
    void finish();
    void watch();
    /// Tells the poller, or the tunnel's end, what this waits for. False when the kernel refuses.
    bool begin_watching();

    // Logging in: connection_login.cpp
    /// True when it was told to come again later.
    bool held_off(codec::connect_view const& c, std::string_view assigned_id);
    /// The answer that was decided before its CONNECT was read.
    void turn_away(codec::reason r, std::string_view why, std::string_view client_id);
    void login_failed();
    void logged_in();

    // Ending
    void end(errc why);
    void on_timer();
    void arm_timer();
    /// When it is to be cut, if nothing comes and nothing is taken until then.
    shard::instant due(std::int64_t silence_allowed) const;
    void forgive_pause(std::int64_t silence_allowed);
    bool alive() const { return state_ <= state::running; }
    /// Packets are taken: after CONNACK, and during enhanced authentication before it.
    bool listens() const { return (state_ == state::running || (state_ == state::login && proving_)) && !paused_; }

    struct clock : shard::timer {
        explicit clock(connection& c) : timer{[](shard::timer& t) { static_cast<clock&>(t).of.on_timer(); }}, of{c} {}
        connection& of;
    };

    hub& hub_;
    channel wire_;
    origin_ptr from_;
    std::uint64_t number_;
    shard::instant heard_at_;
    shard::instant progress_at_ = 0;  // when the peer last took something, while blocked_
    clock clock_{*this};
    inbox inbox_;
    send_queue queue_;
    std::unique_ptr<acl::identity> certificate_;
    standing_ptr standing_;           // what its certificate's authority says; null when nobody asks
    std::unique_ptr<caller> caller_;  // only until it has logged in
    endpoint address_;
    std::uint32_t place_ = 0;         // in hub_.all_
    std::uint32_t watching_ = 0;      // epoll events
    state state_ = state::login;
    bool dirty_ = false;              // in hub_.dirty_
    bool again_ = false;              // in hub_.again_
    bool paused_ = false;
    bool blocked_ = false;            // the kernel took less than we have
    bool gone_ = false;               // protocol was told
    bool ending_ = false;             // in hub_.ended_
    bool proving_ = false;            // AUTH went out before CONNACK: the answer is read [MQTT-4.12.0-2]
    bool logged_in_ = false;          // a CONNACK of success went out (is about to)
};

}
