#pragma once
// How much room the file system of the data has left, and what may still be written. The writer thread asks, at most once a
// second; everybody else reads what it saw.
//
//   0 ... readonly (3 %): only what frees ... refuse (10 %): no message that must be kept for somebody ... plenty
//
// Room = what the file system gives to us (not what root keeps back), and the pages inside data.mdb that hold nothing any
// more: the file never shrinks, so a store that was full and has been emptied writes there. Less what the reserve lacks.
//
// The reserve is a file DIRECTORY/reserve without content. When the disk is full it is given up, so that acknowledgements,
// the cleaner and SQLite can write; it is taken again when there is room.

#include "storage/store.hpp"

#include <atomic>
#include <mutex>

namespace airmail::storage {

enum class disk_level : std::uint8_t { plenty, refuse, readonly };

/// What has to stay free: a share of the file system, bytes, or both: then the one that asks for more counts. Both 0 = off.
struct disk_floor {
    double percent = 0;
    std::uint64_t bytes = 0;
    std::uint64_t of(std::uint64_t total) const;
    /// As one would write it: "10%", "1GiB", "off".
    std::string words() const;
};

struct disk_limits {
    disk_floor refuse{.percent = 10}, readonly{.percent = 3};
    std::uint64_t reserve = 64u << 20;      // bytes, at most a twentieth of the file system; 0 = none
};

struct disk_space { std::uint64_t total = 0, free = 0; };   // bytes

/// Owned by the broker, outlives the store. look(): the opening thread, then the writer's; the rest: any thread.
class disk_watch {
public:
    using asker = std::function<std::optional<disk_space>()>;
    using clock = std::function<std::int64_t()>;

    /// Looks at once, so that a start on a full disk finds the reserve given up. `ask` and `steady_ms` are for tests;
    /// empty = statvfs of `directory`, and the machine's monotonic clock.
    disk_watch(std::string directory, disk_limits l, asker ask = {}, clock steady_ms = {});
    disk_watch(disk_watch const&) = delete;

    /// Asks the file system. `reusable`: bytes of data.mdb that hold nothing.
    void look(std::uint64_t reusable);
    void look_if_due(std::uint64_t reusable);

    /// No system call, no lock. A level is left only when there is a fifth more room than where it began: no flapping.
    disk_level level() const { return level_.load(std::memory_order_relaxed); }
    void turned_away() { refused_.fetch_add(1, std::memory_order_relaxed); }

    /// Other limits, obeyed from the next look on.
    void set(disk_limits l);
    struct report {
        disk_level level = disk_level::plenty;
        std::uint64_t total = 0, free = 0, room = 0;    // of the file system, and what the limits are compared with
        std::uint64_t reserve = 0;                      // held now
        std::uint64_t refused = 0;                      // changes turned away
    };
    report now() const;
    /// Empty with plenty; else what is left, which limit it is and what to do.
    std::string trouble() const;
    /// Would `bytes` more in a file beside the store take the disk below limit_disk_refuse? Empty = no, else why not.
    std::string too_low_for(std::uint64_t bytes) const;

    /// Called by look() on its thread when the level changes: the new one, and trouble(). Both are set before the store starts.
    std::function<void(disk_level, std::string const&)> on_change;
    /// The same, when the reserve is given up, taken again or cannot be had.
    std::function<void(std::string const&)> on_reserve;

private:
    disk_level judge(report const& r, disk_limits const& l) const;
    void mind_reserve(disk_limits const& l);
    void give_up(bool say);
    void take(std::uint64_t bytes);
    void hold(std::uint64_t reserve);
    std::uint64_t wanted(disk_limits const& l, std::uint64_t total) const;
    std::string reserve_path() const { return directory_ + "/reserve"; }

    std::string const directory_;
    asker const ask_;
    clock const steady_ms_;
    std::atomic<disk_level> level_{disk_level::plenty};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<bool> due_{false};

    // look()'s thread alone.
    std::int64_t looked_ms_ = 0;
    bool no_reserve_ = false;           // this file system has none to give
    std::vector<std::string> said_;     // for on_reserve

    // Never held while the file system is asked: a shard may be waiting. seen_ is changed by look()'s thread alone.
    mutable std::mutex lock_;
    disk_limits limits_;
    report seen_;
};

/// store::open, with a writer that obeys `disk`. Not for level memory, which has no file.
boost::system::result<std::unique_ptr<store>> open_watched(store_options o, recovery const& r, disk_watch& disk, std::string& why);

}
