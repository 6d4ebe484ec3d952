#pragma once
// The two that know for certain: the registry of this node, and the fleet's Postgres. Same rows, same words.

#include "storage/reads/source.hpp"
#include "storage/replicate/backoff.hpp"
#include "storage/replicate/postgres.hpp"
#include "storage/replicate/redis_views.hpp"

#include <mutex>

namespace airmail::storage::reads {

class sqlite_source final : public source {
public:
    /// `database` is registry.db, migrated. Throws sqlite::error.
    explicit sqlite_source(std::string const& database);
    bool there() const override { return true; }
    asio::awaitable<std::string> find(std::vector<question*> const& open) override;

private:
    sqlite::db db_;
    replicate::redis_views views_;
};

class postgres_source final : public source {
public:
    postgres_source(replicate::postgres_options o, std::chrono::milliseconds timeout) : options_(std::move(o)), timeout_(timeout) {}
    bool there() const override { return there_; }
    asio::awaitable<std::string> find(std::vector<question*> const& open) override;
    asio::awaitable<void> keep() override;
    std::string trouble() const override;

private:
    asio::awaitable<std::string> connect();
    void lose(std::string why);

    replicate::postgres_options const options_;
    std::chrono::milliseconds const timeout_;
    replicate::pg_link link_;
    replicate::backoff backoff_;
    bool there_ = false;
    mutable std::mutex mutex_;
    std::string why_ = "not connected yet";
};

}
