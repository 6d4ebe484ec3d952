#pragma once
// Many MQTT clients in one thread: raw epoll, one read buffer for all, one write per client and turn. Cheap on purpose:
// the generator shares the machine with the broker it measures.

#include "broker/codec/packets.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <vector>

namespace airmail::bench {

/// The certificate of one TLS client.
struct tls_identity {
    X509* certificate = nullptr;           // borrowed while the swarm lives
    EVP_PKEY* key = nullptr;
};

struct connect_options {
    std::uint16_t port = 0;
    std::string client_id, user_name;
    bool clean = true;
    std::uint16_t keep_alive = 600;        // seconds
    SSL_CTX* tls = nullptr;                // null = plain
    tls_identity identity;
};

/// One client. `index` is its place in the swarm and tells scenarios who speaks.
struct peer {
    int fd = -1;
    std::uint32_t index = 0;
    std::uint16_t last_id = 0;
    bool dirty = false, waits_to_write = false;
    bool ready = false;                    // CONNACK has come
    std::uint32_t subacks = 0;
    SSL* ssl = nullptr;
    bytes out;                             // not yet written
    std::size_t sent = 0;                  // of `out`
    bytes rest;                            // an unfinished packet
    connect_options how;
    std::chrono::steady_clock::time_point back_at{};   // when a turned away client tries again; 0 = it was not
};

/// Owned by: the scenario. Throws failure when a connection is refused or lost: a figure with holes is no figure.
class swarm {
public:
    using clock = std::chrono::steady_clock;

    explicit swarm(codec::version v = codec::version::v311);
    ~swarm();
    swarm(swarm const&) = delete;
    swarm& operator=(swarm const&) = delete;

    /// Called for each PUBLISH that arrives; the payload dies with the call. QoS 1 is acknowledged by the swarm.
    std::function<void(peer&, byte_view payload)> on_publish;
    /// Called for each PUBACK.
    std::function<void(peer&, std::uint16_t packet_id)> on_puback;
    /// A client that is cut before its CONNACK comes back after one to two seconds, as devices do, and is counted; else it is a failure.
    bool comes_back = false;
    std::size_t turned_away = 0;

    /// Opens one more connection and sends CONNECT; the answer comes with settle().
    peer& open(connect_options const& o);
    /// Sends a SUBSCRIBE for one filter.
    void subscribe(peer& p, std::string_view filter, std::uint8_t qos);
    /// Runs until every CONNACK and SUBACK that was asked for has come, or fails after 60 s.
    void settle();
    /// As settle, but only once more than `most` answers are missing: keeps the broker's backlog short.
    void settle_if_over(std::size_t most);

    /// Appends a PUBLISH and marks the peer dirty. @return its packet id, 0 for QoS 0
    std::uint16_t publish(peer& p, std::string_view topic, byte_view payload, std::uint8_t qos);
    /// Writes what all dirty peers have to say.
    void flush();
    /// Waits for readiness at most so long, reads, calls back, and flushes.
    void turn(std::chrono::nanoseconds wait);

    peer& at(std::size_t i) { return *peers_[i]; }
    std::size_t size() const { return peers_.size(); }

private:
    void dial(peer& p);
    void hang_up(peer& p);
    /// Comes back later, or throws `words`.
    void lost(peer& p, std::string const& words);
    void dial_again();
    void mark(peer& p);
    void write(peer& p);
    void read(peer& p);
    std::size_t take(peer& p, byte_view in);
    void packet(peer& p, codec::packet_type type, std::uint8_t flags, byte_view body);
    void watch(peer& p, bool writable);
    long fill(peer& p);
    long put(peer& p, std::uint8_t const* data, std::size_t size);

    codec::version version_;
    int epoll_ = -1;
    std::vector<std::unique_ptr<peer>> peers_;
    std::vector<peer*> dirty_, away_;
    bytes room_;
    std::size_t awaited_ = 0;              // CONNACKs and SUBACKs still to come
};

}
