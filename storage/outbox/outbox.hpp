#pragma once
// The ordered record of every change to replicated tables, written by triggers in the transaction of the change itself, and a
// cursor per destination (Postgres, Redis; replicate/ reads). With no destination nothing is written. Each connection that writes replicated tables has one; the
// cursors are moved by the replicate thread alone, with a connection of its own.
// Bound: `rows_max` unread rows. At it the whole outbox is dropped and every destination that had not read it is marked
// needs_snapshot (counted): it copies the tables anew, then streams on.

#include "storage/sqlite/db.hpp"

#include <optional>
#include <string>
#include <unordered_set>

namespace airmail::storage {

/// A table whose changes are copied. Columns are read from the table itself.
struct outbox_table {
    std::string name;
    std::vector<std::string> primary_key;      // empty = as the table declares it
    std::string device_column;                 // whose order counts; empty = "serial_no", else "device_id", when there is such a column
    std::vector<std::string> folded;           // columns that only grow; a change of these alone is folded, one row a key
    std::int64_t version = 1;                  // steps of its migrations: what a copy must know
    bool built_in = false;
};

/// (Re)writes the three triggers of one table. Call it after the table's migrations, each start: the triggers follow the
/// table's present columns. Rows become JSON objects; a column declared BLOB becomes {"$blob":"<hex>"}. A change of primary key is a
/// delete and an insert; an update that changes nothing writes nothing. Throws sqlite::error (no such table, no key).
void install_outbox_triggers(sqlite::db& d, outbox_table const& t);
void remove_outbox_triggers(sqlite::db& d, std::string_view table);

/// One change. `pk` is a JSON array, `row` a JSON object (null for a delete).
struct outbox_entry {
    std::int64_t seq = 0;
    std::int64_t node_id = 0;
    std::string table, pk;
    char op = 'I';                             // I, U, D
    std::string row, device;
    std::int64_t at_ms = 0;
    std::string traceparent;
};

/// A change of folded columns alone: `row` has the key and those columns.
struct folded_entry {
    std::int64_t n = 0;
    std::string table, pk, row;
};

struct outbox_options {
    std::int64_t node_id = 1;
    std::int64_t rows_max = 1'000'000;
    std::function<std::int64_t()> wall_ms;              // unix milliseconds; required
};

class outbox {
public:
    /// Defines on `d` the SQL functions that the triggers call; every connection that writes replicated tables needs one.
    /// The core migrations must have run. `d` outlives it.
    outbox(sqlite::db& d, outbox_options o);

    /// W3C traceparent stored with the changes from here on; empty = none.
    void traceparent(std::string_view t) { traceparent_ = t; }

    /// A new destination starts at needs_snapshot; the first of all beyond every number given before: what changed while nobody
    /// was told is newer than what it may hold. Known ones keep their cursor; a snapshot under way is forgotten.
    void add_destination(std::string_view name);
    void remove_destination(std::string_view name);

    /// The next changes for a destination in order, at most `max`. Empty while it needs a snapshot.
    std::vector<outbox_entry> read(std::string_view destination, std::size_t max);
    /// The same beyond any number: a reader that knows how far it is writes its cursor down now and then only.
    std::vector<outbox_entry> read_after(std::int64_t seq, std::size_t max);
    /// Everything up to `seq` is applied there. Never moves back.
    void advance(std::string_view destination, std::int64_t seq);
    /// The destination says itself how far it is, further back too (it was restored). False = rows it needs have gone.
    bool resume(std::string_view destination, std::int64_t seq);

    /// The next changes of folded columns beyond `after`, at most `max`. A key appears once, with its present value.
    std::vector<folded_entry> read_folded(std::int64_t after, std::size_t max);
    std::int64_t folded_cursor(std::string_view destination);
    void advance_folded(std::string_view destination, std::int64_t n);
    std::int64_t last_folded();

    /// From here on rows are kept for it although it cannot read them yet. @return last()
    std::int64_t snapshot_begin(std::string_view destination);
    /// The destination holds a copy of the tables as of `seq`. False = the rows since then were dropped meanwhile (the outbox
    /// was at its bound): copy again. Without a snapshot_begin() it is believed.
    bool snapshot_taken(std::string_view destination, std::int64_t seq);
    void ask_for_snapshot(std::string_view destination, std::string_view reason);
    /// Numbers go on in a later epoch than that of `seq`, so that what we say now is newer than what was said before a
    /// restore. Empties the outbox: everybody needs a snapshot.
    void begin_epoch_after(std::int64_t seq);

    /// Sets aside what a destination refuses for its contents, with its words. Bound: the newest 10,000.
    void set_aside(std::string_view destination, outbox_entry const& e, std::string_view reason);
    std::int64_t poison_rows(std::string_view destination);

    /// Removes rows of which a later one about the same key stands in the outbox: full rows are images. In transactions of at
    /// most `step` rows, newest first; call until it returns false. Memory: about 100 bytes a key while the walk lasts.
    bool compact(std::size_t step);
    std::uint64_t compacted() const { return compacted_; }      // rows removed so since start

    /// Forgets what everyone has read and keeps the bound; call it now and then, in a transaction or not.
    /// @return rows removed
    std::int64_t trim();

    struct destination {
        std::string name;
        std::int64_t seq = 0, lag_rows = 0, snapshots_needed = 0;
        bool needs_snapshot = true;
        std::string reason;
        std::int64_t oldest_ms = 0;                     // when its oldest unread change was made, unix ms; 0 = none waits
    };
    /// Counts rows: about 20 ms a million unread ones.
    std::vector<destination> destinations();
    std::int64_t last();                                // newest seq ever given, 0 = none
    std::int64_t size();                                // rows held
    std::uint64_t dropped() const { return dropped_; }  // rows dropped at the bound since start

private:
    sqlite::db& db_;
    outbox_options options_;
    std::string traceparent_;
    std::uint64_t dropped_ = 0, compacted_ = 0;
    std::int64_t compact_from_ = 0;                     // where the walk of compact() is; 0 = not under way
    std::unordered_set<std::string> met_;               // keys it has met
};

}
