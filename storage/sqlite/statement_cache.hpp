#pragma once
// Prepared statements by (scope, text), least recently used out. Part of db; nobody else includes it.

#include "storage/sqlite/db.hpp"

#include <list>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace airmail::storage::sqlite {

/// One prepared statement. `busy` while it is being stepped: a row callback may run the same text again.
struct statement {
    sqlite3* handle = nullptr;
    sqlite3_stmt* stmt = nullptr;
    bool busy = false;
    bool transient = false;                // not in the cache: dies after its use
    statement() = default;
    statement(statement const&) = delete;
    statement& operator=(statement const&) = delete;
    ~statement();
};

class statement_cache {
public:
    statement_cache(sqlite3* handle, std::size_t max) : handle_(handle), max_(max ? max : 1) {}
    /// Ready to bind. Throws error. A busy statement is answered by a second one that is not kept.
    statement& get(std::uint32_t scope, std::string_view text);
    void clear();
    std::function<int(action const&)>& authorizer_closure() { return closure_; }

private:
    friend class statement_use;
    std::unique_ptr<statement> prepare(std::string_view text);
    struct entry {
        std::string key;
        std::unique_ptr<statement> s;
    };
    sqlite3* handle_;
    std::size_t max_;
    std::list<entry> order_;               // most recently used first
    std::unordered_map<std::string_view, std::list<entry>::iterator> by_key_;
    std::function<int(action const&)> closure_;
};

/// One run of a statement: bind, step to the end, reset.
class statement_use {
public:
    explicit statement_use(statement& s);
    ~statement_use();
    void bind(std::string_view text, std::span<cell const> params);
    /// True while there is a row.
    bool step(std::string_view text);
    void columns(std::vector<cell>& out) const;

private:
    statement& s_;
};

}
