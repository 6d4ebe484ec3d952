#pragma once
// Redis as a source: hits by one pipeline a batch; what it lacked is put back under the replicator's guards.

#include "storage/reads/source.hpp"
#include "storage/replicate/backoff.hpp"
#include "storage/replicate/redis_client.hpp"

#include <atomic>
#include <mutex>

namespace airmail::storage::reads {

class redis_source final : public source {
public:
    redis_source(replicate::redis_options o, std::chrono::milliseconds timeout);
    bool there() const override { return there_; }
    asio::awaitable<std::string> find(std::vector<question*> const& open) override;
    asio::awaitable<void> keep() override;
    std::string trouble() const override;
    /// Writes what a ledger said of `known`, where nothing was written since the miss. @return as find()
    asio::awaitable<std::string> refill(std::vector<question*> const& known);
    std::uint64_t refilled() const { return refilled_; }
    /// Closes the connection; keep() makes a new one.
    void lose(std::string why);

private:
    asio::awaitable<std::string> connect();
    asio::awaitable<std::string> run(std::vector<replicate::redis_client::request> const& r, std::vector<replicate::redis_reply>& replies);

    replicate::redis_options const options_;
    std::chrono::milliseconds const timeout_;
    replicate::redis_client client_;
    replicate::backoff backoff_;
    bool there_ = false;
    std::atomic<std::uint64_t> refilled_{0};
    mutable std::mutex mutex_;
    std::string why_ = "not connected yet";
};

}
