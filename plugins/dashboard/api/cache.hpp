#pragma once
// Answers that are dear and may be a little old: counts over the whole fleet. One computes, the others take the last one meanwhile;
// so fifty people on the overview cost one query every few seconds. Thread-safe.

#include <boost/json/value.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace airmail::dashboard {

class cache {
public:
    /// The value of `key`, at most `life_ms` old at the time of asking, except while someone makes a new one: then the old one, at most
    /// 20 lives old. `make` runs on the calling thread, outside the lock. A dear value lives longer: ten times what it took to make.
    boost::json::value get(std::string const& key, std::int64_t life_ms, std::function<boost::json::value()> const& make);
    void forget(std::string const& key);

private:
    struct kept {
        boost::json::value value;
        std::int64_t made_ms = 0, life_ms = 0;
        bool there = false, making = false;
    };
    static constexpr std::size_t keys_max = 512;
    std::mutex lock_;
    std::condition_variable ready_;
    std::unordered_map<std::string, std::shared_ptr<kept>> all_;
};

}
