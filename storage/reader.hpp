#pragma once
// One thread that reads messages back for the shards, so that a page that is not in memory stalls neither a shard nor the
// writer. Bounded: at 1,024 waiting requests the asking thread reads for itself.

#include "storage/journal.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace airmail::storage {

class reader {
public:
    explicit reader(journal& j) : journal_(j) {}
    ~reader() { stop(); }
    void start();
    /// Answers what is waiting, then ends. The journal must be open or closing.
    void stop();

    using answer = std::function<void(std::vector<message_ptr>)>;
    /// Any thread. `done` is called on the reader's thread, or on the caller's when the queue is full or not running.
    void fetch(std::vector<lsn> which, answer done);

private:
    struct request { std::vector<lsn> which; answer done; };
    void run();

    journal& journal_;
    std::mutex lock_;
    std::condition_variable some_;
    std::deque<request> waiting_;
    bool running_ = false;
    std::thread thread_;
};

}
