#pragma once
// From one message to everybody who wants it, shard by shard, and back to the publisher's acknowledgement.
//
//   P = shard of the publisher                          t = every shard in the set, P included
//   publish ── interest, home of retained ──> [set] ──mail──> arrive: match tree, deliver, retain
//      pending <───────────────── references of durable sessions ──mail──┘
//      when all are in, in order of publish(): ONE put_message ──> store
//      durable ──> the promise is kept (PUBACK, PUBREC) ──mail──> t: entries learn their LSN
//
// Nothing to store (no durable receiver, consumer, retained change or QoS 2 id): the promise is kept at once. Order for one
// publisher holds because P takes messages in turn, rings are first in, first out, and pending ones are stored in turn.

#include "broker/router/delivery.hpp"
#include "broker/router/interest.hpp"
#include "broker/router/metrics.hpp"
#include "broker/router/retained.hpp"
#include "broker/router/route_memory.hpp"
#include "broker/router/shared_group.hpp"
#include "broker/router/topic_tree.hpp"
#include "broker/shard/shard.hpp"

#include <string>
#include <unordered_map>

namespace airmail::router {

/// Who is told when a message is safe. `session` 0: nobody (QoS 0, wills, plugins).
struct ack_promise {
    std::uint64_t connection = 0;
    std::uint32_t session = 0;
    std::uint16_t packet_id = 0;
    std::uint8_t qos = 0;
};

/// How a publish ended. `not_stored`: 0x97, the store could not. `over_quota`: 0x97, a bound on retained messages.
enum class outcome : std::uint8_t { routed, nobody, not_stored, over_quota };

/// What fan-out must ask of the room above.
class surroundings {
public:
    virtual ~surroundings() = default;
    virtual session::session* find(std::uint32_t number) = 0;
    /// May this session read that topic? Asked for every delivery, answered from its cache. `hash` = keyed_hash(topic).
    virtual bool may_receive(session::session& s, std::string_view topic, std::uint64_t hash) = 0;
    virtual bool may_receive(member& m, std::string_view topic, std::uint64_t hash) = 0;
    /// A promise to this broker itself: `heard` is told whether the message is safe.
    virtual ack_promise promise_to(std::function<void(bool safe)> heard) = 0;
    /// May who published this retained message still publish it? (check_retain_source)
    virtual bool source_may(storage::message const&) { return true; }
    /// A will met a queue that is more than half full, of a client that is there. Before its answer().
    virtual void crowded() {}
    /// Keeps the promise: PUBACK, PUBREC, or the refusal.
    virtual void answer(ack_promise const& p, outcome o) = 0;
    /// The same room on another shard: only for use inside mail to it.
    virtual class fanout& of_shard(unsigned t) = 0;
};

/// What the publisher's side knows beside the message.
struct publish_options {
    bool durable = true;                       // level of its listener; false = RAM only
    std::uint32_t consumers = 0;               // plugin lanes that must see it in the log
    bool heard = false;                        // some plugin has it already: not "no matching subscribers"
    bool handed_on = false;                    // from a member that left: it has been retained and seen by all others before
    bool will = false;                         // can wait: is told when queues of receivers get full
    bool remember_id = false;                  // QoS 2 of a stored session: keep the packet id too [MQTT-4.3.3-10]
    std::uint32_t retained_per_identity = 0;   // bound, 0 = none
};

/// Owned by: one shard.
class fanout {
public:
    fanout(shard::shard& s, interest& i, ledger& l, surroundings& around, delivery& d, retained_bounds b, std::size_t groups_max,
           share_strategy strategy = share_strategy::round_robin)
        : shard_{s}, interest_{i}, ledger_{l}, around_{around}, delivery_{d}, retained_{b}, groups_max_{groups_max}, strategy_{strategy},
          subscription_share_{metric::subscriptions}, retained_share_{metric::retained_messages}, retained_bytes_share_{metric::retained_bytes} {}

    /// Routes a message; the promise is answered now or later, never from inside when it must be stored.
    /// @param hash keyed_hash(m->topic())
    void publish(storage::message_ptr m, std::uint64_t hash, ack_promise p, publish_options const& o);

    struct subscribed {
        bool is_new = false;
        bool pending = false;      // `confirmed` will be called (shared groups on another shard)
        bool refused = false;      // too many groups
    };
    /// Adds a subscription of a session of this shard; `group` empty = not shared.
    subscribed subscribe(session::session& s, std::string_view group, std::string_view filter, std::uint32_t id, options how,
                         acl::identity const& who, std::function<void(bool ok)> confirmed);
    /// `text` with its `$share` prefix. False: there was none.
    bool unsubscribe(session::session& s, std::string_view text);
    /// All of a session that ends. What it was owed of shared subscriptions goes to other members; `after` is called when they
    /// have it, at once when there is nothing.
    void forget(session::session& s, std::function<void()> after);
    /// Group members know who is connected.
    void online(session::session& s, bool is);

    /// Sends the retained messages that match, in pages as the client takes them. [MQTT-3.3.1-9]
    void replay(session::session& s, std::string_view filter, std::uint32_t id, options how);
    /// Goes on with replays; true = there is more to do at once.
    bool run_replays();

    /// Forgets some of what has expired; once a second.
    void sweep_retained(std::int64_t now) {
        if (!retained_.sweep(now, 20'000)) return;
        retained_share_.set(static_cast<std::int64_t>(retained_.size()));
        retained_bytes_share_.set(static_cast<std::int64_t>(retained_.bytes()));
    }
    /// Recovery: a retained message whose home is here; a member restored with its session.
    void restore(storage::message_ptr m) { retained_.set(std::move(m)); }

    topic_tree const& tree() const { return tree_; }
    retained const& retained_messages() const { return retained_; }
    std::size_t pending() const { return pending_.size(); }
    static unsigned home(std::uint64_t hash, unsigned shards) { return static_cast<unsigned>((hash >> 32) % shards); }

private:
    struct hit {
        session::session* who;
        std::uint8_t qos;
        bool retain;
        std::uint32_t first_id, more;   // more: index + 1 into overlaps_, 0 = at most one id
    };
    /// What a shard answers.
    struct arrival {
        std::vector<owed> references;
        std::uint32_t matched = 0;
        std::int32_t balance = 0;       // group deliveries handed on (+) and arrived (-)
        bool refused = false;
        bool crowded = false;
    };
    struct pending_publish {
        storage::message_ptr body;
        ack_promise promise;
        publish_options how;
        arrival got;
        std::int32_t missing = 0;       // shards that have not answered
        bool complete() const { return missing == 0 && got.balance == 0; }
    };
    struct from {
        unsigned shard;
        std::uint64_t number;           // of the pending publish; 0 = no answer wanted
        publish_options how;
    };
    struct replay_work {
        std::uint32_t session, id;
        std::uint64_t connection;
        options how;
        std::vector<storage::message_ptr> messages;
        std::size_t next = 0;
    };
    struct stored_publish;
    /// Counts what is on its way to others. Shared by the mail about it; touched on the member's shard alone.
    struct leaving {
        bool ends = false;
        std::size_t open = 1;
        std::function<void()> after;
        void one() {
            if (--open == 0 && after) after();
        }
    };

    shard_set interested(std::string_view topic, std::uint64_t hash);
    void arrive(storage::message_ptr const& m, std::uint64_t hash, from const& f, arrival& a);
    void collect(storage::message const& m, std::uint64_t hash);
    void note_hit(subscriber const& s, storage::message const& m);
    void to_group(std::uint32_t group, storage::message_ptr const& m, std::uint64_t hash, from const& f, arrival& a, unsigned hops);
    void to_member(storage::message_ptr const& m, std::uint64_t hash, from const& f, std::uint32_t group, unsigned home, unsigned hops,
                   storage::reference r, std::uint32_t record);
    void hand_on(session::session& s, std::uint32_t record, std::string const& key, bool ends, std::shared_ptr<leaving> const& l);
    void regroup(std::string const& key, storage::message_ptr m, bool durable, std::function<void()> done);
    void take_away(session::session& s, std::string_view text, std::shared_ptr<leaving> const& l);
    void report(from const& f, arrival&& a, bool shard_done);
    void answered(std::uint64_t number, arrival&& a, bool shard_done);
    void flush();
    void finish(pending_publish& p);
    void tell(unsigned shard, storage::message_ptr const& m, std::vector<owed> const& list, storage::lsn at);

    bool join(std::string const& key, std::string const& name, std::string const& filter, member m);
    void leave(std::string const& key, std::uint32_t session);
    void replay_arrived(replay_work w);

    shard::shard& shard_;
    interest& interest_;
    route_memory<shard_set, 1024> routes_;
    ledger& ledger_;
    surroundings& around_;
    delivery& delivery_;
    topic_tree tree_;
    retained retained_;
    std::size_t groups_max_;
    share_strategy strategy_;
    std::vector<std::unique_ptr<shared_group>> groups_;
    std::unordered_map<std::string, std::uint32_t> group_numbers_;   // "name/filter"
    std::vector<hit> hits_;
    std::vector<std::uint32_t> group_hits_;
    std::vector<std::vector<std::uint32_t>> overlaps_;
    std::uint32_t overlaps_used_ = 0, mark_ = 0;
    std::deque<pending_publish> pending_;
    std::uint64_t first_pending_ = 1;
    std::deque<replay_work> replays_;
    metrics::share subscription_share_, retained_share_, retained_bytes_share_;
};

}
