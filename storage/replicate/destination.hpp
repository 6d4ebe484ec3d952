#pragma once
// What Postgres and Redis have in common: a story on the replicate thread that connects, works until something breaks, says
// why, backs off and begins again; and what others may know of it.

#include "storage/outbox/outbox.hpp"
#include "storage/replicate/backoff.hpp"
#include "storage/replicate/deadline.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

namespace airmail::storage::replicate {

/// What a destination shares with the others of its thread.
struct surroundings {
    sqlite::db& db;
    outbox& box;
    std::int64_t node = 1;
    std::size_t batch = 1000;                                            // rows
    std::chrono::milliseconds timeout = std::chrono::seconds(30);        // of one exchange
    std::function<std::int64_t()> wall_ms;
    std::function<void(bool trouble, std::string const& line)> say;      // for the log
    std::function<void(std::string const& kind, std::string const& line)> alarm;
};

/// Read by metrics and /readyz, any thread.
struct destination_counters {
    std::atomic<std::uint64_t> rows{0}, batches{0}, folded{0}, poison{0}, snapshots{0}, connects{0}, failures{0};
    std::atomic<std::int64_t> lag_rows{0}, lag_ms{0}, cursor{0};
    std::atomic<bool> connected{false}, filling{false};
};

class destination {
public:
    destination(std::string name, surroundings& around) : name_(std::move(name)), around_(around) {}
    virtual ~destination() = default;
    std::string const& name() const { return name_; }

    asio::awaitable<void> run();
    /// The loop ends at its next step.
    void stop() { stopping_ = true; }

    destination_counters const& counters() const { return counters_; }
    /// Why it is degraded, one line; empty while it follows. Any thread.
    std::string degraded() const;
    void measured(outbox::destination const& d, std::int64_t now_ms);

protected:
    /// Each returns the reason it ended for; empty = go on.
    virtual asio::awaitable<std::string> connect() = 0;
    virtual asio::awaitable<std::string> fill() = 0;         // snapshot
    virtual asio::awaitable<std::string> stream(bool& idle) = 0;
    virtual void disconnect() = 0;

    bool needs_snapshot();
    /// Notes the cursor, and writes it down when the last time is longer ago than `rest`: a lost one costs a repetition only.
    void keep_cursor(std::int64_t seq, std::int64_t folded, std::chrono::milliseconds rest = std::chrono::seconds(1));
    bool cursor_kept() const { return kept_seq_ == seq_ && kept_folded_ == folded_; }
    static constexpr std::chrono::milliseconds at_rest{200}, at_once{0};

    std::string const name_;
    surroundings& around_;
    destination_counters counters_;
    std::int64_t seq_ = 0, folded_ = 0;      // applied there
    bool stopping_ = false;

private:
    asio::awaitable<std::string> work();
    void degrade(std::string why);

    std::int64_t kept_seq_ = 0, kept_folded_ = 0;
    instant kept_at_{};
    backoff backoff_;
    mutable std::mutex mutex_;
    std::string why_ = "not connected yet";
};

}
