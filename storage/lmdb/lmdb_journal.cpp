#include "storage/lmdb/lmdb_journal.hpp"

#include "storage/apply.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace airmail::storage::lmdb {

namespace {

// Beside a batch up to four rows a change, since one change writes at most three: the cleaner keeps up with any load.
constexpr std::size_t rows_cleaned_alone = 16'384, rows_cleaned_least = 1'024;

std::string words(int rc) { return mdb_strerror(rc); }

/// Nothing but changes after which the store holds less: they may use the cleaner's reserve.
bool only_frees(batch const& b) {
    return std::all_of(b.changes.begin(), b.changes.end(), [](change const* c) {
        return std::holds_alternative<settle>(*c) || std::holds_alternative<forget_qos2_in>(*c) ||
               std::holds_alternative<drop_session>(*c) || std::holds_alternative<drop_subscription>(*c);
    });
}

}

bool lmdb_journal::has_room(MDB_txn* t, batch const& b, bool freeing) const {
    // Rows, their leaf headers, half-filled pages of split leaves, and copies of the pages deletions touch. Pages freed by
    // the last transactions are not free yet, hence twice.
    auto need = 2 * (b.bytes + b.changes.size() * 64) + 64 * env_->page_bytes();
    auto limit = options_.map_bytes + (freeing ? reserve_bytes_ : 0);
    return env_->bytes_used(t) + need <= limit;
}

meta_state lmdb_journal::state(lsn next) const {
    return {.next = next, .clock_ms = vitals_.now_ms(), .next_session = vitals_.next_session.load(), .instance = instance_};
}

int lmdb_journal::commit_hooked(transaction& t) {
    if (options_.before_commit)
        if (int rc = options_.before_commit(); rc != 0) return t.abort(), rc;
    int rc = t.commit();
    if (rc == 0 && options_.after_commit) rc = options_.after_commit();
    return rc;
}

void lmdb_journal::measure(MDB_txn* t) {
    vitals_.bytes_used.store(env_->bytes_used(t), std::memory_order_relaxed);
    vitals_.bytes_file.store(env_->bytes_file(), std::memory_order_relaxed);
}

int lmdb_journal::attempt(batch& b, cleaned& done, lsn& next) {
    done = {};
    next = next_;
    transaction t{*env_, true};
    if (t.begun() != 0) return t.begun();
    attempted_ = mdb_txn_id(t.get());
    if (!has_room(t.get(), b, only_frees(b))) return MDB_MAP_FULL;
    {
        batch_writer w{*env_, t.get(), encoder_, next};
        if (w.opened() != 0) return w.opened();
        cleaner c{*env_, t.get(), *live_};
        auto budget = b.changes.empty() ? rows_cleaned_alone : std::max(rows_cleaned_least, 4 * b.changes.size());
        if (int rc = c.run(budget, w, next_); rc != 0) return rc;
        done = std::move(c.done());
        b.out.resize(b.changes.size());
        for (std::size_t i = 0; i < b.changes.size(); ++i)
            if (int rc = w.put(*b.changes[i], b.out[i]); rc != 0) return rc;
    }
    if (int rc = state(next).write(*env_, t.get()); rc != 0) return rc;
    measure(t.get());
    return commit_hooked(t);
}

void lmdb_journal::committed(batch const& b, cleaned const& done, lsn next) {
    // First what the cleaner did: it ran before the batch's own changes.
    live_->apply(done);
    apply(*live_, b);
    // 2^40 rows in one run carry into the epoch; a restore must begin beyond that one, too.
    if (next >> counter_bits != next_ >> counter_bits) (void)sign_directory(next);
    next_ = next;
    vitals_.cleaned.fetch_add(done.rows(), std::memory_order_relaxed);
    // What only frees gets through a full map, and does not end its trouble.
    map_full_ = map_full_ && vitals_.bytes_used + 128 * env_->page_bytes() > options_.map_bytes;
    if (std::lock_guard l{words_}; !map_full_ && !trouble_.empty()) trouble_.clear();
}

boost::system::error_code lmdb_journal::commit(batch& b) {
    cleaned done;
    lsn next = next_;
    auto began = std::chrono::steady_clock::now();
    boost::system::error_code ec;
    if (!env_ || rescan_) {
        std::string why;
        if (!reopen(why)) return set_trouble(why), errc::failed;
    }
    int rc = attempt(b, done, next);
    if (rc == 0) committed(b, done, next);
    else if (rc == MDB_MAP_FULL) {   // nothing reached the disk, and the cleaner may yet make room
        set_trouble("store_map_size is used up (" + std::to_string(options_.map_bytes) + " bytes)");
        ec = errc::full;
        map_full_ = true;
    } else {
        set_trouble(words(rc));
        ++vitals_.syncs_failed;
        ec = commit_again(b, done, next);
        if (ec && to_errc(rc) == errc::full) ec = errc::full;   // the disk, that is
    }
    auto took = std::chrono::steady_clock::now() - began;
    vitals_.commit_us.fetch_add(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    if (!ec) ++vitals_.commits;
    return ec;
}

boost::system::error_code lmdb_journal::commit_again(batch& b, cleaned& done, lsn& next) {
    auto tried = attempted_;
    rescan_ = false;
    std::string why;
    if (!reopen(why)) {
        rescan_ = true;
        return set_trouble(why), errc::failed;
    }
    int rc;
    if (env_->last_transaction() >= tried) {
        // It is there after all: the data was synced and only the root page's write was reported as failed. That root is
        // made sure of by a transaction of its own, which writes the other one.
        transaction t{*env_, true};
        rc = t.begun();
        if (rc == 0) rc = state(next).write(*env_, t.get());
        if (rc == 0) rc = commit_hooked(t);
    } else {
        rc = attempt(b, done, next);
    }
    if (rc == 0) return committed(b, done, next), boost::system::error_code{};
    if (rc != MDB_MAP_FULL) ++vitals_.syncs_failed;
    rescan_ = true;   // whatever is on the disk now, the next batch starts from that
    return set_trouble(words(rc)), to_errc(rc) == errc::full ? errc::full : errc::failed;
}

bool lmdb_journal::reopen(std::string& why) {
    std::unique_lock gate{gate_};   // no reader is inside
    env_.reset();
    auto e = environment::open(options_.directory, options_.map_bytes + reserve_bytes_, why);
    if (!e) return false;
    env_ = std::move(*e);
    if (rescan_) {
        auto before = meta_state::read(*env_, why);
        if (!before || !scan({}, why)) {
            env_.reset();
            return false;
        }
        if (*before) next_ = std::max(next_, (*before)->next);
        live_->applied(applied_);
        rescan_ = false;
    }
    gate.unlock();
    gate_opened_.notify_all();
    return true;
}

void lmdb_journal::set_trouble(std::string what) {
    std::lock_guard l{words_};
    trouble_ = std::move(what);
}

std::string lmdb_journal::trouble() const {
    std::lock_guard l{words_};
    return trouble_;
}

std::vector<std::string> lmdb_journal::damaged() const {
    std::lock_guard l{words_};
    return damaged_;
}

void lmdb_journal::found_damage(std::string line) {
    ++vitals_.damaged;
    std::lock_guard l{words_};
    if (damaged_.size() < 100) damaged_.push_back(std::move(line));
}

}
