#pragma once
// Level durable: batches become LMDB transactions. A commit that fails is never believed in part: the transaction is
// aborted, the environment closed and opened again, and the same batch committed as a new transaction. If that fails too
// the batch is refused, and the next one begins with another reopening and a fresh scan: only the disk knows then.
//
// commit() and cleaning: writer thread. fetch, read, scan_state: any thread, each with a read transaction of its own that
// ends before the results are looked at.

#include "storage/journal.hpp"
#include "storage/liveness.hpp"
#include "storage/lmdb/cleaner.hpp"
#include "storage/lmdb/meta.hpp"
#include "storage/lmdb/recover.hpp"

#include <condition_variable>
#include <mutex>
#include <shared_mutex>

namespace airmail::storage::lmdb {

class lmdb_journal final : public journal {
public:
    /// Lock, open, epoch, scan. Opening thread. Sets the clock's base in `clock_ms` (0 = a new store).
    static boost::system::result<std::unique_ptr<lmdb_journal>> open(store_options const& o, vitals& v, recovery const& r,
                                                                     std::int64_t& clock_ms, std::string& why);

    /// Once the clock runs: raises the epoch where this is not the database that was closed or crashed here, and signs it.
    boost::system::result<void> begin_life(std::string& why);

    boost::system::error_code commit(batch& b) override;
    bool wants_cleaning() const override { return env_ && live_->worth_a_commit(next_); }
    void applied(lsn upto) override { live_->applied(applied_ = upto); }
    lsn next() const override { return next_; }
    bool knows(session_number n) const override { return live_->has_session(n); }
    std::array<lsn, 32> newest_for() const override { return newest_for_; }
    std::string trouble() const override;
    std::vector<std::string> damaged() const override;

    std::vector<message_ptr> fetch(std::vector<lsn> const& which) override;
    std::vector<std::pair<lsn, message_ptr>> read(std::uint32_t consumer_bit, lsn after, std::size_t max) override;
    void scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) override;
    boost::system::result<void> backup(std::string const& directory, std::string& why) override;
    void close() override;

private:
    static boost::system::result<std::unique_ptr<lmdb_journal>> open_as_it_is(store_options const& o, vitals& v, recovery const& r,
                                                                              std::int64_t& clock_ms, std::string& why);
    lmdb_journal(store_options const& o, vitals& v);
    boost::system::result<void> mark(std::string& why);
    int sign_directory(lsn next) const;
    boost::system::result<void> scan(recovery const& r, std::string& why);
    /// One attempt. LMDB's or the system's code.
    int attempt(batch& b, cleaned& done, lsn& next);
    int commit_hooked(transaction& t);
    void measure(MDB_txn* t);
    bool has_room(MDB_txn* t, batch const& b, bool freeing) const;
    bool reopen(std::string& why);
    boost::system::error_code commit_again(batch& b, cleaned& done, lsn& next);
    void committed(batch const& b, cleaned const& done, lsn next);
    void set_trouble(std::string what);
    void found_damage(std::string line);
    meta_state state(lsn next) const;
    std::shared_lock<std::shared_mutex> opened();   // waits out a reopening; env_ is null only while closing

    store_options options_;
    vitals& vitals_;
    std::unique_ptr<directory_lock> lock_;
    std::unique_ptr<environment> env_;              // writer thread changes it under gate_
    std::shared_mutex gate_;
    std::condition_variable_any gate_opened_;
    bool closing_ = false;
    std::unique_ptr<liveness> live_;
    record::encoder encoder_;
    lsn next_ = 1;
    lsn applied_ = 0;                               // told again after a rescan
    instance_id instance_{};
    std::uint64_t reserve_bytes_ = 0;               // kept for the cleaner
    std::size_t attempted_ = 0;                     // number of the transaction last tried
    bool rescan_ = false;                           // the disk may know more than live_
    std::array<lsn, 32> newest_for_{};
    mutable std::mutex words_;
    std::string trouble_;
    bool map_full_ = false;                    // the trouble is store_map_size; writer thread
    std::vector<std::string> damaged_;
};

}
