#pragma once
// One-shot timers of a lane: (plugin, id) -> due. Lane thread only. Bound: 65,536; beyond it set() says no.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace airmail::host {

class instance;

class timers {
public:
    static constexpr std::size_t count_max = 65536;
    using key = std::pair<instance*, std::uint64_t>;

    /// Replaces the timer of the same plugin and id; due < 0 cancels. False at the bound.
    bool set(key k, std::int64_t due) {
        if (auto at = due_.find(k); at != due_.end()) order_.erase({at->second.first, at->second.second, k}), due_.erase(at);
        if (due < 0) return true;
        if (due_.size() >= count_max) return false;
        auto n = ++last_;
        due_[k] = {due, n};
        order_.insert({due, n, k});
        return true;
    }
    /// Takes the earliest one that is due, in order of due time, then of setting.
    std::optional<key> take(std::int64_t now) {
        if (order_.empty() || std::get<0>(*order_.begin()) > now) return std::nullopt;
        auto k = std::get<2>(*order_.begin());
        order_.erase(order_.begin()), due_.erase(k);
        return k;
    }
    std::optional<std::int64_t> next() const {
        if (order_.empty()) return std::nullopt;
        return std::get<0>(*order_.begin());
    }

private:
    std::map<key, std::pair<std::int64_t, std::uint64_t>> due_;
    std::set<std::tuple<std::int64_t, std::uint64_t, key>> order_;
    std::uint64_t last_ = 0;
};

}
