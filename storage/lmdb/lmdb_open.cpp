// Opening and closing: lock, epoch, scan.
#include "storage/lmdb/first_start.hpp"
#include "storage/lmdb/lmdb_journal.hpp"
#include "storage/lmdb/page_check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace airmail::storage::lmdb {

lmdb_journal::lmdb_journal(store_options const& o, vitals& v) : options_(o), vitals_(v) {
    // Beyond the map the operator allowed: deleting copies pages too, and a full store must be able to get emptier.
    reserve_bytes_ = std::clamp<std::uint64_t>(o.map_bytes / 16, 1u << 20, 64u << 20) / 4096 * 4096;
    options_.map_bytes = std::max<std::uint64_t>(o.map_bytes / 4096 * 4096, 1u << 20);
}

boost::system::result<std::unique_ptr<lmdb_journal>> lmdb_journal::open(store_options const& o, vitals& v, recovery const& r,
                                                                        std::int64_t& clock_ms, std::string& why) {
    auto j = open_as_it_is(o, v, r, clock_ms, why);
    if (j || j.error() != errc::damaged || !set_unfinished_aside(o.directory)) return j;
    j = open_as_it_is(o, v, r, clock_ms, why);
    if (j) (*j)->damaged_.push_back(o.directory + "/data.mdb: its first start had not come to its end; a new store is made, the old file is data.mdb.unfinished");
    return j;
}

boost::system::result<std::unique_ptr<lmdb_journal>> lmdb_journal::open_as_it_is(store_options const& o, vitals& v, recovery const& r,
                                                                                 std::int64_t& clock_ms, std::string& why) {
    std::unique_ptr<lmdb_journal> j{new lmdb_journal{o, v}};
    auto lock = directory_lock::take(o.directory, why);
    if (!lock) return lock.error();
    j->lock_ = std::move(*lock);
    if (auto whole = check_pages(o.directory, why); !whole) return whole.error();
    auto env = environment::open(o.directory, j->options_.map_bytes + j->reserve_bytes_, why);
    if (!env) return env.error();
    j->env_ = std::move(*env);
    auto before = meta_state::read(*j->env_, why);
    if (!before) {
        why = o.directory + "/data.mdb: " + why;
        return before.error();
    }
    if (auto scanned = j->scan(r, why); !scanned) return scanned.error();
    clock_ms = *before ? (*before)->clock_ms : 0;
    if (*before) {
        j->next_ = std::max(j->next_, (*before)->next);
        v.next_session = std::max(v.next_session.load(), (*before)->next_session);
    }
    return j;
}

boost::system::result<void> lmdb_journal::scan(recovery const& r, std::string& why) {
    live_ = std::make_unique<liveness>(std::clamp(options_.clean_range_bits, 2u, 20u), true);
    auto found = recoverer{*env_, *live_}.run(r, why);
    if (!found) return found.error();
    newest_for_ = found->newest_for;
    next_ = std::max(next_, found->last + 1);
    vitals_.next_session = std::max(vitals_.next_session.load(), found->last_session + 1);
    vitals_.damaged += found->damaged;
    std::lock_guard l{words_};
    for (auto& line : found->lines)
        if (damaged_.size() < 100) damaged_.push_back(std::move(line));
    return {};
}

boost::system::result<void> lmdb_journal::begin_life(std::string& why) {
    auto before = meta_state::read(*env_, why);
    if (!before) return before.error();
    auto beside = instance_file::read(options_.directory);
    auto inode = inode_of_database(options_.directory);
    bool same = *before && beside && beside->id == (*before)->instance && beside->inode == inode;
    auto epoch = std::max<std::uint64_t>(next_ >> counter_bits, beside ? beside->epoch : 0);
    if (!same) next_ = ((epoch + 1) << counter_bits) + 1;
    return mark(why);
}

boost::system::result<void> lmdb_journal::mark(std::string& why) {
    instance_ = instance_file::fresh_id();
    transaction t{*env_, true};
    int rc = t.begun();
    if (rc == 0) rc = state(next_).write(*env_, t.get());
    if (rc == 0) measure(t.get());
    if (rc == 0) rc = t.commit();
    if (rc != 0) return why = options_.directory + "/data.mdb: " + mdb_strerror(rc), to_errc(rc);
    // After the database: a crash in between raises the epoch once for nothing, and the other order would miss a restore.
    rc = sign_directory(next_);
    if (rc != 0) return why = options_.directory + "/instance: " + std::strerror(rc), errc::io;
    return {};
}

int lmdb_journal::sign_directory(lsn next) const {
    return instance_file{.id = instance_, .epoch = next >> counter_bits, .inode = inode_of_database(options_.directory)}.write(options_.directory);
}

boost::system::result<void> lmdb_journal::backup(std::string const& directory, std::string& why) {
    auto lock = directory_lock::take(directory, why);
    if (!lock) return lock.error();
    if (inode_of_database(directory) != 0) return why = directory + ": holds a store already", errc::io;
    {
        auto gate = opened();
        int rc = env_ ? mdb_env_copy2(env_->env(), directory.c_str(), MDB_CP_COMPACT) : ECANCELED;
        if (rc != 0) return why = directory + ": " + mdb_strerror(rc), to_errc(rc);
    }
    // An instance id that no directory has: wherever the copy is put, it is told from what was here.
    auto copy = environment::open(directory, options_.map_bytes + reserve_bytes_, why);
    if (!copy) return copy.error();
    auto copied = meta_state::read(**copy, why);
    if (!copied) return copied.error();
    transaction t{**copy, true};
    int rc = t.begun();
    if (rc == 0 && *copied) {
        (*copied)->instance = {};
        rc = (*copied)->write(**copy, t.get());
    }
    if (rc == 0) rc = t.commit();
    if (rc != 0) return why = directory + "/data.mdb: " + mdb_strerror(rc), to_errc(rc);
    return {};
}

void lmdb_journal::close() {
    std::string why;
    // What was put off for the next transaction: there is none after this.
    bool listed = live_ && (!live_->doomed().empty() || !live_->orphans().empty() || live_->sweeping());
    if (batch none; env_ && !rescan_ && listed) (void)commit(none);
    // A backup taken while this store ran is told from what it left at its end, too.
    if (env_ && !rescan_) (void)mark(why);
    {
        std::unique_lock gate{gate_};
        closing_ = true;
        env_.reset();
    }
    gate_opened_.notify_all();
}

}
