#include "plugins/outbound/errand.hpp"

#include <pthread.h>
#include <utility>

namespace airmail::plugins::outbound {

errand::errand(char const* name) : thread_([this] { work(); }) { ::pthread_setname_np(thread_.native_handle(), name); }

errand::~errand() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

bool errand::busy() const {
    std::lock_guard lock(mutex_);
    return job_ || running_ || outcome_;
}

void errand::begin(std::function<std::string()> job) {
    {
        std::lock_guard lock(mutex_);
        job_ = std::move(job);
    }
    wake_.notify_one();
}

std::optional<std::string> errand::take() {
    std::lock_guard lock(mutex_);
    return std::exchange(outcome_, std::nullopt);
}

void errand::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stop_ || job_; });
        if (stop_) return;
        auto job = std::exchange(job_, nullptr);
        running_ = true;
        lock.unlock();
        auto outcome = job();
        lock.lock();
        running_ = false, outcome_ = std::move(outcome);
    }
}

}
