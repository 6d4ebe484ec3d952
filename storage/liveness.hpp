#pragma once
// Which records still count. The log is only ever appended to; this is the memory of what superseded what, so that the
// cleaner can take away the rest: session -> LSN, (session, filter) -> LSN, topic -> LSN, QoS 2 ids, and how often each
// message is still needed. About 16 bytes per living message, 40 per retained topic, 16 per subscription, 100 per session.
//
// Owned by: the writer thread (before it runs: the opening thread). Changed only after a commit succeeded, so that a failed
// transaction leaves nothing to undo.

#include "storage/name_hash.hpp"
#include "storage/record/row.hpp"
#include "storage/store.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <map>
#include <queue>

namespace airmail::storage {

/// What one put_message becomes: which rows are written, and under which numbers. One rule for writing and for counting.
struct message_rows {
    lsn body = 0, retained = 0, qos2_in = 0;   // 0 = no such row
    lsn after = 0;                             // first number not used
    static message_rows of(put_message const& c, lsn at) {
        message_rows r;
        bool kept = c.retain_set && !c.retain_clear;
        if (!c.references.empty() || c.consumers != 0 || kept) r.body = at;
        ++at;   // an LSN of its own even when nothing is kept of it
        if (kept || c.retain_clear) r.retained = at++;
        if (c.qos2_in) r.qos2_in = at++;
        r.after = at;
        return r;
    }
};

/// What the cleaner did in the transaction that was just committed.
struct cleaned {
    struct move {
        record::kind kind;
        lsn from = 0, to = 0;
        session_number session = 0;
        std::uint64_t name = 0;       // filter hash, or packet id
        topic_key topic;
    };
    std::size_t doomed = 0, orphans = 0;                         // how many from the front of those lists are gone
    std::vector<lsn> removed;                                    // dead rows the walk met
    std::vector<move> moved;
    std::vector<std::pair<lsn, session_number>> references;      // of dropped sessions
    lsn walked_to = 0;                                           // 0 = did not walk
    std::pair<lsn, session_number> swept_to{0, 0};               // 0 = did not sweep
    bool sweep_ended = false;
    std::size_t rows() const { return doomed + orphans + removed.size() + moved.size() + references.size(); }
};

class liveness {
public:
    static constexpr lsn everything = ~lsn{0};

    /// `walks` false: there is no log to walk (level memory), so every death is listed at once.
    liveness(unsigned range_bits, bool walks);

    name_hash const& names() const { return names_; }

    // One row each, in LSN order; the same calls replay the log at start.
    void message_born(lsn at);
    void hold_retained(topic_key const& topic, lsn message, lsn row);
    void clear_retained(topic_key const& topic, lsn row);
    void put_session(session_number n, lsn at);
    void drop_session(session_number n, lsn at);
    void put_subscription(session_number n, std::uint64_t filter, lsn at);
    void drop_subscription(session_number n, std::uint64_t filter, lsn at);
    void put_qos2_in(session_number n, std::uint16_t packet_id, lsn at);
    void forget_qos2_in(session_number n, std::uint16_t packet_id);
    /// A reference row exists. For a session that was dropped it becomes an orphan and is not counted.
    void refer(lsn message, session_number n);
    void settle(lsn message, session_number n);
    /// Some consumer wants this message; kept until applied, whatever else happens.
    void wanted(lsn message);
    /// Nobody but references was to hold this message: if they all came too late, it is dead already.
    void unheld(lsn message);
    /// A damaged row, or any other that will never count.
    void useless(lsn at) { born(at, false); }
    /// A reference row that leads nowhere: to be deleted.
    void orphan(lsn message, session_number n) { orphans_.emplace_back(message, n); }

    /// Everything the consumers needed up to here is applied. Never goes back.
    void applied(lsn upto);
    void apply(cleaned const& c);

    // What the cleaner asks.
    bool is_living_session(session_number n, lsn at) const;
    bool is_living_subscription(session_number n, std::uint64_t filter, lsn at) const;
    bool is_living_retained(topic_key const& topic, lsn at) const;
    bool is_living_qos2_in(session_number n, std::uint16_t packet_id, lsn at) const;
    bool is_living_message(lsn at) const { return messages_.contains(at); }
    bool is_dying(session_number n) const { return dying_.contains(n); }

    std::vector<lsn> const& doomed() const { return doomed_; }
    std::vector<std::pair<lsn, session_number>> const& orphans() const { return orphans_; }
    bool sweeping() const { return !dying_.empty(); }
    std::pair<lsn, session_number> sweep_from() const { return sweep_from_; }
    lsn walk_from() const { return clean_to_; }
    /// End (exclusive) of the range the cleaner should walk now, or 0: the oldest range has more dead than living, or the
    /// whole log has. `next` = the next free LSN; its own range is never walked.
    lsn walk_until(lsn next) const;
    /// Enough to do for a transaction of its own?
    bool worth_a_commit(lsn next) const;

    std::uint64_t rows() const { return rows_; }
    std::uint64_t living() const { return living_; }
    /// Is there a session record behind this number? Only those come back after a restart.
    bool has_session(session_number n) const;
    /// At the end of a replay: sessions without a record are forgotten with all they had.
    void forget_sessions_without_record();
    template <class F> void each_session(F f) const { for (auto const& [n, e] : sessions_) f(n, e); }
    template <class F> void each_retained(F f) const { for (auto const& [k, e] : retained_) f(e.message); }

    struct session_entry {
        lsn record = 0;                     // 0 = referred to before its record came
        lsn first_reference = 0;
        std::uint32_t references = 0;
        std::vector<std::pair<std::uint64_t, lsn>> subscriptions;    // filter hash -> LSN, sorted
        std::vector<std::pair<std::uint16_t, lsn>> qos2_in;
    };

private:
    struct message_entry { std::uint32_t references : 30 = 0, retained : 1 = 0, wanted : 1 = 0; };
    struct retained_entry { lsn row = 0, message = 0; };
    struct range { std::uint32_t rows = 0, living = 0, waiting = 0; };

    std::uint64_t range_of(lsn at) const { return at >> range_bits_; }
    range& range_at(lsn at);
    void born(lsn at, bool living);
    void revive(lsn at);                    // counted as living from now on
    void died(lsn at);                      // no longer living; the walk will meet it, or it is listed
    void doom(lsn at) { doomed_.push_back(at); }
    void gone(lsn at, bool was_living);     // the row is deleted
    message_entry& hold(lsn message);
    void let_go(lsn message);
    void unretain(lsn message);
    void wait(lsn message);
    void remember_dropped(session_number n);
    void apply_move(cleaned::move const& m);

    unsigned range_bits_;
    name_hash names_;
    boost::unordered_flat_map<lsn, message_entry> messages_;             // those with a reference or retained
    boost::unordered_flat_map<topic_key, retained_entry, topic_key_hash> retained_;
    boost::unordered_flat_map<session_number, session_entry> sessions_;
    boost::unordered_flat_map<session_number, std::uint32_t> dying_;     // dropped, with references left to sweep
    boost::unordered_flat_set<session_number> dropped_;                  // the last 65,536, for references that come late
    std::deque<session_number> dropped_order_;
    std::map<std::uint64_t, range> ranges_;
    std::pair<std::uint64_t, range*> recent_{0, nullptr};                // the range touched last
    std::vector<lsn> doomed_;                                            // dead rows that no walk will meet
    std::vector<std::pair<lsn, session_number>> orphans_;
    std::priority_queue<lsn, std::vector<lsn>, std::greater<>> waiting_; // level memory only
    std::uint64_t rows_ = 0, living_ = 0;
    lsn clean_to_ = 0;                       // before this only living messages are left
    lsn applied_ = 0;
    std::uint64_t waiting_from_ = 0;
    std::pair<lsn, session_number> sweep_from_{everything, 0};
    bool walks_;
};

}
