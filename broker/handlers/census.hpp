#pragma once
// How many sessions each identity has over all shards: a session lives where its client id hashes to, so no shard alone
// could tell. Asked when a session begins and ends, never for a packet.

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace airmail::handlers {

/// Any thread. Nobody (an empty identity) is not counted.
class census {
public:
    /// Counts one more session; false, and not counted, when the identity has `most` already (0 = no limit).
    bool enter(std::uint32_t tenant, std::string_view identity, std::uint32_t most) {
        if (identity.empty()) return true;
        std::lock_guard hold{lock_};
        auto& n = count_[name(tenant, identity)];
        if (most && n >= most) return false;
        return ++n, true;
    }
    void leave(std::uint32_t tenant, std::string_view identity) {
        if (identity.empty()) return;
        std::lock_guard hold{lock_};
        auto const i = count_.find(name(tenant, identity));
        if (i != count_.end() && --i->second == 0) count_.erase(i);
    }

private:
    static std::string name(std::uint32_t tenant, std::string_view identity) {
        std::string s(reinterpret_cast<char const*>(&tenant), sizeof tenant);
        return s.append(identity);
    }
    std::mutex lock_;
    std::unordered_map<std::string, std::uint32_t> count_;
};

}
