#include "storage/disk_watch.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

namespace airmail::storage {

namespace {

constexpr std::int64_t look_every_ms = 1'000;
constexpr std::uint64_t rounding = 64u << 10;   // a file may take up a little more than was asked for

std::int64_t system_steady_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::optional<disk_space> ask_system(std::string const& directory) {
    struct statvfs s{};
    if (::statvfs(directory.c_str(), &s) != 0) return {};
    return disk_space{std::uint64_t{s.f_blocks} * s.f_frsize, std::uint64_t{s.f_bavail} * s.f_frsize};
}

/// Below this the disk counts as full: the bound of one transaction, on small file systems less.
std::uint64_t full_below(std::uint64_t total) { return std::min<std::uint64_t>(8u << 20, total / 64); }

/// "812 MiB", three digits.
std::string amount(std::uint64_t bytes) {
    static constexpr char const* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto v = static_cast<double>(bytes);
    std::size_t u = 0;
    while (v >= 1000 && u + 1 < std::size(units)) v /= 1024, ++u;
    char text[32];
    std::snprintf(text, sizeof text, v < 10 && u > 0 ? "%.1f %s" : "%.0f %s", v, units[u]);
    return text;
}

}

std::uint64_t disk_floor::of(std::uint64_t total) const {
    return std::max(bytes, static_cast<std::uint64_t>(percent / 100 * static_cast<double>(total)));
}

std::string disk_floor::words() const {
    char share[32];
    std::snprintf(share, sizeof share, "%g%%", percent);
    if (bytes == 0) return percent == 0 ? "off" : share;
    return percent == 0 ? amount(bytes) : share + (" or " + amount(bytes));
}

disk_watch::disk_watch(std::string directory, disk_limits l, asker ask, clock steady_ms)
    : directory_(std::move(directory)), ask_(ask ? std::move(ask) : [this] { return ask_system(directory_); }),
      steady_ms_(steady_ms ? std::move(steady_ms) : system_steady_ms), limits_(l) {
    struct stat s{};
    if (::lstat(reserve_path().c_str(), &s) == 0 && S_ISREG(s.st_mode)) seen_.reserve = static_cast<std::uint64_t>(s.st_blocks) * 512;
    look(0);
}

void disk_watch::set(disk_limits l) {
    std::lock_guard hold{lock_};
    limits_ = l;
    due_.store(true, std::memory_order_relaxed);
}

void disk_watch::look_if_due(std::uint64_t reusable) {
    if (steady_ms_() - looked_ms_ >= look_every_ms || due_.exchange(false, std::memory_order_relaxed)) look(reusable);
}

void disk_watch::look(std::uint64_t reusable) {
    looked_ms_ = steady_ms_();
    auto const space = ask_();
    if (!space || space->total == 0) return;   // it does not say: what was seen last holds
    disk_limits limits;
    {
        std::lock_guard hold{lock_};
        limits = limits_;
    }
    auto next = seen_;
    next.total = space->total, next.free = space->free;
    auto const lacking = wanted(limits, next.total) - std::min(wanted(limits, next.total), next.reserve);
    auto const all = next.free + reusable;
    next.room = all - std::min(all, lacking);
    next.level = judge(next, limits);
    bool const changed = next.level != seen_.level;
    {
        std::lock_guard hold{lock_};
        seen_ = next;
    }
    level_.store(next.level, std::memory_order_relaxed);
    mind_reserve(limits);
    if (changed && on_change) on_change(next.level, trouble());
    if (!on_reserve) return;
    for (auto const& line : std::exchange(said_, {})) on_reserve(line);
}

disk_level disk_watch::judge(report const& r, disk_limits const& l) const {
    auto const below = [&](disk_floor const& f, bool already) {
        auto const floor = f.of(r.total);
        return floor != 0 && r.room < (already ? std::min(floor + floor / 5, r.total) : floor);
    };
    if (below(l.readonly, r.level == disk_level::readonly)) return disk_level::readonly;
    return below(l.refuse, r.level != disk_level::plenty) ? disk_level::refuse : disk_level::plenty;
}

std::uint64_t disk_watch::wanted(disk_limits const& l, std::uint64_t total) const { return no_reserve_ ? 0 : std::min(l.reserve, total / 20); }

void disk_watch::mind_reserve(disk_limits const& l) {
    auto const full = full_below(seen_.total), want = wanted(l, seen_.total);
    if (seen_.reserve != 0 && seen_.free < full) return give_up(true);
    if (seen_.reserve > want + rounding) give_up(false);   // the limit is lower now
    if (seen_.reserve >= want || seen_.level == disk_level::readonly) return;
    auto const more = want - seen_.reserve;
    if (seen_.free > more && seen_.free - more >= std::max(2 * full, l.readonly.of(seen_.total))) take(want);
}

void disk_watch::hold(std::uint64_t reserve) {
    std::lock_guard held{lock_};
    seen_.free += seen_.reserve;   // what was seen was seen before
    seen_.free -= std::min(seen_.free, reserve);
    seen_.reserve = reserve;
}

void disk_watch::give_up(bool say) {
    if (::unlink(reserve_path().c_str()) != 0 && errno != ENOENT) return;
    if (say) said_.push_back("the disk is full: " + amount(seen_.reserve) + " of limit_disk_reserve are given up, so that cleaning up can go on");
    hold(0);
}

void disk_watch::take(std::uint64_t bytes) {
    int const fd = ::open(reserve_path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int const failed = fd < 0 ? errno : ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0 ? errno : 0;
    if (fd >= 0) ::close(fd);
    if (failed == 0) {
        hold(bytes);
        return said_.push_back("limit_disk_reserve: " + amount(bytes) + " are kept back in " + reserve_path());
    }
    ::unlink(reserve_path().c_str());
    hold(0);
    if (failed == ENOSPC || failed == EDQUOT || failed == EINTR) return;   // asked again at the next look
    no_reserve_ = true;
    said_.push_back("limit_disk_reserve: " + reserve_path() + " cannot be had (" + std::strerror(failed) + "): no reserve is kept");
}

disk_watch::report disk_watch::now() const {
    std::lock_guard hold{lock_};
    auto r = seen_;
    r.refused = refused_.load(std::memory_order_relaxed);
    return r;
}

std::string disk_watch::trouble() const {
    std::lock_guard hold{lock_};
    if (seen_.level == disk_level::plenty) return {};
    bool const low = seen_.level == disk_level::readonly;
    return "room for " + amount(seen_.room) + " of " + amount(seen_.total) + " is left in " + directory_ + " (" +
           (low ? "limit_disk_readonly " + limits_.readonly.words() : "limit_disk_refuse " + limits_.refuse.words()) + "): make room, or write a lower limit and reload";
}

std::string disk_watch::too_low_for(std::uint64_t bytes) const {
    std::lock_guard hold{lock_};
    auto const floor = limits_.refuse.of(seen_.total);
    if (floor == 0 || seen_.free >= floor + bytes) return {};
    return amount(bytes) + " more would leave less free than limit_disk_refuse " + limits_.refuse.words() + " asks for: " + amount(seen_.free) + " of " + amount(seen_.total) + " are free in " + directory_;
}

}
