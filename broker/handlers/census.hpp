#pragma once
// How many sessions each identity has over all shards: a session lives where its client id hashes to, so no shard alone
// could tell. Asked when a session begins and ends, never for a packet. Nobody's sessions count in the total only.

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace airmail::handlers {

/// Any thread.
class census {
public:
    /// Counts one more session; false, and not counted, when the identity has `most` already (0 = no limit).
    /// Or when there are `in_all` sessions of anybody (0 = no limit).
    bool enter(std::uint32_t tenant, std::string_view identity, std::uint32_t most, std::uint64_t in_all = 0) {
        std::lock_guard hold{lock_};
        if (in_all && total_ >= in_all) return false;
        if (identity.empty()) return ++total_, true;
        auto& n = count_[name(tenant, identity)];
        if (most && n >= most) return false;
        return ++n, ++total_, true;
    }
    void leave(std::uint32_t tenant, std::string_view identity) {
        std::lock_guard hold{lock_};
        --total_;
        if (identity.empty()) return;
        auto const i = count_.find(name(tenant, identity));
        if (i != count_.end() && --i->second == 0) count_.erase(i);
    }

private:
    static std::string name(std::uint32_t tenant, std::string_view identity) {
        std::string s(reinterpret_cast<char const*>(&tenant), sizeof tenant);
        return s.append(identity);
    }
    std::mutex lock_;
    std::uint64_t total_ = 0;
    std::unordered_map<std::string, std::uint32_t> count_;
};

}
