#pragma once
// What the store knows about itself: format, epoch, clock, next numbers. And the two files beside the database that tell
// a restored backup from a restart.
//
//   meta "format"  u32 LE, 1
//   meta "state"   64 bytes: u64 next lsn, i64 stored clock in ms, u32 next session number, u32 0, 16 bytes instance id,
//                  20 bytes 0, u32 CRC-32C of the 60 before; all LE. Written with every commit.
//   DIRECTORY/lock      flock'ed while the store is open
//   DIRECTORY/instance  one line of text: instance id, epoch, inode of data.mdb. Written anew at every start and stop.
//
// A restart finds in the database the instance id that the file has, and the inode too. Anything else (an older data.mdb
// put back, a copied directory, a new store) raises the epoch, so that what is written from now on is newer than all that
// may have been written after the copy was taken. A needless raise costs nothing: there are 8 million.

#include "storage/lmdb/environment.hpp"

#include <optional>

namespace airmail::storage::lmdb {

inline constexpr unsigned counter_bits = 40;
inline constexpr std::uint32_t format = 1;

using instance_id = std::array<std::uint8_t, 16>;

struct meta_state {
    lsn next = 0;
    std::int64_t clock_ms = 0;
    session_number next_session = 1;
    instance_id instance{};

    std::uint64_t epoch() const { return next >> counter_bits; }
    int write(environment const& e, MDB_txn* t) const;
    /// Empty optional = a new store. errc::version, errc::damaged.
    static boost::system::result<std::optional<meta_state>> read(environment const& e, std::string& why);
};

/// DIRECTORY/lock, held until destroyed.
class directory_lock {
public:
    /// Makes the directory (0700) where it is missing. errc::locked, errc::io.
    static boost::system::result<std::unique_ptr<directory_lock>> take(std::string const& directory, std::string& why);
    ~directory_lock();

private:
    explicit directory_lock(int fd) : fd_(fd) {}
    int fd_;
};

/// DIRECTORY/instance.
struct instance_file {
    instance_id id{};
    std::uint64_t epoch = 0, inode = 0;
    /// Empty when missing or unreadable as such.
    static std::optional<instance_file> read(std::string const& directory);
    /// Replaces it atomically and durably. errno or 0.
    int write(std::string const& directory) const;
    static instance_id fresh_id();
};

std::uint64_t inode_of_database(std::string const& directory);

}
