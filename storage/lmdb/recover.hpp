#pragma once
// The one scan at start: from rows back to what counts, and to the broker. Reads the log once in order (the same calls
// that followed each commit), then hands out the living.

#include "storage/liveness.hpp"
#include "storage/lmdb/environment.hpp"

namespace airmail::storage::lmdb {

/// What the scan learnt besides.
struct recovered {
    std::array<lsn, 32> newest_for{};        // per consumer bit
    lsn last = 0;                            // highest LSN met
    session_number last_session = 0;         // highest session number met
    std::uint64_t damaged = 0;
    std::vector<std::string> lines;          // one for each damaged record, at most 100
};

class recoverer {
public:
    recoverer(environment const& e, liveness& l) : env_(e), live_(l) {}
    /// Fills the liveness and calls `r` (any of its functions may be empty). errc::damaged when LMDB itself stumbles,
    /// errc::version on a newer row.
    boost::system::result<recovered> run(recovery const& r, std::string& why);

private:
    int scan_log(MDB_txn* t);
    void row(MDB_txn* t, lsn at, MDB_val const& value);
    void retained_row(MDB_txn* t, lsn at);
    int scan_references(MDB_txn* t, recovery const& r);
    void reference_row(cursor& log, MDB_val const& key, MDB_val const& value, recovery const& r);
    int hand_out(MDB_txn* t, recovery const& r);
    void damaged(std::string line);
    void saw_session(session_number n) { out_.last_session = std::max(out_.last_session, n); }
    bool load(MDB_txn* t, lsn at, record::kind k);

    environment const& env_;
    liveness& live_;
    recovered out_;
    record::decoder decoder_, message_decoder_;
    std::vector<lsn> wanted_;                          // messages that some consumer may still need
    lsn message_at_ = 0;                               // scan_references: the message the cursor stands on
    bool message_good_ = false, newer_ = false;
    std::uint32_t message_payload_ = 0;
    std::int64_t message_expires_ = 0;
};

}
