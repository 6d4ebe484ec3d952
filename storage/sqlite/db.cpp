#include "storage/sqlite/db.hpp"

#include "storage/sqlite/statement_cache.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::sqlite {

namespace {

constexpr std::int64_t application_id = 0x4149524d;      // "AIRM"

std::string message_of(int code, std::string const& message, std::string_view sql) {
    std::string text = "sqlite: " + message + " (" + std::to_string(code) + ")";
    if (sql.empty()) return text;
    return text + " in: " + std::string(sql.substr(0, 300)) + (sql.size() > 300 ? "..." : "");
}

// SQLite makes its files with the process's umask and follows links. A registry holds hashes of keys and names of people, so the
// file is made, or checked, by us; -wal and -shm take its mode.
void make_private_file(std::string const& path, db_options const& o) {
    int flags = O_CLOEXEC | O_NOFOLLOW | (o.read_only ? O_RDONLY : O_RDWR);
    if (o.create && !o.read_only) flags |= O_CREAT;
    int fd = ::open(path.c_str(), flags, 0600);
    if (fd < 0) throw error(SQLITE_CANTOPEN, path + ": " + (errno == ELOOP ? "is a symlink" : std::strerror(errno)), {});
    struct stat st {};
    bool good = ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (good && !o.read_only && (st.st_mode & 077)) good = ::fchmod(fd, 0600) == 0;
    // Closing drops the POSIX locks of every descriptor of this file in the process: safe only because nobody here has it open yet.
    ::close(fd);
    if (!good) throw error(SQLITE_CANTOPEN, path + ": not a file that only we can read", {});
}

}

error::error(int code, std::string const& message, std::string_view sql)
    : std::runtime_error(message_of(code, message, sql))
    , code_(code)
    , sql_(sql) {}

struct db::impl {
    std::string path;
    sqlite3* handle = nullptr;
    std::unique_ptr<statement_cache> statements;
    std::uint32_t scope = 0;
    std::function<permission(action const&)> authorizer;
    std::vector<std::unique_ptr<std::function<value()>>> functions;

    ~impl() {
        statements.reset();
        // Statements are gone; close_v2 would hide one that is not.
        if (handle) sqlite3_close(handle);
    }
    [[noreturn]] void fail(std::string_view sql) const {
        throw error(sqlite3_extended_errcode(handle), sqlite3_errmsg(handle), sql);
    }
    void run(char const* sql) const {
        if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
    }
    static permission ask(impl& self, action const& a) { return self.authorizer ? self.authorizer(a) : permission::allow; }
};

namespace {

std::string_view view(char const* s) { return s ? std::string_view(s) : std::string_view(); }

}

db::db(std::string const& path, db_options o) : impl_(std::make_unique<impl>()) {
    bool memory = path == ":memory:";
    if (!memory) make_private_file(path, o);
    impl_->path = path;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    flags |= o.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (int rc = sqlite3_open_v2(path.c_str(), &impl_->handle, flags, nullptr); rc != SQLITE_OK)
        throw error(rc, path + ": " + (impl_->handle ? sqlite3_errmsg(impl_->handle) : sqlite3_errstr(rc)), {});
    auto* h = impl_->handle;
    sqlite3_busy_timeout(h, o.busy_timeout_ms);
    sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);      // "x" is a name and never silently a text
    sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    // trusted_schema stays on: to this SQLite json_array() in a trigger is "unsafe", and the outbox is made of it.
    impl_->statements = std::make_unique<statement_cache>(h, o.statements_max);

    std::int64_t id = integer("PRAGMA application_id");
    if (id != application_id && (id != 0 || integer("SELECT count(*) FROM sqlite_schema") != 0))
        throw error(SQLITE_NOTADB, path + ": is a database of another program", {});
    if (!o.read_only) {
        if (id == 0) impl_->run("PRAGMA application_id = 1095324237");
        if (!memory) impl_->run("PRAGMA journal_mode = WAL");
    }
    // FULL: with WAL, NORMAL may lose the last commits at a power cut (reference/reliability.md section 3).
    impl_->run("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; PRAGMA cell_size_check = ON;"
               "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864");
}

db::~db() = default;

void db::each(std::string_view text, std::span<cell const> params, row_fn const& each) {
    auto& s = impl_->statements->get(impl_->scope, text);
    statement_use use(s);
    use.bind(text, params);
    std::vector<cell> columns;
    while (use.step(text)) {
        if (!each) continue;
        use.columns(columns);
        if (!each(columns)) break;
    }
}

rows db::exec(std::string_view text, std::span<value const> params) {
    std::vector<cell> cells;
    cells.reserve(params.size());
    for (auto const& p : params) {
        std::visit([&](auto const& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::string>) cells.emplace_back(std::string_view(v));
            else if constexpr (std::is_same_v<T, blob>) cells.emplace_back(std::span<std::uint8_t const>(v));
            else cells.emplace_back(v);
        }, p);
    }
    rows all;
    each(text, cells, [&](std::span<cell const> columns) {
        auto& r = all.emplace_back();
        r.reserve(columns.size());
        for (auto const& c : columns) {
            std::visit([&](auto const& v) {
                using T = std::decay_t<decltype(v)>;
                if constexpr (std::is_same_v<T, std::string_view>) r.emplace_back(std::string(v));
                else if constexpr (std::is_same_v<T, std::span<std::uint8_t const>>) r.emplace_back(blob(v.begin(), v.end()));
                else r.emplace_back(v);
            }, c);
        }
        return true;
    });
    return all;
}

rows db::exec(std::string_view text, std::initializer_list<value> params) {
    return exec(text, std::span<value const>(params.begin(), params.size()));
}

value db::scalar(std::string_view text, std::span<value const> params) {
    auto all = exec(text, params);
    return all.empty() || all[0].empty() ? value(nullptr) : std::move(all[0][0]);
}

value db::scalar(std::string_view text, std::initializer_list<value> params) {
    return scalar(text, std::span<value const>(params.begin(), params.size()));
}

std::int64_t db::integer(std::string_view text, std::initializer_list<value> params) {
    auto v = scalar(text, params);
    auto const* i = std::get_if<std::int64_t>(&v);
    return i ? *i : 0;
}

void db::script(std::string_view text) {
    std::string all(text);
    char const* next = all.c_str();
    while (*next) {
        sqlite3_stmt* s = nullptr;
        char const* begin = next;
        if (sqlite3_prepare_v2(impl_->handle, begin, -1, &s, &next) != SQLITE_OK) impl_->fail(begin);
        if (!s) continue;                                 // a comment, or the end
        int rc = SQLITE_ROW;
        while (rc == SQLITE_ROW) rc = sqlite3_step(s);
        sqlite3_finalize(s);
        if (rc != SQLITE_DONE) impl_->fail(std::string_view(begin, std::size_t(next - begin)));
    }
}

std::int64_t db::changes() const { return sqlite3_changes64(impl_->handle); }
std::int64_t db::last_insert_rowid() const { return sqlite3_last_insert_rowid(impl_->handle); }
bool db::in_transaction() const { return sqlite3_get_autocommit(impl_->handle) == 0; }
void db::scope(std::uint32_t s) { impl_->scope = s; }
std::uint32_t db::scope() const { return impl_->scope; }
std::string const& db::path() const { return impl_->path; }

namespace {

// The authorizer needs impl, which is private to db: the pointer carries a closure instead.
int authorize(void* self, int code, char const* a, char const* b, char const* database, char const* trigger) {
    auto& ask = *static_cast<std::function<int(action const&)>*>(self);
    try {
        return ask(action{0, code, view(a), view(b), view(database), view(trigger)});
    } catch (...) {
        return SQLITE_DENY;                               // an exception must not cross C
    }
}

void call_function(sqlite3_context* c, int, sqlite3_value**) {
    auto& f = *static_cast<std::function<value()>*>(sqlite3_user_data(c));
    try {
        std::visit([&](auto const& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::nullptr_t>) sqlite3_result_null(c);
            else if constexpr (std::is_same_v<T, std::int64_t>) sqlite3_result_int64(c, v);
            else if constexpr (std::is_same_v<T, double>) sqlite3_result_double(c, v);
            else if constexpr (std::is_same_v<T, std::string>) sqlite3_result_text64(c, v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
            else sqlite3_result_blob64(c, v.data(), v.size(), SQLITE_TRANSIENT);
        }, f());
    } catch (std::exception const& e) {
        sqlite3_result_error(c, e.what(), -1);
    }
}

}

void db::authorizer(std::function<permission(action const&)> f) {
    impl_->statements->clear();                           // what was compiled under other rules is compiled again
    impl_->authorizer = std::move(f);
    if (!impl_->authorizer) {
        sqlite3_set_authorizer(impl_->handle, nullptr, nullptr);
        return;
    }
    auto& closure = impl_->statements->authorizer_closure();
    closure = [this](action const& asked) {
        if (impl_->scope == 0) return SQLITE_OK;
        action a = asked;
        a.scope = impl_->scope;
        switch (impl::ask(*impl_, a)) {
        case permission::allow: return SQLITE_OK;
        case permission::ignore: return SQLITE_IGNORE;
        case permission::deny: break;
        }
        return SQLITE_DENY;
    };
    sqlite3_set_authorizer(impl_->handle, authorize, &closure);
}

void db::define(std::string const& name, std::function<value()> f) {
    impl_->functions.push_back(std::make_unique<std::function<value()>>(std::move(f)));
    int rc = sqlite3_create_function_v2(impl_->handle, name.c_str(), 0, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                                        impl_->functions.back().get(), call_function, nullptr, nullptr, nullptr);
    if (rc != SQLITE_OK) impl_->fail(name);
}

bool db::checkpoint() {
    int left = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(impl_->handle, nullptr, SQLITE_CHECKPOINT_TRUNCATE, &left, &moved);
    if (rc == SQLITE_BUSY) return false;
    if (rc != SQLITE_OK) impl_->fail("checkpoint");
    return left == moved;
}

void db::backup_to(std::string const& target) {
    int fd = ::open(target.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_RDWR, 0600);
    if (fd < 0) throw error(SQLITE_CANTOPEN, target + ": " + std::strerror(errno), {});
    ::close(fd);
    sqlite3* to = nullptr;
    int rc = sqlite3_open_v2(target.c_str(), &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    if (rc == SQLITE_OK) {
        auto* b = sqlite3_backup_init(to, "main", impl_->handle, "main");
        if (b) {
            sqlite3_backup_step(b, -1);
            sqlite3_backup_finish(b);
        }
        rc = sqlite3_extended_errcode(to);
    }
    std::string why = to ? sqlite3_errmsg(to) : "";
    sqlite3_close(to);
    if (rc == SQLITE_OK) return;
    ::unlink(target.c_str());
    throw error(rc, target + ": " + why, {});
}

transaction::transaction(db& d) : db_(d) { db_.exec("BEGIN IMMEDIATE"); }
transaction::~transaction() {
    if (!open_ || !db_.in_transaction()) return;           // SQLite has rolled back by itself, e.g. on a full disk
    try {
        db_.exec("ROLLBACK");
    } catch (error const&) {
    }
}
void transaction::commit() {
    db_.exec("COMMIT");
    open_ = false;
}

savepoint::savepoint(db& d, std::string name) : db_(d), name_(quote_name(name)) { db_.exec("SAVEPOINT " + name_); }
savepoint::~savepoint() {
    if (!open_ || !db_.in_transaction()) return;
    try {
        db_.exec("ROLLBACK TO " + name_);
        db_.exec("RELEASE " + name_);
    } catch (error const&) {
    }
}
void savepoint::release() {
    db_.exec("RELEASE " + name_);
    open_ = false;
}

std::string quote_name(std::string_view name) {
    std::string out = "\"";
    for (char c : name) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

}
