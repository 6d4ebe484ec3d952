#pragma once
// The newest answers, kept for at most `fresh`: two generations of a bounded map, so that forgetting costs nothing.

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>

namespace airmail::storage::reads {

/// Any thread.
class memory {
public:
    using clock = std::chrono::steady_clock;
    memory(std::chrono::milliseconds fresh, std::size_t most) : fresh_(fresh), most_(most) {}

    bool find(std::string const& key, clock::time_point now, std::string& json) {
        std::lock_guard hold(mutex_);
        for (auto* g : {&young_, &old_})
            if (auto at = g->find(key); at != g->end()) {
                if (now - at->second.at >= fresh_) return false;
                return json = at->second.json, true;
            }
        return false;
    }
    void keep(std::string const& key, std::string const& json, clock::time_point now) {
        std::lock_guard hold(mutex_);
        if (young_.size() >= most_) old_ = std::move(young_), young_ = {};
        young_[key] = {json, now};
    }

private:
    struct kept { std::string json; clock::time_point at; };
    std::chrono::milliseconds const fresh_;
    std::size_t const most_;
    std::mutex mutex_;
    std::unordered_map<std::string, kept> young_, old_;
};

}
