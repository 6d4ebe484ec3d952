#pragma once
// Rings when a batch of the built-in plugins has committed, so that who watches rows looks again then, and only then. One bell per
// data directory, found by its path: the lane rings it, the dashboard listens. Thread-safe; ringing is two loads when nobody listens.

#include <atomic>
#include <condition_variable>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

namespace airmail::plugins {

class bell {
public:
    /// The bell of that registry; made when it is not there, kept while somebody holds it.
    static std::shared_ptr<bell> of(std::string const& directory);

    /// Lane thread.
    void ring() {
        if (!listening_.load(std::memory_order_acquire) || rung_.exchange(true, std::memory_order_acq_rel)) return;
        std::lock_guard hold(lock_);
        wake_.notify_one();
    }
    void listen(bool yes) { listening_.store(yes, std::memory_order_release); }
    /// Waits for a ring or the time; true when it rang. One listener at a time.
    bool wait_for(std::chrono::milliseconds t) {
        std::unique_lock hold(lock_);
        wake_.wait_for(hold, t, [this] { return rung_.load(std::memory_order_acquire); });
        return rung_.exchange(false, std::memory_order_acq_rel);
    }

private:
    std::atomic<bool> listening_{false}, rung_{false};
    std::mutex lock_;
    std::condition_variable wake_;
};

}
