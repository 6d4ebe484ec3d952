#pragma once
// What the handlers ask of the plugin host. host/ implements it (broker.cpp joins them); null in world = no plugins.

#include "broker/codec/packets.hpp"
#include "broker/session/session.hpp"
#include "storage/message.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace airmail::handlers {

/// Presence, as plugins see it.
struct session_event {
    enum class kind : std::uint8_t { ready = 1, gone_clean = 2, gone_crash = 3, connect = 4 } what;
    std::string_view identity, client_id;
    std::string_view topic;        // the ready filter; empty for connect
    std::string_view note;         // user property `ota` of DISCONNECT, at most 64 bytes
    std::uint64_t connection = 0;
    std::int64_t at_ms = 0;        // stored clock
};

/// A login to be checked.
struct login {
    std::string user;
    std::string password;          // bytes as they came
    std::string address;
    std::string client_id;
    std::string identity;          // of the certificate, if any
    std::uint16_t listener = 0;    // port it came in by
};
/// `done(allowed, role)`, on any thread, exactly once.
using login_done = std::function<void(bool allowed, std::string role)>;

/// Which lanes want a topic. A stored message: `consumers` goes with it into the log, and it is posted to `loose`. One that
/// is not stored (QoS 0, level memory): it is posted to `loose | durable`.
struct wanted {
    std::uint32_t consumers = 0;   // bits of storage::put_message::consumers
    std::uint32_t durable = 0;     // the same lanes, by index
    std::uint32_t loose = 0;
};

/// Called by every shard's thread; must not block.
class plugin_gate {
public:
    virtual ~plugin_gate() = default;
    virtual wanted wanted_by(std::string_view topic) const = 0;
    /// Straight into the queues of those lanes, by their overflow policy.
    virtual void post(storage::message_ptr const& m, std::uint32_t lanes) = 0;
    /// Is this filter the ready topic of some plugin for this identity ("devices/{id}/command")?
    virtual bool is_ready_filter(std::string_view identity, std::string_view filter) const = 0;
    virtual void on_session(session_event const& e) = 0;
    /// A session has acknowledged a message that a plugin published.
    virtual void on_delivered(storage::message_ptr const& m, std::string_view identity) { (void)m, (void)identity; }
    virtual bool wants_deliveries() const { return false; }
    /// Inline hooks: success; a failure with which the PUBLISH is refused; no_matching_subscribers: dealt with, delivered to nobody.
    virtual codec::reason before_publish(session::session const& from, std::string_view topic, codec::publish_view const& p) {
        (void)from, (void)topic, (void)p;
        return codec::reason::success;
    }
    /// A plugin decides this CONNECT: takes `done` and returns true; false = no plugin wants to.
    virtual bool authenticate(login const& l, login_done done) {
        (void)l, (void)done;
        return false;
    }
};

}
