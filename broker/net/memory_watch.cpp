#include "broker/net/memory_watch.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <unistd.h>

namespace airmail::net {
namespace {

/// A file with one number; `most` when it is absent or says "max".
std::uint64_t number_in(std::string const& path, std::uint64_t most) {
    std::ifstream in(path);
    std::uint64_t n = 0;
    return in >> n ? std::min(n, most) : most;
}

}

std::uint64_t memory_available() {
    auto most = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        // "0::/path" is v2, "7:memory:/path" v1. A group is bound by those above it, too.
        auto const first = line.find(':'), second = line.find(':', first + 1);
        if (second == line.npos) continue;
        auto const kind = line.substr(first + 1, second - first - 1);
        if (!kind.empty() && kind != "memory") continue;
        bool const v2 = kind.empty();
        for (auto path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
            if (path == "/") path.clear();
            most = number_in((v2 ? "/sys/fs/cgroup" + path + "/memory.max" : "/sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes"), most);
            if (path.empty() || path.rfind('/') == path.npos) break;
        }
    }
    return most;
}

memory_watch::memory_watch(memory_limits l, std::function<std::uint64_t()> used) : given_{std::move(used)} {
    set(l);
    if (!given_) statm_ = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

memory_watch::~memory_watch() {
    if (statm_ >= 0) ::close(statm_);
}

void memory_watch::set(memory_limits l) {
    limits_ = l;
    limit_ = memory_available();
    if (l.bytes) limit_ = std::min(l.bytes, limit_);
}

std::uint64_t memory_watch::read_used() const {
    if (given_) return given_();
    std::array<char, 128> text{};
    auto const n = statm_ < 0 ? -1 : ::pread(statm_, text.data(), text.size() - 1, 0);
    unsigned long size = 0, resident = 0, shared = 0;
    if (n <= 0 || std::sscanf(text.data(), "%lu %lu %lu", &size, &resident, &shared) != 3) return 0;
    return (resident - std::min(shared, resident)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

memory_level memory_watch::look() {
    used_ = read_used();
    auto const reached = [this](unsigned percent, bool already) {
        return percent != 0 && used_ * 100 >= limit_ * (already && percent > 5 ? percent - 5 : percent);
    };
    if (reached(limits_.shed, level_ == memory_level::shed)) level_ = memory_level::shed;
    else if (reached(limits_.refuse, level_ != memory_level::plenty)) level_ = memory_level::refuse;
    else level_ = memory_level::plenty;
    return level_;
}

}
