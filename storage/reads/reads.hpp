#pragma once
// Questions about one device or one campaign, answered by the first configured source that knows. All that waits is one batch.

#include "storage/reads/memory.hpp"
#include "storage/reads/redis_source.hpp"
#include "storage/replicate/postgres.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace airmail::storage::reads {

struct reads_options {
    std::vector<place> order{place::memory, place::sqlite};
    std::string database;                                        // registry.db
    std::optional<replicate::redis_options> redis;               // needed when `order` names it
    std::optional<replicate::postgres_options> postgres;         // the same; may be a replica
    std::chrono::milliseconds fresh = std::chrono::seconds(1);   // memory: how old an answer may be
    std::chrono::milliseconds timeout = std::chrono::milliseconds(250);   // of one exchange with Redis or Postgres
    std::size_t remembered = 10'000, waiting_max = 10'000;
};

/// Read by metrics, any thread.
struct source_counters { std::atomic<std::uint64_t> asked{0}, answered{0}, failed{0}; };

class reads {
public:
    /// Throws sqlite::error when registry.db cannot be opened.
    explicit reads(reads_options o);
    ~reads();
    void start();
    /// Questions that wait are answered unreachable.
    void stop();

    /// `done` exactly once: at once from memory, else on the reads thread. Any thread.
    void ask(subject about, std::string id, answered done);

    std::vector<place> const& order() const { return options_.order; }
    source_counters const& counters(place p) const { return counters_[static_cast<std::size_t>(p)]; }
    std::uint64_t total() const { return total_; }
    std::uint64_t refused() const { return refused_; }
    std::uint64_t refilled() const { return redis_ ? redis_->refilled() : 0; }
    /// One line a source that is away; empty = all there. Any thread.
    std::string degraded() const;

private:
    asio::awaitable<void> serve();
    asio::awaitable<void> answer_all(std::vector<question>& batch);
    void give(question& q, bool sure, std::string const& why);

    reads_options const options_;
    asio::io_context loop_{1};
    asio::executor_work_guard<asio::io_context::executor_type> busy_{loop_.get_executor()};
    memory memory_;
    bool const remembers_;
    struct step { place where; std::unique_ptr<source> from; };
    std::vector<step> steps_;
    redis_source* redis_ = nullptr;
    std::array<source_counters, 4> counters_;
    std::atomic<std::uint64_t> total_{0}, refused_{0};
    std::mutex mutex_;                       // of the next two
    std::vector<question> waiting_;
    bool serving_ = false, stopped_ = false;
    std::thread thread_;
};

}
