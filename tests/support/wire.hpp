#pragma once
// A whole broker in this process, spoken to in bytes over real sockets. What a client sends and expects is written by hand
// (packet_bytes.hpp, hand_made.hpp); the transport below the bytes is chosen by AIRMAIL_WIRE: `tcp` (the default) or
// `websocket`.
//
//   wire w;
//   auto& a = w.client();
//   a.says("10[<MQTT> 05 02 003C [] <a>]").hears("20[00 00 [..]]");

#include "broker/broker.hpp"
#include "tests/support/hand_made.hpp"
#include "tests/support/temp_dir.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace airmail::test {

/// A stream of bytes to the broker, however it is carried. Another transport (WebSocket) is one more of these.
class transport {
public:
    virtual ~transport() = default;
    virtual void send(byte_view b) = 0;
    /// Appends what comes within the time. False when the other side has closed and nothing is left.
    virtual bool receive(bytes& to, std::chrono::milliseconds within) = 0;
    /// Cuts the connection as a failing network does.
    virtual void cut() = 0;
};
/// By the name in AIRMAIL_WIRE.
std::unique_ptr<transport> open_transport(std::uint16_t port);
/// The configuration lines of a listener for that transport.
std::string transport_listener(std::uint16_t port);
/// A port that was free a moment ago, for a second listener.
std::uint16_t some_port();

/// One client. Every method fails the test (REQUIRE) rather than returning an error.
class wire_end {
public:
    explicit wire_end(std::uint16_t port) : port_{port}, way_{open_transport(port)} {}
    /// Sends the bytes that the notation stands for.
    wire_end& says(std::string_view notation);
    wire_end& says(bytes const& b);
    /// The next packet matches the pattern.
    wire_end& hears(std::string_view pattern, std::chrono::milliseconds within = std::chrono::seconds(5));
    /// Nothing more comes although a PINGREQ is answered.
    wire_end& hears_nothing();
    /// The broker has closed, and nothing came before.
    wire_end& is_closed(std::chrono::milliseconds within = std::chrono::seconds(5));
    /// The next packet is a DISCONNECT with that code, and nothing follows it.
    wire_end& is_sent_away(std::string_view code);
    /// The next packet, whole.
    bytes next(std::chrono::milliseconds within = std::chrono::seconds(5));
    /// The network fails, or a new connection is made by the same client.
    void cut() { way_->cut(); }
    void again() { way_ = open_transport(port_), in_.clear(); }

private:
    std::uint16_t port_;
    std::unique_ptr<transport> way_;
    bytes in_;
};

/// Are these bytes (in the notation) somewhere in the packet?
bool holds(bytes const& packet, std::string_view notation);

/// A broker with one listener, in memory, until the test ends.
class wire {
public:
    /// @param lines of configuration added to those of the listener; {dir} is a folder of this test, with `files` (name, text) in it
    explicit wire(std::string lines = {}, std::vector<std::pair<std::string, std::string>> const& files = {});
    ~wire();
    /// A new connection that has said nothing yet.
    wire_end& client() { return ends_.emplace_back(port_); }
    /// The same at another listener of the same transport.
    wire_end& client_at(std::uint16_t port) { return ends_.emplace_back(port); }
    /// A new connection whose CONNECT is refused with that reason code.
    void refuses(std::string_view connect, std::string_view code);
    /// One that has said CONNECT and heard CONNACK 0. `how`: `05 02 0000 []`, what stands between name and client id.
    wire_end& client(std::string_view id, std::string_view how = "05 02 0000 []");
    broker& house() { return *broker_; }

private:
    testing::temp_dir directory_;
    std::unique_ptr<broker> broker_;
    std::uint16_t port_ = 0;
    std::list<wire_end> ends_;
};

}
