#pragma once
// QoS 1 and 2 with one client, both ways. Pure state: `outgoing::next` says what to do, the caller does it (encode, store,
// fetch) and tells the outcome.
//
//   queue:   [ sent | received | sent | storing || waiting | waiting ... ]
//                                               ^ cursor: what this connection has been given so far
//   On a new connection the cursor goes back to the front: what was sent is sent again with DUP, in the same order, what was
//   received gets its PUBREL again, then the waiting ones follow. [MQTT-4.4.0-1] Nothing is re-sent at any other time.

#include "broker/session/packet_ids.hpp"
#include "broker/session/queue.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <span>
#include <vector>

namespace airmail::session {

/// Bounds of one session's queue; 0 = no limit. At the bound the newest message is dropped and counted by the caller.
struct queue_limits {
    std::uint32_t messages = 1000, bytes = 4 << 20;
    std::uint32_t in_flight_bytes = 0;   // sent and not acknowledged; one message always may, 0 = no limit
};

/// What we send. Owned by: the session; made with its first QoS 1 or 2 message.
class outgoing {
public:
    enum class what : std::uint8_t {
        nothing,   // all sent, or Receive Maximum reached, or the front waits for the store
        publish,   // send `e` (packet id set; DUP if sent_before was)
        pubrel,    // send PUBREL for `e` again
        advance,   // store packet id and state of `e`, then call stored() [reliability.md 3, rule 3]
        fetch,     // `e` and perhaps others behind it have no body: call bodies() when they are here
        expired,   // `e` has expired and is over: settle its LSN if it has one [MQTT-3.3.2-5]
    };
    struct step {
        what kind = what::nothing;
        bool dup = false;
        std::uint32_t number = 0;  // of the entry, for stored() and told()
        entry e;                   // a copy
    };

    /// Takes one more message; nullopt when a bound is reached. Returns the entry's number.
    std::optional<std::uint32_t> push(entry&& e, queue_limits const& bound);
    /// What to do next. Moves the cursor.
    /// @param receive_maximum of the client [MQTT-3.3.4-9]   @param stored the session is on disk   @param now stored clock
    /// @param bytes_max in flight at once, in steps of 64; 0 = no limit
    step next(std::uint16_t receive_maximum, bool stored, std::int64_t now, std::uint32_t bytes_max = 0);

    /// The packet id of a storing entry is durable: what to send now (nothing when the client is not there to get it).
    step stored(std::uint32_t number);
    /// The LSN of an entry became known (0 = the store refused it: it stays in RAM).
    /// @param keep_body false for a session without a connection: the disk has it
    /// @return the LSN to settle when the delivery was over before, else 0
    storage::lsn told(std::uint32_t number, storage::lsn at, bool keep_body);

    struct settled {
        bool known = false;        // false: no such packet id in flight [reason 0x92]
        bool waits = false;        // of received(): advance the entry first, then released()
        storage::lsn at = 0;       // settle or advance this, when not 0
        std::uint32_t number = 0;
        storage::message_ptr body; // of acknowledged(): moved out of the entry, which needs it no more; null when only the disk has it
    };
    /// PUBACK, any reason: the message is over. [MQTT-4.4.0-2]
    settled acknowledged(std::uint16_t packet_id);
    /// PUBREC below 0x80: only PUBREL may follow. A PUBREC of 0x80 or more: use refused().
    /// @param stored the session is on disk: with an LSN, PUBREL waits for released() (`settled::waits`)
    settled received(std::uint16_t packet_id, bool stored = false);
    /// The PUBREC of a releasing entry is durable. Returns the packet id whose PUBREL may leave now; 0 = next() sends it, or it has left.
    std::uint16_t released(std::uint32_t number);
    settled refused(std::uint16_t packet_id);
    /// PUBCOMP.
    settled completed(std::uint16_t packet_id);

    /// Takes an entry out that cannot be sent (too large for the client). Returns the LSN to settle, or 0.
    storage::lsn discard(std::uint32_t number);

    /// A message of a shared subscription that is taken away from this client, to be given to another.
    struct taken {
        storage::message_ptr body;     // null: fetch it by `at`
        storage::lsn at = 0;           // settle it when the other has it; 0 = not stored
        bool stored = false;           // it was, or is about to be, on disk
    };
    /// Takes out what has not begun of one shared subscription; with `begun` also QoS 1 messages that were not acknowledged
    /// (the session ends). QoS 2 deliveries that have begun stay. [MQTT-4.8.2-5]
    std::vector<taken> take(std::uint32_t share, bool begun);

    /// What has changed since the last call: messages and bytes owed, for the metrics of the room above.
    struct change {
        std::int64_t messages, bytes;
    };
    change noted() {
        change const c{std::int64_t{size()} - noted_messages_, static_cast<std::int64_t>(bytes_) - noted_bytes_};
        noted_messages_ += c.messages, noted_bytes_ += c.bytes;
        return c;
    }
    /// A number that follows size(), for those who choose the least loaded of several; made at the first call.
    std::shared_ptr<std::atomic<std::uint32_t>> const& load() {
        if (!load_) load_ = std::make_shared<std::atomic<std::uint32_t>>(size());
        return load_;
    }

    /// More than half of what it may hold: whoever can wait should.
    bool crowded(queue_limits const& bound) const {
        return (bound.messages && size() > bound.messages / 2) || (bound.bytes && bytes_ > bound.bytes / 2);
    }
    /// Memory runs out: lets go of bodies that the disk has too; they are fetched when their turn comes. @return bytes, in steps of 64
    std::uint64_t spare();
    /// Bytes of what waits in memory alone, in steps of 64: no disk has it, and it has not begun.
    std::uint64_t loose_bytes() const;
    /// Drops the newest of that until no more than `kept` bytes of it are left. What was dropped.
    change cut(std::uint64_t kept);

    /// The connection is gone: the cursor goes back, bodies that the disk has are let go.
    void detach();
    /// LSNs (with entry numbers) of up to `n` bodies missing from the cursor on.
    void missing(std::size_t n, std::vector<storage::lsn>& at, std::vector<std::uint32_t>& numbers);
    /// A fetched body; null = the record is gone or damaged, the entry is over. False then.
    bool body(std::uint32_t number, storage::message_ptr m);
    /// An entry read back at start.
    void restore(entry&& e, storage::delivery_state s);

    std::uint32_t size() const { return queue_.size() - over_; }
    std::uint32_t in_flight() const { return in_flight_; }
    std::uint64_t bytes() const { return bytes_; }

    /// Subscription Identifiers of overlapping subscriptions: sets are kept beside the queue. [MQTT-3.3.4-4]
    std::uint32_t remember(std::span<std::uint32_t const> ids);
    /// The identifiers of an entry; valid until the next remember().
    std::span<std::uint32_t const> identifiers(entry const& e) const;

    /// Most finished entries kept behind one that the client does not acknowledge.
    static constexpr std::uint32_t over_max = 8192;

private:
    entry* find(std::uint16_t packet_id, std::uint32_t& index);
    std::uint16_t new_id();
    void scan_all();
    void pass(entry const& e, bool in_flight);
    void finish(std::uint32_t index);
    std::uint64_t finish_one(entry& e);
    void trim();

    queue queue_;
    std::uint32_t cursor_ = 0;      // index into queue_
    std::uint32_t in_flight_ = 0;   // entries before the cursor that are not over
    std::uint32_t over_ = 0;
    std::uint64_t bytes_ = 0, in_flight_bytes_ = 0;
    packet_ids ids_;
    bool scan_ids_ = false;         // ids in flight are no longer one run behind ids_,
    std::uint32_t scan_until_ = 0;  // until the entries below this number have left
    void tell_load() {
        if (load_) load_->store(size(), std::memory_order_relaxed);
    }
    std::int64_t noted_messages_ = 0, noted_bytes_ = 0;
    std::shared_ptr<std::atomic<std::uint32_t>> load_;
    std::vector<std::vector<std::uint32_t>> sets_;
};

/// QoS 2 packet ids a client has sent and not yet released. Bound: the Receive Maximum of CONNACK. [MQTT-4.3.3-10]
class incoming_ids {
public:
    enum class known : std::uint8_t { no, routing, answered };
    known find(std::uint16_t id) const {
        for (auto const& e : ids_)
            if (e.id == id) return e.answered ? known::answered : known::routing;
        return known::no;
    }
    void add(std::uint16_t id, bool answered = false) { ids_.push_back({id, answered}); }
    void answered(std::uint16_t id) {
        for (auto& e : ids_)
            if (e.id == id) e.answered = true;
    }
    /// PUBREL, or a refusal. False when it was not there.
    bool remove(std::uint16_t id) {
        return std::erase_if(ids_, [id](auto const& e) { return e.id == id; }) != 0;
    }
    std::size_t size() const { return ids_.size(); }

private:
    struct item {
        std::uint16_t id;
        bool answered;
    };
    std::vector<item> ids_;
};

}
