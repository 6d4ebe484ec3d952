#include "plugins/campaign/crew.hpp"

#include <pthread.h>
#include <utility>

namespace airmail::plugins::campaign {

crew::~crew() {
    if (!thread_.joinable()) return;
    {
        std::lock_guard lock{mutex_};
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void crew::begin(std::size_t count, std::function<void(std::size_t)> job) {
    finish();
    if (count == 0) return;
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    {
        std::lock_guard lock{mutex_};
        job_ = std::move(job), count_ = count, running_ = true;
        next_.store(0, std::memory_order_relaxed);
    }
    wake_.notify_one();
}

void crew::take() {
    for (std::size_t n; (n = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) job_(n);
}

void crew::work() {
    ::pthread_setname_np(::pthread_self(), "airmail-sign");
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [this] { return stop_ || running_; });
        if (stop_) return;
        busy_ = true;
        lock.unlock();
        take();
        lock.lock();
        busy_ = running_ = false;
        idle_.notify_one();
    }
}

void crew::finish() {
    {
        std::lock_guard lock{mutex_};
        if (!job_) return;
    }
    take();
    std::unique_lock lock{mutex_};
    idle_.wait(lock, [this] { return !busy_; });
    running_ = false, job_ = nullptr;
}

}
