#pragma once
// What `acl_mode observe` would have denied: counted by rule and by who, what and where. The material of `airmailctl acl suggest`.

#include "acl/engine.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace airmail {

/// Owned by the broker, shared by the engines of all its reloads. Any thread; the lock is taken only for a would-be denial.
/// Bound: 20,000 different (user, client, action, topic); what is beyond is counted in `overflow`.
class denials {
public:
    struct entry {
        std::string user, client_id, topic, rule;
        acl::action what = acl::action::publish;
        std::uint64_t times = 0;
    };
    /// Logs the first of each kind.
    void add(acl::identity const& who, acl::action what, std::string_view topic, std::string const& rule);
    std::vector<entry> list() const;
    /// How often each rule would have denied.
    std::map<std::string, std::uint64_t> by_rule() const;
    std::uint64_t overflow() const;
    void clear();

private:
    static constexpr std::size_t entries_max = 20'000;
    using key = std::tuple<std::string, std::string, acl::action, std::string>;
    mutable std::mutex lock_;
    std::map<key, std::pair<std::uint64_t, std::string>> entries_;
    std::map<std::string, std::uint64_t> rules_;
    std::uint64_t overflow_ = 0;
};

/// publish, subscribe, receive.
std::string_view word(acl::action a);

}
