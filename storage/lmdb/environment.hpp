#pragma once
// One LMDB environment and its four tables, opened the careful way: no WRITEMAP, NOSYNC or NOMETASYNC (a commit that
// returned is on the disk), files 0600, a map that never grows while running, stale readers swept at the start.
//
//   log   u64 BE lsn                   -> row (record/row.hpp)
//   ref   u64 BE lsn, u32 BE session   -> delivery (record/row.hpp)
//   slot  u32 BE plugin, u64 BE key    -> u8 version (1), u8 0, u16 LE node, u32 LE CRC-32C(key, first 4 bytes, value), value
//   meta  "format", "state"            -> meta.hpp
//
// LMDB's rules kept here: one environment per path in a process, none across a fork, read transactions copy out and end.

#include "storage/record/row.hpp"

#include <array>
#include <lmdb.h>
#include <memory>

namespace airmail::storage::lmdb {

/// `full` for MDB_MAP_FULL and ENOSPC, `damaged` for what LMDB calls corrupt, else `io`.
errc to_errc(int rc);

/// A file that was just made, or has another name now, is only so after a crash when its directory was synced. @return 0 or errno
int sync_directory(std::string const& directory);

class environment {
public:
    /// Opens or makes DIRECTORY/data.mdb with a map of `map_bytes`. `why` says what failed.
    static boost::system::result<std::unique_ptr<environment>> open(std::string const& directory, std::uint64_t map_bytes, std::string& why);
    ~environment();
    environment(environment const&) = delete;
    environment& operator=(environment const&) = delete;

    MDB_env* env() const { return env_; }
    MDB_dbi log = 0, ref = 0, slot = 0, meta = 0;

    /// Number of the last transaction that is in the file.
    std::size_t last_transaction() const;
    /// Pages used by all tables, as `txn` sees them, times the page size.
    std::uint64_t bytes_used(MDB_txn* txn) const;
    /// Pages of the file, used or not, as the last commit left it, times the page size.
    std::uint64_t bytes_file() const;
    std::uint32_t page_bytes() const { return page_bytes_; }

private:
    environment() = default;
    int open_tables();
    MDB_env* env_ = nullptr;
    std::uint32_t page_bytes_ = 4096;
};

/// A transaction that is aborted unless committed.
class transaction {
public:
    transaction(environment const& e, bool writes) : rc_(mdb_txn_begin(e.env(), nullptr, writes ? 0 : MDB_RDONLY, &txn_)) {}
    ~transaction() { abort(); }
    transaction(transaction const&) = delete;
    transaction& operator=(transaction const&) = delete;
    /// 0, or why it could not begin.
    int begun() const { return rc_; }
    MDB_txn* get() const { return txn_; }
    int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }   // aborts by itself when it fails
    void abort() { if (auto* t = std::exchange(txn_, nullptr)) mdb_txn_abort(t); }

private:
    MDB_txn* txn_ = nullptr;
    int rc_;
};

/// A cursor, closed before its transaction ends.
class cursor {
public:
    cursor(MDB_txn* t, MDB_dbi table) : rc_(mdb_cursor_open(t, table, &c_)) {}
    ~cursor() { if (c_) mdb_cursor_close(c_); }
    cursor(cursor const&) = delete;
    cursor& operator=(cursor const&) = delete;
    int opened() const { return rc_; }
    MDB_cursor* get() const { return c_; }
    int seek(MDB_val& key, MDB_val& value, MDB_cursor_op op) { return mdb_cursor_get(c_, &key, &value, op); }

private:
    MDB_cursor* c_ = nullptr;
    int rc_;
};

// Keys as bytes.
using log_key = std::array<std::uint8_t, 8>;
using ref_key = std::array<std::uint8_t, 12>;
using slot_key = std::array<std::uint8_t, 12>;

inline void put_be64(std::uint8_t* to, std::uint64_t v) {
    v = __builtin_bswap64(v);
    std::memcpy(to, &v, 8);
}
inline void put_be32(std::uint8_t* to, std::uint32_t v) {
    v = __builtin_bswap32(v);
    std::memcpy(to, &v, 4);
}
inline std::uint64_t get_be64(void const* at) {
    std::uint64_t v;
    std::memcpy(&v, at, 8);
    return __builtin_bswap64(v);
}
inline std::uint32_t get_be32(void const* at) {
    std::uint32_t v;
    std::memcpy(&v, at, 4);
    return __builtin_bswap32(v);
}
inline log_key key_of(lsn at) {
    log_key k;
    put_be64(k.data(), at);
    return k;
}
inline ref_key key_of(lsn at, session_number s) {
    ref_key k;
    put_be64(k.data(), at);
    put_be32(k.data() + 8, s);
    return k;
}
inline slot_key state_key(std::uint32_t plugin, std::uint64_t key) {
    slot_key k;
    put_be32(k.data(), plugin);
    put_be64(k.data() + 4, key);
    return k;
}
template <class Bytes> MDB_val val(Bytes& b) { return {b.size(), const_cast<std::uint8_t*>(b.data())}; }
inline record::byte_view view(MDB_val const& v) { return {static_cast<std::uint8_t const*>(v.mv_data), v.mv_size}; }

/// Values of the slot table, with their head.
inline constexpr std::size_t state_head_bytes = 8;
void seal_state(std::uint8_t* to, slot_key const& key, record::byte_view value);
/// The value behind the head, or errc::damaged.
boost::system::result<record::byte_view> open_state(slot_key const& key, record::byte_view stored);

}
