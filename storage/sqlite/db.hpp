#pragma once
// One SQLite connection: the registry's only door. It holds SQL and no idea of what the tables mean.
// Owned by one thread at a time (the SQLite thread; start-up before it runs). Failures are exceptions of type
// sqlite::error: the callers are lanes, which roll back and set the item aside, and start-up, which stops with one line.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace airmail::storage::sqlite {

using blob = std::vector<std::uint8_t>;
/// An owned value; the same alternatives, in the same order, as sdk::sql_value.
using value = std::variant<std::nullptr_t, std::int64_t, double, std::string, blob>;
using row = std::vector<value>;
using rows = std::vector<row>;
/// A borrowed value: a parameter to bind (valid during the call) or a column (valid during the row callback).
using cell = std::variant<std::nullptr_t, std::int64_t, double, std::string_view, std::span<std::uint8_t const>>;

/// What went wrong, with the statement. what() = "sqlite: <message> (<code>) in: <sql, at most 300 bytes>".
class error : public std::runtime_error {
public:
    error(int code, std::string const& message, std::string_view sql);
    /// The extended result code of SQLite, e.g. SQLITE_CONSTRAINT_UNIQUE.
    int code() const noexcept { return code_; }
    std::string const& sql() const noexcept { return sql_; }
    bool is_constraint() const noexcept { return (code_ & 0xff) == 19; }
    bool is_full() const noexcept { return (code_ & 0xff) == 13; }

private:
    int code_;
    std::string sql_;
};

struct db_options {
    bool create = true;
    bool read_only = false;
    int busy_timeout_ms = 5000;
    std::size_t statements_max = 256;      // prepared statements kept, least recently used goes
};

/// What a statement wants to do, asked while it is compiled (sqlite3_set_authorizer). `code` is SQLITE_READ,
/// SQLITE_INSERT ...; `first` and `second` are its two arguments (table, column ...). `trigger` is the trigger or view
/// inside which it happens, empty at the top: so the outbox may be written by triggers only.
struct action {
    std::uint32_t scope = 0;
    int code = 0;
    std::string_view first, second, database, trigger;
};
enum class permission { allow, deny, ignore };

/// Returns false to stop.
using row_fn = std::function<bool(std::span<cell const>)>;

class db {
public:
    /// Opens or makes a file (0600; a looser file is tightened, a symlink refused) or ":memory:". Sets WAL,
    /// synchronous=FULL, foreign_keys, recursive_triggers (REPLACE must tell the outbox what it removed), defensive mode and the
    /// application id. Throws error: not ours, not a database, locked, I/O.
    explicit db(std::string const& path, db_options o = {});
    ~db();
    db(db const&) = delete;
    db& operator=(db const&) = delete;

    /// Runs one statement and returns all its rows. Text is bound as text, blobs as blobs. Throws error; a second statement
    /// in `text` is an error, so is a wrong number of parameters.
    rows exec(std::string_view text, std::span<value const> params = {});
    rows exec(std::string_view text, std::initializer_list<value> params);
    /// The same, streaming: `each` is called per row with views that die with the call.
    void each(std::string_view text, std::span<cell const> params, row_fn const& each);
    /// First column of the first row; null when there is none.
    value scalar(std::string_view text, std::span<value const> params = {});
    value scalar(std::string_view text, std::initializer_list<value> params);
    std::int64_t integer(std::string_view text, std::initializer_list<value> params = {});
    /// Runs all statements of a text, without parameters: migrations.
    void script(std::string_view text);

    /// Rows changed by the last INSERT, UPDATE or DELETE, triggers not counted.
    std::int64_t changes() const;
    std::int64_t last_insert_rowid() const;
    bool in_transaction() const;

    /// Who asks: given to the authorizer; prepared statements are kept per scope, so one scope never runs what was
    /// allowed to another. 0 = the house itself.
    void scope(std::uint32_t s);
    std::uint32_t scope() const;
    /// Asked for every access of scopes other than 0 when a statement is compiled. An empty function removes it.
    void authorizer(std::function<permission(action const&)> f);
    /// Defines an SQL function without arguments, usable in triggers; called on this thread.
    void define(std::string const& name, std::function<value()> f);

    std::string const& path() const;
    /// Moves the WAL into the file (truncating it); true when everything was moved.
    bool checkpoint();
    /// Copies the living database to a new file at `target`, consistent, 0600. Throws error.
    void backup_to(std::string const& target);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// BEGIN IMMEDIATE ... COMMIT; rolls back when it dies uncommitted.
class transaction {
public:
    explicit transaction(db& d);
    ~transaction();
    void commit();
    transaction(transaction const&) = delete;
    transaction& operator=(transaction const&) = delete;

private:
    db& db_;
    bool open_ = true;
};

/// A step that can be undone alone inside a transaction; rolls back to its beginning when it dies unreleased.
class savepoint {
public:
    explicit savepoint(db& d, std::string name = "step");
    ~savepoint();
    void release();
    savepoint(savepoint const&) = delete;
    savepoint& operator=(savepoint const&) = delete;

private:
    db& db_;
    std::string name_;
    bool open_ = true;
};

/// Quotes a name for use in SQL ("a" -> "\"a\""). For names of tables and columns that come from declarations.
std::string quote_name(std::string_view name);

}
