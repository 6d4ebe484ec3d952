#pragma once
// The last step: one message to one session of this shard, now or later. Runs the session's `outgoing` state machine and does
// what it says: encodes, stores, fetches.

#include "broker/router/ledger.hpp"
#include "broker/router/variants.hpp"
#include "storage/store.hpp"

#include <functional>
#include <unordered_set>
#include <vector>

namespace airmail::router {

/// How a session wants one message: the union of its matching subscriptions.
struct wish {
    std::uint8_t qos = 0;                    // granted, the highest [MQTT-3.3.4-2]
    bool retain = false;                     // RETAIN bit to send
    std::span<std::uint32_t const> ids;      // of all that matched [MQTT-3.3.4-3]
    std::uint32_t share = 0;                 // record of the shared subscription + 1
};

/// A reference that the store must keep: returned to the publisher's shard.
struct owed {
    storage::reference reference;
    std::uint32_t number = 0;                // of the session's entry
    unsigned shard = 0;
};

/// Owned by: one shard.
class delivery {
public:
    using find_session = std::function<session::session*(std::uint32_t)>;
    using clock = std::function<std::int64_t()>;
    /// May the session read this message now? Asked again for what has waited: rules may have changed.
    using may_read = std::function<bool(session::session&, storage::message const&)>;
    /// A PUBLISH of a plugin at QoS 1 was acknowledged with success. Set before the first packet, or never.
    std::function<void(session::session&, storage::message_ptr const&)> on_plugin_message_acknowledged;
    /// upgrade_outgoing_qos: the subscription's QoS, whatever the message came with. Set before the first packet.
    bool upgrade_qos = false;
    delivery(unsigned shard, ledger& l, find_session find, clock stored_now, may_read may)
        : shard_{shard}, ledger_{l}, find_{std::move(find)}, now_{std::move(stored_now)}, may_read_{std::move(may)} {}

    /// Sends, queues or drops (counted). With a durable session and `durable` the reference to be stored is added to `out`.
    /// @return its queue is more than half full, and the client is there to make it shorter: whoever can wait should
    bool give(session::session& s, storage::message_ptr const& m, wish const& w, bool durable, std::vector<owed>& out);
    /// The store wrote the message (or could not: at = 0). Settles what was acknowledged meanwhile.
    void told(std::uint32_t session, std::uint32_t number, storage::lsn at);

    /// Sends what may be sent: after CONNACK, after an acknowledgement, when output has drained.
    void pump(session::session& s);
    /// PUBACK, PUBREC, PUBCOMP read. False: no such packet id (PUBREC has then been answered with 0x92).
    bool acknowledged(session::session& s, codec::packet_type type, std::uint16_t id, codec::reason r);
    /// A session ends: what it was owed is owed no more.
    static void forget(session::session& s);
    /// A session is back from the store.
    static void restored(session::session& s) { count(s); }
    /// Those that stopped because their output was full, and steps of QoS 2 that could not be stored: tried again once a second.
    void retry_stalled();
    /// Memory runs out: bodies of a connected session that the disk has too are let go of. @return bytes
    static std::uint64_t spare(session::session& s);
    /// Memory runs out: of what waits for this session in memory alone the newest goes, until `kept` bytes are left. Counted.
    static session::outgoing::change cut(session::session& s, std::uint64_t kept);
    void forget_variants() { variants_.forget(); }
    std::int64_t now() const { return now_(); }

private:
    /// Encodes for this client, with a Topic Alias where it takes them; null when its Maximum Packet Size forbids the packet.
    variant const* fit(session::session& s, storage::message const& m, std::uint8_t qos, bool retain, std::span<std::uint32_t const> ids);
    void send(session::session& s, session::outgoing::step const& step);
    void give_up(session::session& s, session::outgoing::step const& step);
    void fetch(session::session& s);
    void settle(session::session& s, storage::lsn at);
    /// Stores a step of QoS 2 and calls `done` when it is on disk, however long that takes: a PUBLISH or PUBREL that left before
    /// would come twice after a crash. [reliability.md 3, rule 3]
    template <class F> void advance(storage::advance const& what, F done);
    static void count(session::session& s);
    void pubrel(session::session& s, std::uint16_t id, codec::reason r = codec::reason::success);

    unsigned shard_;
    ledger& ledger_;
    find_session find_;
    clock now_;
    may_read may_read_;
    storage::message const* fresh_ = nullptr;   // the message of give(): its rules were asked just now
    variants variants_;
    std::unordered_set<std::uint32_t> stalled_;
    std::vector<std::function<void()>> refused_;   // steps that the store refused, to be tried again; bound: what is in flight
};

}
