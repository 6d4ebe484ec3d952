#pragma once
// The bytes between a bridge and the other broker: name look-up, TCP, TLS with certificates or a pre-shared key. Bridges are
// few, so this is Asio with its own timers and buffers; nothing of it stands where a client's packet walks.

#include "broker/codec/bytes.hpp"
#include "broker/config/bridge.hpp"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

namespace airmail::bridge {

/// What a transport tells, on its shard's thread. After `closed` nothing follows.
struct transport_events {
    std::function<void()> open;                  // connected, handshake done
    std::function<void(byte_view)> bytes;        // valid during the call
    std::function<void(std::string)> closed;     // why, in one line
};

/// One connection to one address; used once. Owned by: a bridge, on its shard.
class transport {
public:
    virtual ~transport() = default;
    /// Appends to what waits; flush() sends it.
    virtual bytes& out() = 0;
    virtual void flush() = 0;
    virtual std::size_t waiting() const = 0;
    /// Stops (or resumes) reading: this side cannot take more.
    virtual void pause(bool on) = 0;
    /// Ends it; `after_flush` lets what waits leave first. No event follows.
    virtual void close(bool after_flush) = 0;
};

/// Begins to connect. Throws std::runtime_error when the bridge's certificates or key cannot be read.
std::shared_ptr<transport> connect(boost::asio::io_context& io, config::bridge const& b, config::bridge_address const& to, transport_events events);

/// What is wrong with the files of a bridge; empty = nothing. For start-up and --test-config.
std::string check_tls(config::bridge const& b);

}
