#pragma once
// Lets one thread sleep until another has work for it. Waking somebody who is awake is one atomic exchange, no system call.

#include <atomic>

namespace airmail::host {

class waker {
public:
    waker();     // throws std::system_error when there is no descriptor left
    ~waker();
    waker(waker const&) = delete;
    waker& operator=(waker const&) = delete;

    /// Any thread; after the work has been made visible. Never waits.
    void wake();
    /// The sleeper: announce, look for work once more, then sleep() or stay_awake().
    void drowsy() { sleeping_.exchange(true, std::memory_order_acq_rel); }
    void stay_awake() { sleeping_.store(false, std::memory_order_release); }
    /// At most this many milliseconds.
    void sleep(int ms);

private:
    int fd_;
    std::atomic<bool> sleeping_{false};
};

}
