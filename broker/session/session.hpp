#pragma once
// One client's session: who it is, what it subscribed to, what it is owed. Outlives connections when its expiry says so.
// An idle connected device costs this object, one block of names and its list of filters; everything else is made when it is
// first needed. Owned by: the shard of its key (handlers::sessions); nobody else touches it.
//
//   connected    out != null                       gone, kept     out == null, disconnected_at set
//   durable      stored: a record on disk, acks of its changes wait for the store
//
//       connect                 gone, expiry > 0              connect, clean start 0
//   ( ) --------> connected ---------------------> kept ------------------------------> connected
//                    | gone, expiry 0                | deadline, or clean start 1
//                    v                               v
//                  ended                           ended

#include "acl/identity.hpp"
#include "broker/codec/packets.hpp"
#include "broker/session/decisions.hpp"
#include "broker/session/inflight.hpp"
#include "broker/session/outlet.hpp"
#include "broker/session/quota.hpp"
#include "broker/session/topic_alias.hpp"
#include "broker/session/will.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace airmail::session {

/// One subscription, as the router knows it: a filter of its tree and the place in that filter's list.
struct filter_ref {
    std::uint32_t filter = 0, position = 0;
};

/// What one connection sends us; made at its first QoS 2 PUBLISH or alias.
struct incoming {
    incoming_ids ids;          // outlives the connection with the session
    inbound_aliases aliases;   // cleared with every connection
};

/// See the head of this file. A plain record: the handlers and the router of its shard work on it.
class session {
public:
    /// Copies the names into one block.
    session(std::uint32_t number, acl::identity const& who);

    std::string_view name() const { return {names_.get(), name_size_}; }
    std::string_view client_id() const { return {names_.get() + name_size_, client_id_size_}; }
    std::string_view role() const { return {names_.get() + name_size_ + client_id_size_, role_size_}; }
    /// Replaces the role and how it was proven (a resumed session logs in anew).
    void login(acl::identity const& who);
    /// Fills `into`, whose strings are reused: no allocation once they have grown.
    acl::identity const& who(acl::identity& into) const;

    bool connected() const { return out != nullptr; }
    /// Outlives its connection.
    bool kept() const { return expiry_s != 0; }
    bool v5() const { return protocol == codec::version::v5; }
    outgoing& sending() { return sending_ ? *sending_ : *(sending_ = std::make_unique<outgoing>()); }
    outgoing* sending_if() { return sending_.get(); }
    incoming& receiving() { return receiving_ ? *receiving_ : *(receiving_ = std::make_unique<incoming>()); }
    incoming* receiving_if() { return receiving_.get(); }
    decision_cache& decisions() { return decisions_ ? *decisions_ : *(decisions_ = std::make_unique<decision_cache>()); }
    /// The connection is gone: aliases, quotas and the cursor of what was sent. [MQTT-3.3.2-7]
    void detach();

    outlet* out = nullptr;                       // the connection, null when there is none
    session* next_of_bucket = nullptr;           // chain of handlers::sessions
    std::uint64_t key_hash = 0;
    std::uint64_t connection = 0;                // number of the last connection
    std::int64_t disconnected_at = 0;            // stored clock, 0 = connected
    std::unique_ptr<will> last_will;
    std::unique_ptr<outbound_aliases> aliases_out;   // made with a connection that takes aliases
    std::vector<filter_ref> filters;             // bound: filters_max of the listener
    std::uint32_t number = 0, tenant = 0;
    std::uint32_t expiry_s = 0;                  // Session Expiry Interval, 0xFFFFFFFF = never
    std::uint32_t packet_bytes_max = 0;          // of the client, 0 = no limit [MQTT-3.1.2-24]
    std::uint32_t output_bytes_max = 0;          // QoS 0 is dropped, queues pause above it
    queue_limits bound;
    std::uint32_t match_mark = 0, match_hit = 0; // router scratch: overlapping subscriptions of one message are one copy
    token_bucket messages, payload;              // publish rate
    std::uint16_t receive_maximum = 65535;       // of the client
    std::uint16_t keep_alive = 0;                // seconds in force, 0 = off
    std::uint16_t unanswered = 0;                // QoS 1, 2 PUBLISH read and not answered
    std::uint16_t mount_bytes = 0;               // of every topic, not shown to this connection (mount_point)
    std::uint16_t listener = 0;                  // port of the last connection: its rules hold while the client is away
    codec::version protocol = codec::version::v5;
    bool stored : 1 = false;                     // a record of it is on disk
    bool fetching : 1 = false;                   // bodies are on their way: nothing is sent past them
    bool ready : 1 = false;                      // subscribed to a plugin's ready topic: presence is reported
    bool bridge : 1 = false;                     // another broker (3.x, try_private): no local, retain as published
    bool clean_disconnect : 1 = false;           // DISCONNECT was read
    bool memory_level : 1 = false;               // its listener keeps nothing on disk
    bool problem_info : 1 = true;                // wants Reason Strings [MQTT-3.1.2-29]
    bool enhanced : 1 = false;                   // logged in by AUTH, and may do so again [MQTT-4.12.0-7]
    bool queue_qos0 : 1 = false;                 // QoS 0 waits while the client is away
    bool each_copy : 1 = false;                  // overlapping subscriptions get a copy each [MQTT-3.3.4-5]
    bool paused_store : 1 = false, paused_quota : 1 = false, paused_rate : 1 = false;  // why its socket is not read

private:
    acl::proof proof_ = acl::proof::anonymous;
    std::uint8_t role_size_ = 0;
    std::uint16_t name_size_ = 0, client_id_size_ = 0;
    std::unique_ptr<char[]> names_;
    std::unique_ptr<outgoing> sending_;
    std::unique_ptr<incoming> receiving_;
    std::unique_ptr<decision_cache> decisions_;
};
static_assert(sizeof(session) <= 256, "an idle session has a budget");

}
