#pragma once
// The thread that carries the registry outward. Start it after the plugins' tables exist; stop it after their last commit, so
// that what they said last is on its way. With no destination it keeps the outbox at its window.

#include "storage/replicate/postgres.hpp"
#include "storage/replicate/redis.hpp"

#include <boost/asio/io_context.hpp>
#include <map>
#include <optional>
#include <thread>

namespace airmail::storage::replicate {

struct replicator_options {
    std::string database;                        // registry.db
    std::int64_t node = 1;
    std::optional<postgres_options> postgres;
    std::optional<redis_options> redis;
    std::size_t batch = 1000;                    // rows
    std::chrono::milliseconds timeout = std::chrono::seconds(30);
    std::int64_t outbox_rows_max = 1'000'000;
    std::chrono::milliseconds lag_alarm = std::chrono::minutes(5);     // 0 = none
    std::chrono::milliseconds linger = std::chrono::seconds(2);        // at stop: how long what is left may still be sent
    std::function<std::int64_t()> wall_ms;
    std::function<void(bool trouble, std::string const& line)> say;    // on the replicate thread
    std::function<void(std::string const& kind, std::string const& line)> alarm;
};

class replicator {
public:
    explicit replicator(replicator_options o);
    ~replicator();
    void start();
    /// Lets what is queued leave, at most `linger`; then ends the thread.
    void stop();

    struct state {
        std::string name, degraded;
        destination_counters const* counters;
    };
    std::vector<state> states() const;
    /// One line a destination that does not follow; empty = all well. Any thread.
    std::string degraded() const;
    /// CPU time of the thread so far.
    double cpu_seconds() const;
    std::int64_t outbox_rows() const { return outbox_rows_.load(); }
    std::uint64_t dropped_rows() const { return dropped_.load(); }
    std::uint64_t compacted_rows() const { return compacted_.load(); }
    std::uint64_t healed_keys() const { return redis_ ? redis_->healed() : 0; }

    /// What `airmailctl db migrate` applies. Opens the database; any thread.
    static std::vector<std::string> migration(std::string const& database);

private:
    asio::awaitable<void> keep_house();
    void measure();
    void run();

    replicator_options const options_;
    asio::io_context loop_{1};
    std::unique_ptr<sqlite::db> db_;
    std::unique_ptr<outbox> box_;
    std::unique_ptr<surroundings> around_;
    std::vector<std::unique_ptr<destination>> destinations_;
    redis* redis_ = nullptr;
    std::thread thread_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::int64_t> outbox_rows_{0};
    std::atomic<std::uint64_t> dropped_{0}, compacted_{0};
    std::int64_t compacted_at_ = 0;              // rows after the last compaction
    std::map<std::string, bool> alarmed_;
};

}
