#include "storage/reader.hpp"

namespace airmail::storage {

namespace {

constexpr std::size_t waiting_max = 1'024;

}

void reader::start() {
    running_ = true;
    thread_ = std::thread{[this] { run(); }};
}

void reader::stop() {
    {
        std::lock_guard l{lock_};
        running_ = false;
    }
    some_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void reader::fetch(std::vector<lsn> which, answer done) {
    {
        std::unique_lock l{lock_};
        if (running_ && waiting_.size() < waiting_max) {
            waiting_.push_back({std::move(which), std::move(done)});
            l.unlock();
            some_.notify_one();
            return;
        }
    }
    done(journal_.fetch(which));
}

void reader::run() {
    std::unique_lock l{lock_};
    for (;;) {
        some_.wait(l, [&] { return !waiting_.empty() || !running_; });
        if (waiting_.empty()) return;
        auto next = std::move(waiting_.front());
        waiting_.pop_front();
        l.unlock();
        next.done(journal_.fetch(next.which));
        l.lock();
    }
}

}
