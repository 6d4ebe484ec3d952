#pragma once
// One bridge: a session of this broker on one side, a connection to another broker on the other, and packets translated
// between them. It keeps no messages: what cannot leave waits in the local session's queue (durable, bounded, counted), and a
// PUBACK to either side is sent only when the other side's has come. Packet ids are handed through unchanged, so an exchange
// that was cut goes on where it was after a restart of either end.
//
//   this broker            link                      other broker
//   PUBLISH L/x id 7  -->  remap, same id       -->  PUBLISH R/x id 7
//   PUBACK 7          <--  the same             <--  PUBACK 7
//   PUBLISH L/y id 3  <--  remap, same id       <--  PUBLISH R/y id 3
//
// Loops: no-local on both sides where MQTT 5 is spoken; the bridge bit of the protocol version with 3.x (try_private).

#include "broker/bridge/local_end.hpp"
#include "broker/bridge/transport.hpp"
#include "broker/codec/acks.hpp"
#include "broker/config/bridge.hpp"
#include "broker/handlers/world.hpp"
#include "broker/shard/timer_wheel.hpp"

#include <atomic>
#include <optional>
#include <random>

namespace airmail::bridge {

/// The protocol that is spoken to the other broker.
inline codec::version version_of(config::bridge const& b) { return static_cast<codec::version>(b.protocol); }

/// The client id of a bridge's local session: as configured, or made of the host's name as Mosquitto makes it.
std::string local_id_of(config::bridge const& b);

/// Owned by bridges; every member but post() and its like belongs to the shard of its local session.
class link : public std::enable_shared_from_this<link> {
public:
    link(handlers::world& w, handlers::mqtt& home, config::bridge b, std::shared_ptr<handlers::listener_rules const> rules);
    ~link();

    void start();
    /// Ends the connection. `forget` ends the local session too (the bridge is configured no more).
    void stop(bool forget);
    /// Other settings under the same local session.
    void change(config::bridge next);

    handlers::mqtt& home() { return home_; }
    /// Its local session is there, so that what is published from now on waits for it. Any thread.
    bool heard() const { return heard_.load(std::memory_order_acquire); }
    /// What the main thread last asked for; settings_ follows on the shard.
    config::bridge const& configured() const { return configured_; }
    void configure(config::bridge b) { configured_ = std::move(b); }

private:
    enum class stage : std::uint8_t { idle, connecting, greeting, local, up };

    // link.cpp: the life of a connection
    void name();
    void register_locally();
    void registered();
    void connect();
    void opened();
    void on_bytes(byte_view data);
    void went_up();
    void lost(std::string const& why);
    void again();
    void every_second();
    void drop_transport(bool after_flush);
    std::size_t queued() const;
    void notify(bool up);
    void look_for_primary(std::int64_t now);
    static std::uint64_t next_connection();
    void wake();

    // relay.cpp: packets
    void hello();
    void from_remote(codec::frame const& f);
    void on_connack(codec::frame const& f);
    void subscribe_remote();
    void subscribe_local();
    void remote_publish(codec::frame const& f);
    void remote_ack(codec::frame const& f);
    void from_local(codec::frame const& f);
    void local_publish(codec::frame const& f);
    void local_ack(codec::frame const& f);
    void publish_state_remotely(bool up);
    void flush();

    handlers::world& world_;
    handlers::mqtt& home_;
    config::bridge configured_, settings_;
    std::optional<config::bridge> next_;          // settings after the next connection
    std::shared_ptr<handlers::listener_rules const> rules_;
    std::string remote_id_, local_id_, state_topic_;
    std::unique_ptr<local_end> local_;
    std::shared_ptr<transport> remote_, probe_;
    bytes in_;                                    // an unfinished packet of the other side
    bytes scratch_, properties_;
    stage stage_ = stage::idle;
    bool stopped_ = false, private_ = true, registered_ = false, said_down_ = false, waiting_pong_ = false;
    std::atomic<bool> heard_{false};
    std::size_t address_ = 0;
    std::chrono::milliseconds wait_{0};
    shard::instant up_since_ = 0, spoke_at_ = 0, heard_at_ = 0, busy_at_ = 0, probed_at_ = 0;
    std::uint16_t receive_maximum_ = 65535;
    std::size_t packet_bytes_max_ = 0;            // of the other side; 0 = no limit
    std::uint8_t maximum_qos_ = 2;
    shard::reminder clock_, retry_;
    std::minstd_rand random_{std::random_device{}()};
};

}
