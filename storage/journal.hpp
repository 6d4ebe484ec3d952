#pragma once
// Where a batch of changes goes: LMDB (level durable) or memory (level memory). The writer does not know which.

#include "storage/store.hpp"

#include <atomic>

namespace airmail::storage {

/// What became of one change of a batch.
struct placed {
    lsn at = 0;          // first row it wrote, 0 = none
    bool found = false;  // settle and advance: the reference was there
};

/// The changes of one transaction. They stay in their queues until it is committed, so that it can be tried again.
struct batch {
    std::vector<change*> changes;
    std::vector<placed> out;       // one for each change, valid after a commit that succeeded
    std::size_t bytes = 0;         // about what they take on disk
    void clear() { changes.clear(), out.clear(), bytes = 0; }
};

/// Numbers that live as long as the store and are written with every commit.
struct vitals {
    std::function<std::int64_t()> now_ms;
    std::atomic<session_number> next_session{1};
    // Counters of store::statistics, and what stands in the way.
    std::atomic<std::uint64_t> commits{0}, syncs_failed{0}, changes{0}, damaged{0}, cleaned{0}, bytes_used{0}, commit_us{0};
    std::atomic<std::uint64_t> bytes_file{0};   // of data.mdb, with the pages that hold nothing any more
};

class journal {
public:
    virtual ~journal() = default;

    /// Stores all of `b` or nothing, with as much cleaning as goes with it. Writer thread. errc::full, errc::failed.
    virtual boost::system::error_code commit(batch& b) = 0;
    /// Cleaning that is worth a commit of its own. Writer thread.
    virtual bool wants_cleaning() const = 0;
    /// Consumers have applied all up to here. Writer thread.
    virtual void applied(lsn upto) = 0;
    /// The number the next row will get. Writer thread.
    virtual lsn next() const = 0;
    /// Is there a stored record of this session? Writer thread.
    virtual bool knows(session_number n) const = 0;
    /// Newest message each consumer bit has been promised, from before this start. Opening thread.
    virtual std::array<lsn, 32> newest_for() const = 0;
    /// Reason of the last failure in words; empty after a success. Any thread.
    virtual std::string trouble() const = 0;
    virtual std::vector<std::string> damaged() const = 0;

    // Any thread; each waits while the environment is being reopened.
    virtual std::vector<message_ptr> fetch(std::vector<lsn> const& which) = 0;
    virtual std::vector<std::pair<lsn, message_ptr>> read(std::uint32_t consumer_bit, lsn after, std::size_t max) = 0;
    virtual void scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) = 0;

    virtual boost::system::result<void> backup(std::string const& directory, std::string& why) = 0;

    /// Last words, after the last commit. Writer thread.
    virtual void close() = 0;
};

}
