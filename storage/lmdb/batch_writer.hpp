#pragma once
// Puts changes into one open transaction. Reads nothing but the database and decides nothing that would have to be undone:
// the memory of what counts hears of it only after the commit.

#include "storage/journal.hpp"
#include "storage/lmdb/environment.hpp"

namespace airmail::storage::lmdb {

/// One per transaction. Writer thread.
class batch_writer {
public:
    /// `next` is the first free LSN and moves with every row.
    batch_writer(environment const& e, MDB_txn* t, record::encoder& enc, lsn& next);
    /// 0, or why the cursors could not be opened.
    int opened() const { return log_.opened() != 0 ? log_.opened() : refs_.opened(); }

    /// Stores one change. LMDB's return code; after any but 0 the transaction must be aborted.
    int put(change const& c, placed& out);
    lsn next() const { return next_; }
    /// Appends one row under the next LSN.
    int append(record::kind k, record::byte_view body) { return append_at(next_++, k, body); }

private:
    friend struct change_putter;
    int append_at(lsn at, record::kind k, record::byte_view body);
    int put_references(put_message const& c, lsn at);

    environment const& env_;
    MDB_txn* txn_;
    record::encoder& enc_;
    lsn& next_;
    cursor log_, refs_, ref_;   // log_ and refs_ append, ref_ seeks
};

}
