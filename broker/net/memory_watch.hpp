#pragma once
// How much memory the broker has taken of what it may take. The limit is the smallest of what was configured, what its
// control groups allow and what the machine has; used is what cannot be given back by writing pages out (RSS without files).
//
//   0 ... plenty ... refuse (70 %): no new connections ... shed (85 %): the largest outputs and queues are cut ... limit

#include <cstdint>
#include <functional>

namespace airmail::net {

enum class memory_level : std::uint8_t { plenty, refuse, shed };

struct memory_limits {
    std::uint64_t bytes = 0;              // 0 = what control groups and the machine allow
    unsigned refuse = 70, shed = 85;      // percent; 0 = never
};

/// Owned by: network; asked on one shard, four times a second, and up to 200 times while some peer takes less than it is sent.
class memory_watch {
public:
    /// @param used bytes in use; empty = this process (tests give a number of their own)
    explicit memory_watch(memory_limits l, std::function<std::uint64_t()> used = {});
    memory_watch(memory_watch const&) = delete;
    ~memory_watch();

    /// Other limits from now on.
    void set(memory_limits l);
    /// Looks, and says where we are. A level is left only five points below where it began: no flapping at the mark.
    memory_level look();
    std::uint64_t limit() const { return limit_; }
    /// What it saw last.
    std::uint64_t used() const { return used_; }

private:
    std::uint64_t read_used() const;

    memory_limits limits_;
    std::uint64_t limit_ = 0, used_ = 0;
    memory_level level_ = memory_level::plenty;
    std::function<std::uint64_t()> given_;
    int statm_ = -1;
};

/// The smallest limit of this process's control groups (v1 or v2) and the machine's memory. Bytes.
std::uint64_t memory_available();

}
