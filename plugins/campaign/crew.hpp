#pragma once
// A second pair of hands for work that is pure CPU (signing): the lane hands out numbered jobs, goes on with its SQL, and then helps
// until all are done. One thread of the plugin's own, asleep between batches. Owned by: the lane that made it.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

namespace airmail::plugins::campaign {

class crew {
public:
    crew() = default;
    ~crew();
    crew(crew const&) = delete;
    crew& operator=(crew const&) = delete;

    /// Jobs 0..count-1 may run from now on, each once, on either thread; `job` must not throw and outlives finish().
    void begin(std::size_t count, std::function<void(std::size_t)> job);
    /// Helps; returns when every job has been done. Without begin() it does nothing.
    void finish();

private:
    void work();
    void take();

    std::thread thread_;                   // made at the first begin()
    std::mutex mutex_;
    std::condition_variable wake_, idle_;
    std::function<void(std::size_t)> job_;
    std::size_t count_ = 0;
    std::atomic<std::size_t> next_{0};
    bool running_ = false, busy_ = false, stop_ = false;      // guarded by mutex_
};

}
