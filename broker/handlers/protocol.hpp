#pragma once
// MQTT on one shard: the handlers and the state they share. net hands it whole packets; what goes back goes through peer.
// One instance per shard, touched only by that shard.

#include "broker/codec/framer.hpp"
#include "broker/handlers/peer.hpp"

#include <cstdint>
#include <string_view>

namespace airmail::handlers {

/// The session key decides the shard: hash(tenant, identity, client id) % shards (DECISIONS). For an empty client id the
/// caller has already assigned one (`assign_client_id`), so the key exists before the hand-over.
struct session_key { std::uint32_t tenant = 0; std::string_view identity, client_id; };
/// Keyed hash (random per process): devices choose client ids.
std::uint64_t hash(session_key const& k);
/// A client id for a client that sent none: "am-" and 22 random characters. [MQTT-3.1.3-6]
std::string assign_client_id();

class protocol {
public:
    virtual ~protocol() = default;

    /// The CONNECT of a peer that this shard now owns; its identity is resolved here (certificate, password, anonymous).
    /// Sends CONNACK (at once, or when the session is stored), or refuses and closes.
    virtual void connect(peer& from, codec::connect_view const& c, std::string_view assigned_id) = 0;
    /// One whole packet after CONNECT. Returns false when the peer was closed: read no further.
    virtual bool packet(peer& from, codec::frame const& f) = 0;
    /// The socket is gone (or we closed it): will, expiry, presence. `clean` = a DISCONNECT was read.
    virtual void gone(peer& from) = 0;
    /// Its certificate has been taken back while it is connected: it is sent away (0x87), its will handled by policy.
    virtual void revoked(peer& from) { from.close(codec::reason::not_authorized, "certificate revoked"); }
    /// Memory runs out: lets go of messages that the disk has too, then drops some of what waits in memory alone.
    virtual void shed() {}
    /// Keep alive: when the peer must have been heard again, in milliseconds of silence allowed; 0 = never.
    virtual std::int64_t silence_allowed_ms(peer const& p) const = 0;
};

}
