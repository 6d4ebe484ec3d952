#pragma once
// All connections of one shard, and what they share: borrowed buffers, the list of those that have something to send. The
// hub's turn-end hook is where bytes leave: gone() for those that ended, then one write per dirty connection.

#include "broker/handlers/protocol.hpp"
#include "broker/net/admission.hpp"
#include "broker/net/front_door.hpp"
#include "broker/net/origin.hpp"
#include "broker/codec/bytes.hpp"
#include "broker/net/poller.hpp"
#include "broker/shard/buffer_pool.hpp"

#include <array>
#include <functional>
#include <memory>
#include <vector>

namespace airmail::net {

class connection;
class newcomer;
struct arrival;
class hub;

/// What else lives on a hub: a WebSocket, which stays on the shard that accepted it.
class guest {
public:
    virtual ~guest() = default;
    /// The broker stops: leave soon, unless a connection elsewhere says goodbye for it.
    virtual void goodbye() = 0;
    /// The hub dies: let go of everything that belongs to it.
    virtual void shut() = 0;

private:
    friend class hub;
    std::size_t place_ = 0;   // in hub::guests_
};

/// What all hubs of a broker share. Immutable once they run, but for `doors` and `front`.
struct neighbours {
    explicit neighbours(admission_limits l) : doors{l} {}
    admission doors;
    front_door front;
    std::vector<hub*> hubs;   // by shard
    std::function<std::uint64_t(handlers::session_key const&)> hash;   // handlers::hash
    std::function<std::string()> assign_client_id;                     // handlers::assign_client_id
    ocsp_desk* ocsp = nullptr;                                         // network's
    std::function<void(shard::shard&)> look_at_memory;                 // network's; from the shard that asks
};

/// How much one connection may do in one turn, so that others get theirs.
struct turn_budget {
    std::size_t bytes = 48 * 1024;      // read; what is left stays in the kernel
    unsigned packets = 256;             // handled; what is left waits in the inbox
    unsigned handshake_steps = 8;       // of all newcomers of the shard together: each costs up to 2 ms of CPU
};

/// Owned by: network; used by its shard only, unless said.
class hub {
public:
    hub(shard::shard& s, handlers::protocol& p, neighbours& n, turn_budget b = {});
    hub(hub const&) = delete;
    hub& operator=(hub const&) = delete;
    /// Closes what is left without a word. The shard must not be running.
    ~hub();

    /// Registers the turn-end hook. Before the shard runs, after all other rooms registered their hooks:
    /// what they write at the end of a turn leaves in that turn.
    void start();
    /// Takes over a peer whose CONNECT was read, on the home shard of its session.
    void adopt(std::unique_ptr<arrival> a);
    /// Says goodbye to all, some hundred a turn; `done` when nobody is left.
    void close_all(codec::reason why, std::function<void()> done);

    /// Memory runs out: cuts those for whom most waits, until half of what waits in this hub is gone; then queues are shortened.
    void shed();
    /// Sends away whoever's certificate is in the lists of now, some thousand a turn.
    void cut_revoked();

    std::size_t connections() const { return all_.size(); }
    std::size_t newcomers() const { return newcomers_.size(); }

    // What connections, newcomers and acceptors ask of it.
    shard::shard& shard() { return shard_; }
    handlers::protocol& protocol() { return protocol_; }
    neighbours& others() { return others_; }
    poller& sockets() { return shard_.sockets(); }
    shard::buffer_pool& pool() { return pool_; }
    turn_budget const& budget() const { return budget_; }
    std::span<std::uint8_t> record() { return record_; }
    /// An empty buffer whose contents go nowhere: for who writes to a peer that is ending.
    bytes& nowhere() { return nowhere_.clear(), nowhere_; }
    std::uint64_t next_number() { return ++numbers_ * shard_.count() + shard_.index(); }
    /// True at most 20 times a second: log lines about strangers cannot fill the disk.
    bool may_log();

    void dirty(connection& c) { dirty_.push_back(&c); }
    /// A peer takes less than it is sent, so memory grows: it is looked at sooner.
    void held_back() { held_back_ = true; }
    void read_again(connection& c) { again_.push_back(&c); shard_.again(); }
    void ended(connection& c) { ended_.push_back(&c); shard_.again(); }
    void admit(newcomer& n);                       // takes ownership
    void ended(newcomer& n);                       // freed at the end of the turn
    void admit(std::shared_ptr<guest> g);
    void ended(guest& g);                          // let go at the end of the turn
    bool take_handshake_step();
    void handshake_began();
    void handshake_ended();
    unsigned handshaking() const { return handshaking_; }
    /// Called when handshakes fell below three quarters of a listener's cap.
    void on_handshake_room(std::function<void()> f) { handshake_room_.push_back(std::move(f)); }

private:
    friend class connection;
    friend class newcomer;
    void end_of_turn();
    void say_gone();
    void bury();
    void close_some();
    void cut_some();
    void remove(connection& c);

    shard::shard& shard_;
    handlers::protocol& protocol_;
    neighbours& others_;
    turn_budget const budget_;
    shard::buffer_pool pool_;
    bytes nowhere_;
    std::vector<connection*> all_;       // each knows its place
    std::vector<newcomer*> newcomers_;   // likewise
    std::vector<std::shared_ptr<guest>> guests_, dead_guests_;   // likewise
    std::vector<connection*> dirty_, again_, again_now_, ended_, dead_;
    std::vector<newcomer*> dead_newcomers_;
    std::vector<std::function<void()>> handshake_room_;
    unsigned handshaking_ = 0, handshake_steps_ = budget_.handshake_steps, log_tokens_ = 20;
    shard::instant log_second_ = 0, memory_looked_at_ = 0;
    bool held_back_ = false;      // in this turn
    std::uint64_t numbers_ = 0;
    std::size_t unchecked_ = 0;   // of all_, for cut_revoked(): these are still to be looked at
    codec::reason goodbye_{};
    std::function<void()> goodbye_done_;
    std::array<std::uint8_t, 16 * 1024> record_;
};

}
