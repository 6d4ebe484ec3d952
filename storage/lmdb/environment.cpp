#include "storage/lmdb/environment.hpp"

#include "storage/record/crc32c.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::lmdb {

errc to_errc(int rc) {
    switch (rc) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT: return errc::full;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return errc::damaged;
    case MDB_VERSION_MISMATCH: return errc::version;
    default: return errc::io;
    }
}

int sync_directory(std::string const& directory) {
    int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    int rc = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    return rc;
}

boost::system::result<std::unique_ptr<environment>> environment::open(std::string const& directory, std::uint64_t map_bytes, std::string& why) {
    std::unique_ptr<environment> e{new environment};
    int rc = mdb_env_create(&e->env_);
    if (rc == 0) rc = mdb_env_set_mapsize(e->env_, map_bytes);
    if (rc == 0) rc = mdb_env_set_maxdbs(e->env_, 4);
    if (rc == 0) rc = mdb_env_open(e->env_, directory.c_str(), MDB_NOTLS, 0600);
    int stale = 0;
    if (rc == 0) rc = mdb_reader_check(e->env_, &stale);
    if (rc == 0) rc = e->open_tables();
    if (rc == 0) rc = sync_directory(directory);
    if (rc != 0) {
        why = directory + "/data.mdb: " + mdb_strerror(rc);
        return to_errc(rc);
    }
    MDB_stat st;
    mdb_env_stat(e->env_, &st);
    e->page_bytes_ = st.ms_psize;
    return e;
}

int environment::open_tables() {
    transaction t{*this, true};
    int rc = t.begun();
    if (rc == 0) rc = mdb_dbi_open(t.get(), "log", MDB_CREATE, &log);
    if (rc == 0) rc = mdb_dbi_open(t.get(), "ref", MDB_CREATE, &ref);
    if (rc == 0) rc = mdb_dbi_open(t.get(), "slot", MDB_CREATE, &slot);
    if (rc == 0) rc = mdb_dbi_open(t.get(), "meta", MDB_CREATE, &meta);
    return rc == 0 ? t.commit() : rc;
}

environment::~environment() {
    if (env_) mdb_env_close(env_);
}

std::size_t environment::last_transaction() const {
    MDB_envinfo info;
    mdb_env_info(env_, &info);
    return info.me_last_txnid;
}

std::uint64_t environment::bytes_file() const {
    MDB_envinfo info;
    mdb_env_info(env_, &info);
    return (std::uint64_t{info.me_last_pgno} + 1) * page_bytes_;
}

std::uint64_t environment::bytes_used(MDB_txn* txn) const {
    std::uint64_t pages = 2;   // the two meta pages
    // Table 0 is LMDB's list of free pages: what it takes itself counts as used.
    for (MDB_dbi table : {MDB_dbi{0}, log, ref, slot, meta}) {
        MDB_stat st;
        if (mdb_stat(txn, table, &st) == 0) pages += st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
    }
    return pages * page_bytes_;
}

namespace {

std::uint32_t state_crc(slot_key const& key, std::uint8_t const* head, record::byte_view value) {
    auto crc = record::crc32c(record::crc32c(0, key.data(), key.size()), head, 4);
    return record::crc32c(crc, value.data(), value.size());
}

}

void seal_state(std::uint8_t* to, slot_key const& key, record::byte_view value) {
    to[0] = 1, to[1] = 0;
    to[2] = static_cast<std::uint8_t>(record::node_id), to[3] = static_cast<std::uint8_t>(record::node_id >> 8);
    std::memcpy(to + state_head_bytes, value.data(), value.size());
    auto crc = state_crc(key, to, value);
    std::memcpy(to + 4, &crc, 4);
}

boost::system::result<record::byte_view> open_state(slot_key const& key, record::byte_view stored) {
    if (stored.size() < state_head_bytes || stored[0] != 1) return errc::damaged;
    auto value = stored.subspan(state_head_bytes);
    std::uint32_t crc;
    std::memcpy(&crc, stored.data() + 4, 4);
    if (crc != state_crc(key, stored.data(), value)) return errc::damaged;
    return value;
}

}
