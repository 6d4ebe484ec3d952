#pragma once
// The hot store: the durable log behind every acknowledgement. One LMDB environment, one writer thread, group commit.
//
//   shard --submit(change)--> [SPSC ring per shard] --> writer: one LMDB transaction for all that is there --> one sync
//   shard <--durable{tickets -> LSNs}-- mail <--------- writer
//   lane  <--committed(lsn, message)... (consumers, in LSN order, on the writer thread: must not block)
//
// Nothing here is keyed by topic or client id: names become numbers in RAM by one scan at start (DECISIONS, Durability).

#include "storage/message.hpp"

#include <boost/system/result.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <string>
#include <vector>

namespace airmail::storage {

/// Failures of the hot store. `full`: the map or the ring is full, nothing was stored. `failed`: the sync failed; the
/// environment is being reopened. `locked`: another process holds the data directory. `damaged`: names the record.
enum class errc { full = 1, failed, locked, damaged, version, not_found, io };
boost::system::error_category const& category();
inline boost::system::error_code make_error_code(errc e) { return {static_cast<int>(e), category()}; }

/// How far one delivery to one session has come. Kept beside the reference.
enum class delivery_state : std::uint8_t { queued = 0, sent = 1, received = 2 /* PUBREC seen: only PUBREL may follow */ };

/// A message owed to a durable session.
struct reference {
    session_number session = 0;
    std::uint8_t qos = 1;      // effective QoS of this delivery, 1 or 2
    std::uint32_t subscription_id = 0;  // the first one that matched, 0 = none
    bool retain = false;       // RETAIN bit as this subscription wants it
};

/// What outlives a connection of a durable session. Times are of the stored clock, milliseconds.
struct session_record {
    session_number number = 0;
    std::uint32_t tenant = 0;
    std::string identity, client_id;
    std::uint32_t expiry_s = 0;             // Session Expiry Interval, 0xFFFFFFFF = never
    std::int64_t disconnected_at_ms = 0;    // 0 = connected
    std::uint8_t protocol = 5;
    std::uint16_t listener = 0;             // port of the last connection, 0 = unknown
    struct will_record {                    // present while armed or waiting for its delay
        std::string topic;
        std::vector<std::uint8_t> payload, properties;
        std::uint8_t qos = 0;
        bool retain = false;
        std::uint32_t delay_s = 0, message_expiry_s = 0;
    };
    std::optional<will_record> will;
};

struct subscription_record {
    session_number session = 0;
    std::string filter;                     // with its $share/group/ prefix
    std::uint8_t options = 0;               // as on the wire [MQTT-3.8.3.1]
    std::uint32_t subscription_id = 0;
};

/// Changes: each is atomic, and stored in the order submitted by its shard.
struct put_message {
    message_ptr body;                                         // never null
    std::vector<reference> references;
    bool retain_set = false, retain_clear = false;            // [MQTT-3.3.1-5] [MQTT-3.3.1-6]
    std::uint32_t consumers = 0;                              // bit set: which consumers must see it
    std::optional<std::pair<session_number, std::uint16_t>> qos2_in;   // session and packet id to remember [MQTT-4.3.3-10]
};
struct settle { lsn message = 0; session_number session = 0; };                      // delivered: PUBACK or PUBCOMP read
struct advance { lsn message = 0; session_number session = 0; delivery_state state; std::uint16_t packet_id = 0; };
struct forget_qos2_in { session_number session = 0; std::uint16_t packet_id = 0; };   // PUBREL read; may be stored lazily
struct put_session { session_record record; };
struct drop_session { session_number session = 0; };                                 // and all its references, subscriptions
struct put_subscription { subscription_record record; };
struct drop_subscription { session_number session = 0; std::string filter; };
struct put_state { std::uint32_t plugin = 0; std::uint64_t key = 0; std::vector<std::uint8_t> value; };  // `slot` table; empty = remove

using change = std::variant<put_message, settle, advance, forget_qos2_in, put_session, drop_session, put_subscription,
                            drop_subscription, put_state>;

/// Counts the changes one port has submitted; starts at 1.
using ticket = std::uint64_t;

/// What the writer tells a port after each commit: tickets [first, first + lsns.size()) are durable, with these LSNs
/// (put_message, put_session, drop_session, put_subscription and drop_subscription have one, the others 0). With `error`
/// set nothing of that range was stored, and the LSNs are 0.
struct durable {
    ticket first = 0;
    std::vector<lsn> lsns;
    boost::system::error_code error;
};

/// One shard's way in. Owned by that shard; only its thread calls it.
class port {
public:
    virtual ~port() = default;
    /// Queues one change; at most one reference per session in a put_message (the first of two is kept). errc::full when the ring (8,192 changes) is full: the caller stops reading publishers and
    /// answers 0x97 where it cannot wait. Never blocks, never calls back from inside.
    virtual boost::system::result<ticket> submit(change c) = 0;
    /// Fill of the ring, 0..1. Above 0.75 the shard stops reading from publishers, below 0.5 it goes on.
    virtual double load() const = 0;
    /// Reads messages back (offline queues, large retained ones). `done` runs like a `durable` mail, on the shard, with one
    /// entry per LSN asked, null where the record is gone or damaged (counted). At most 256 LSNs a call.
    virtual void fetch(std::vector<lsn> which, std::function<void(std::vector<message_ptr>)> done) = 0;
};

/// A durable reader of the log (a plugin lane). Registered before start; bit = its index.
class consumer {
public:
    virtual ~consumer() = default;
    /// Writer thread, after the sync, in LSN order; must not block, nor call store::caught_up from inside. False = "I am
    /// full": nothing more is handed over until the consumer has caught up by store::read, from the last LSN it took (it may
    /// have taken part of this batch), and calls store::caught_up. After a start with messages waiting beyond applied(), a
    /// consumer begins in that state: read, then caught_up.
    virtual bool committed(std::vector<std::pair<lsn, message_ptr>> const& batch) noexcept = 0;
    /// Everything up to here is applied durably; the cleaner may forget it. Any thread.
    virtual lsn applied() const noexcept = 0;
};

/// Called once, on the opening thread, before any shard runs: the whole living state, in LSN order within each kind.
struct recovery {
    std::function<void(session_record&&)> on_session;
    std::function<void(subscription_record&&)> on_subscription;
    std::function<void(lsn, reference const&, delivery_state, std::uint16_t packet_id, std::uint32_t payload_bytes, std::int64_t expires_at_ms)> on_reference;
    std::function<void(lsn, message_ptr)> on_retained;
    std::function<void(session_number, std::uint16_t packet_id)> on_qos2_in;
};

struct store_options {
    std::string directory;                        // DATA/hot, made 0700
    std::uint64_t map_bytes = 64ull << 30;        // sparse
    bool in_memory = false;                       // level `memory`: no file, tickets are answered at once
    std::function<std::int64_t()> wall_ms;        // for the stored clock; tests give their own
    std::function<std::int64_t()> steady_ms;      // what moves it while running; absent = the machine's monotonic clock

    std::size_t batch_changes_max = 16'384;       // of one transaction
    std::size_t batch_bytes_max = 8u << 20;
    unsigned clean_range_bits = 12;               // the cleaner judges 2^n LSNs at a time, 2..20

    /// Fault points, for tests: return 0, or the errno with which the commit shall fail. `before_commit`: nothing reached
    /// the disk; `after_commit`: everything did, and the failure is a lie. Writer thread.
    std::function<int()> before_commit, after_commit;
};

class store {
public:
    /// Opens (or makes) the environment, takes the lock, raises the epoch if it was restored, replays into `r`.
    /// Errors: locked, version, damaged (names file and record), io. Damaged single records are skipped, counted, listed.
    static boost::system::result<std::unique_ptr<store>> open(store_options o, recovery const& r, std::string& why);
    virtual ~store() = default;

    /// One port per shard; `deliver` posts a closure to that shard (called from the writer thread). Before start().
    virtual port& make_port(std::function<void(std::function<void()>)> deliver, std::function<void(durable&&)> on_durable) = 0;
    /// Returns the consumer's bit. Before start().
    virtual std::uint32_t add_consumer(consumer& c) = 0;
    virtual void start() = 0;
    /// Commits what is queued, syncs, stops the thread.
    virtual void stop() = 0;

    /// Next messages for that consumer after `after`, at most `max`, in LSN order; any thread (own read transaction).
    virtual std::vector<std::pair<lsn, message_ptr>> read(std::uint32_t consumer_bit, lsn after, std::size_t max) = 0;
    /// The consumer has read up to `upto` and asks to be handed batches again. True = live from there; false = more to read.
    virtual bool caught_up(std::uint32_t consumer_bit, lsn upto) = 0;

    /// Reads one plugin's state values in key order; any thread.
    virtual void scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) = 0;
    /// A port for threads that are not shards (lanes): thread-safe, bounded (8,192 changes); same semantics, completion by
    /// callback on the writer thread; errc::full when the queue is full, called at once on the caller's.
    virtual void submit(change c, std::function<void(boost::system::error_code, lsn)> done) = 0;

    /// Writes a consistent copy into `directory` (made 0700, must not hold a store yet) while the store goes on. Opened as a
    /// store, the copy begins a newer epoch. Any thread, takes its time. errc::io, errc::full, errc::not_found (level memory).
    virtual boost::system::result<void> backup(std::string const& directory, std::string& why) = 0;

    /// The stored clock: monotonic while running, plus clamp(wall - stored, 0, 24 h) over a restart. Milliseconds. Any thread.
    virtual std::int64_t now_ms() const = 0;
    /// Next free session number; any thread.
    virtual session_number new_session_number() = 0;

    struct statistics {
        std::uint64_t commits = 0, syncs_failed = 0, changes = 0, records_damaged = 0, cleaned = 0, bytes_used = 0;
        std::uint64_t commit_us_total = 0, queue_depth = 0;
    };
    virtual statistics stats() const = 0;
    /// Empty while healthy, else the reason (for /readyz).
    virtual std::string trouble() const = 0;
    /// One line for each damaged record met since the store was opened (at most 100 are kept), for the log.
    virtual std::vector<std::string> damaged() const = 0;
};

}

template <> struct boost::system::is_error_code_enum<airmail::storage::errc> : std::true_type {};
