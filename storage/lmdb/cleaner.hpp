#pragma once
// Takes away what no longer counts, a little with every commit: listed rows first, then references of dropped sessions,
// then a walk through the oldest range of the log, deleting the dead and appending the living again. Messages that are
// still needed stay where they are: their LSN is known outside.
//
// Strictly oldest first, because a row that says "dropped" or "cleared" may only go after all it speaks of: behind the
// walk nothing is left but living messages, whose row that says "retained" is walked on.

#include "storage/liveness.hpp"
#include "storage/lmdb/batch_writer.hpp"

namespace airmail::storage::lmdb {

class cleaner {
public:
    cleaner(environment const& e, MDB_txn* t, liveness const& l) : env_(e), txn_(t), live_(l) {}

    /// Visits about `budget` rows; appends through `w`, so it runs before the batch's own changes: what those supersede
    /// must be older than they are. Fills `done()`. LMDB's code.
    int run(std::size_t budget, batch_writer& w, lsn next);
    cleaned& done() { return done_; }

private:
    struct kept { cleaned::move move; std::vector<std::uint8_t> body; };
    int take_listed(std::size_t budget);
    int sweep(std::size_t& budget);
    int walk(std::size_t budget, lsn until, batch_writer& w);
    /// Reads one row met by the walk; true = it stays where it is.
    bool judge(lsn at, MDB_val const& row, std::vector<kept>& to_move);
    enum class verdict { dead, living, unreadable };
    verdict living(record::kind k, cleaned::move& m);

    environment const& env_;
    MDB_txn* txn_;
    liveness const& live_;
    record::decoder decoder_, message_decoder_;
    cleaned done_;
};

}
