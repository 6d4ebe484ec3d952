#pragma once
// The ledger: every replicated table in Postgres, row by row, guarded by sequence.

#include "storage/replicate/destination.hpp"
#include "storage/replicate/postgres_link.hpp"

#include <memory>

namespace airmail::storage::replicate {

struct postgres_options {
    std::string dsn;
    std::string password;      // a reference, see secret.hpp
};

class postgres final : public destination {
public:
    postgres(surroundings& around, postgres_options o) : destination("postgres", around), options_(std::move(o)) {}

private:
    asio::awaitable<std::string> connect() override;
    asio::awaitable<std::string> fill() override;
    asio::awaitable<std::string> stream(bool& idle) override;
    void disconnect() override { link_.close(); }

    asio::awaitable<std::string> check_schema();
    asio::awaitable<std::string> find_cursor();
    asio::awaitable<std::string> fill_table(table const& t);
    std::vector<outbox_entry> page_of(table const& t, std::string const& after);
    /// Applies all of them in one transaction; rows it refuses are found by halving and set aside. `cursor` -1 = none to move.
    asio::awaitable<std::string> apply(std::span<outbox_entry const> entries, std::int64_t cursor);
    asio::awaitable<pg_outcome> transact(std::vector<pg_statement> const& body, std::int64_t cursor);
    std::string explain(pg_outcome const& o) const;

    postgres_options const options_;
    pg_link link_;
    instant heard_at_{};
    std::vector<table> tables_;
    std::unique_ptr<postgres_sql> sql_;
};

}
