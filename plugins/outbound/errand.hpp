#pragma once
// A thread that runs one job at a time and says what became of it. The queue is its owner's, in a table that survives a restart; what
// blocks (the object store, a webhook) blocks here.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace airmail::plugins::outbound {

/// Owned by: the registry lane; the thread is its own.
class errand {
public:
    /// @param name  of the thread, at most 15 characters
    explicit errand(char const* name);
    /// Waits for the job under way: stop what it waits for first.
    ~errand();
    /// True from begin() until take() has told of the end.
    bool busy() const;
    /// Only when not busy(). The job answers with one sentence; empty means done.
    void begin(std::function<std::string()> job);
    std::optional<std::string> take();

private:
    void work();

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::function<std::string()> job_;         // guarded by mutex_, as all below
    std::optional<std::string> outcome_;
    bool running_ = false, stop_ = false;
    std::thread thread_;
};

}
