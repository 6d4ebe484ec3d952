#include "storage/lmdb/meta.hpp"

#include "storage/record/crc32c.hpp"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::lmdb {

static_assert(std::endian::native == std::endian::little, "the numbers of meta are copied as they are");

namespace {

struct packed_state {
    std::uint64_t next;
    std::int64_t clock_ms;
    std::uint32_t next_session, zero;
    std::uint8_t instance[16];
    std::uint8_t spare[20];
    std::uint32_t crc;
};
static_assert(sizeof(packed_state) == 64);

std::string_view constexpr state_name = "state", format_name = "format";

MDB_val text_val(std::string_view s) { return {s.size(), const_cast<char*>(s.data())}; }

}

int meta_state::write(environment const& e, MDB_txn* t) const {
    packed_state p{};
    p.next = next, p.clock_ms = clock_ms, p.next_session = next_session;
    std::memcpy(p.instance, instance.data(), 16);
    p.crc = record::crc32c(0, &p, sizeof p - 4);
    auto key = text_val(state_name), fkey = text_val(format_name);
    MDB_val value{sizeof p, &p}, f{sizeof format, const_cast<std::uint32_t*>(&format)};
    int rc = mdb_put(t, e.meta, &key, &value, 0);
    return rc != 0 ? rc : mdb_put(t, e.meta, &fkey, &f, 0);
}

boost::system::result<std::optional<meta_state>> meta_state::read(environment const& e, std::string& why) {
    transaction t{e, false};
    if (t.begun() != 0) return why = mdb_strerror(t.begun()), errc::io;
    auto key = text_val(format_name);
    MDB_val v;
    int rc = mdb_get(t.get(), e.meta, &key, &v);
    if (rc == MDB_NOTFOUND) return std::optional<meta_state>{};
    std::uint32_t written = 0;
    if (rc != 0 || v.mv_size != 4) return why = "meta 'format' is damaged", errc::damaged;
    std::memcpy(&written, v.mv_data, 4);
    if (written != format)
        return why = "the store has format " + std::to_string(written) + ", this program knows " + std::to_string(format), errc::version;
    key = text_val(state_name);
    packed_state p;
    rc = mdb_get(t.get(), e.meta, &key, &v);
    if (rc != 0 || v.mv_size != sizeof p) return why = "meta 'state' is missing or damaged", errc::damaged;
    std::memcpy(&p, v.mv_data, sizeof p);
    if (p.crc != record::crc32c(0, &p, sizeof p - 4)) return why = "meta 'state': checksum does not match", errc::damaged;
    meta_state s{.next = p.next, .clock_ms = p.clock_ms, .next_session = p.next_session};
    std::memcpy(s.instance.data(), p.instance, 16);
    return std::optional{s};
}

boost::system::result<std::unique_ptr<directory_lock>> directory_lock::take(std::string const& directory, std::string& why) {
    std::error_code ec;
    auto path = std::filesystem::path{directory}.lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ec);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return why = directory + ": " + std::strerror(errno), errc::io;
    if (::chmod(directory.c_str(), 0700) != 0) return why = directory + ": " + std::strerror(errno), errc::io;
    auto file = directory + "/lock";
    int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return why = file + ": " + std::strerror(errno), errc::io;
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool held = errno == EWOULDBLOCK;
        why = file + ": " + (held ? "held by another process" : std::strerror(errno));
        ::close(fd);
        return held ? errc::locked : errc::io;
    }
    return std::unique_ptr<directory_lock>{new directory_lock{fd}};
}

directory_lock::~directory_lock() { ::close(fd_); }

std::optional<instance_file> instance_file::read(std::string const& directory) {
    std::ifstream in{directory + "/instance"};
    std::string hex;
    instance_file f;
    if (!(in >> hex >> f.epoch >> f.inode) || hex.size() != 32) return {};
    for (std::size_t i = 0; i < 16; ++i) {
        unsigned byte = 0;
        if (std::sscanf(hex.c_str() + 2 * i, "%2x", &byte) != 1) return {};
        f.id[i] = static_cast<std::uint8_t>(byte);
    }
    return f;
}

int instance_file::write(std::string const& directory) const {
    std::string line;
    char two[3];
    for (auto b : id) std::snprintf(two, sizeof two, "%02x", b), line += two;
    line += ' ' + std::to_string(epoch) + ' ' + std::to_string(inode) + '\n';
    auto file = directory + "/instance", fresh = file + ".new";
    int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    bool good = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
    int rc = good ? 0 : (errno != 0 ? errno : EIO);
    ::close(fd);
    if (rc != 0) return rc;
    if (::rename(fresh.c_str(), file.c_str()) != 0) return errno;
    int dir = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return errno;
    rc = ::fsync(dir) == 0 ? 0 : errno;
    ::close(dir);
    return rc;
}

instance_id instance_file::fresh_id() {
    std::random_device rd;
    instance_id id;
    for (auto& b : id) b = static_cast<std::uint8_t>(rd());
    return id;
}

std::uint64_t inode_of_database(std::string const& directory) {
    struct statx x{};
    if (::statx(AT_FDCWD, (directory + "/data.mdb").c_str(), 0, STATX_INO | STATX_BTIME, &x) != 0) return 0;
    // A file system gives a freed inode number to the next file: a directory that was removed and copied back may get its old
    // one. The time of birth tells them apart where there is one (ext4, xfs, btrfs); else the number alone must do.
    std::uint64_t const born = x.stx_mask & STATX_BTIME ? static_cast<std::uint64_t>(x.stx_btime.tv_sec) * 1'000'000'000 + x.stx_btime.tv_nsec : 0;
    auto const mark = x.stx_ino * 0x9E3779B97F4A7C15 ^ born;
    return mark ? mark : 1;
}

}
