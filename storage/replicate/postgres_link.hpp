#pragma once
// One libpq connection on Asio: never blocks the thread. Names are resolved by Asio first (libpq would block), every host
// of the DSN is tried in order until one takes writes, and each exchange has a deadline.

#include "storage/replicate/deadline.hpp"
#include "storage/replicate/postgres_sql.hpp"

#include <span>
#include <string>
#include <vector>

struct pg_conn;

namespace airmail::storage::replicate {

/// "" when the DSN can be used; else what is wrong, without its values. A password in it is wrong: it has a setting of its own.
std::string dsn_problem(std::string const& dsn);

/// One statement, with at most one parameter. (A function, since g++ 12 destroys temporaries of a co_await twice.)
std::vector<pg_statement> only(std::string sql);
std::vector<pg_statement> only(std::string sql, std::string parameter);

/// How a pipeline ended.
struct pg_outcome {
    std::string error;                               // empty = all done; the server's first line otherwise
    std::string sqlstate;                            // five letters, or empty: the connection is gone or late
    std::vector<std::vector<std::string>> rows;      // of the last statement that returned some
    explicit operator bool() const { return error.empty(); }
    /// The row is at fault, not the destination.
    bool is_data() const { return sqlstate.starts_with("22") || sqlstate.starts_with("23") || sqlstate.starts_with("54"); }
};

class pg_link {
public:
    ~pg_link();
    /// @param writable only a server that takes writes will do @return empty, or one line for every host tried
    asio::awaitable<std::string> connect(std::string const& dsn, std::string const& password, std::chrono::milliseconds timeout, bool writable = true);
    /// Arguments outlive the call.
    /// All of them in one pipeline with one sync, so one round trip and, without BEGIN, one transaction.
    asio::awaitable<pg_outcome> run(std::span<pg_statement const> statements, std::chrono::milliseconds timeout);
    bool connected() const { return connection_ != nullptr; }
    void close();
    std::string const& server() const { return server_; }    // "host:port" of the connection

private:
    asio::awaitable<std::string> try_host(std::vector<std::pair<std::string, std::string>> const& settings, instant deadline);
    asio::awaitable<bool> flush(instant deadline);
    asio::awaitable<bool> input(instant deadline);
    pg_outcome lost(char const* why);

    pg_conn* connection_ = nullptr;
    std::string server_;
};

}
