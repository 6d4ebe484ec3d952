#pragma once
// The ordered record of every change to replicated tables, written by triggers in the transaction of the change itself, and a
// cursor per destination (Postgres, Redis; their readers come with replicate/). Lives on the SQLite thread, beside its db.
// Bound: `rows_max` unread rows. At it the whole outbox is dropped and every destination that had not read it is marked
// needs_snapshot (counted): it copies the tables anew, then streams on.

#include "storage/sqlite/db.hpp"

#include <optional>

namespace airmail::storage {

/// A table whose changes are copied. Columns are read from the table itself.
struct outbox_table {
    std::string name;
    std::vector<std::string> primary_key;      // empty = as the table declares it
    std::string device_column;                 // whose order counts; empty = "device_id" when there is such a column
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

struct outbox_options {
    std::int64_t node_id = 1;
    std::int64_t rows_max = 1'000'000;
    std::int64_t rows_kept_without_reader = 10'000;     // with no destination: a window to look at, newest kept
    std::function<std::int64_t()> wall_ms;              // unix milliseconds; required
};

class outbox {
public:
    /// Defines on `d` the SQL functions that the triggers call; every connection that writes replicated tables needs one.
    /// The core migrations must have run. `d` outlives it.
    outbox(sqlite::db& d, outbox_options o);

    /// W3C traceparent stored with the changes from here on; empty = none.
    void traceparent(std::string_view t) { traceparent_ = t; }

    /// A new destination starts at needs_snapshot. Known ones keep their cursor.
    void add_destination(std::string_view name);
    void remove_destination(std::string_view name);

    /// The next changes for a destination in order, at most `max`. Empty while it needs a snapshot.
    std::vector<outbox_entry> read(std::string_view destination, std::size_t max);
    /// Everything up to `seq` is applied there. Never moves back.
    void advance(std::string_view destination, std::int64_t seq);
    /// The destination holds a copy of the tables as of `seq` (last() read in the snapshot's transaction).
    void snapshot_taken(std::string_view destination, std::int64_t seq);

    /// Forgets what everyone has read and keeps the bound; call it now and then, in a transaction or not.
    /// @return rows removed
    std::int64_t trim();

    struct destination {
        std::string name;
        std::int64_t seq = 0, lag_rows = 0, snapshots_needed = 0;
        bool needs_snapshot = true;
        std::string reason;
    };
    std::vector<destination> destinations();
    std::int64_t last();                                // newest seq ever given, 0 = none
    std::int64_t size();                                // rows held
    std::uint64_t dropped() const { return dropped_; }  // rows dropped at the bound since start

private:
    sqlite::db& db_;
    outbox_options options_;
    std::string traceparent_;
    std::uint64_t dropped_ = 0;
};

}
