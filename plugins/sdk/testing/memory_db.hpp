#pragma once
// The bench's SQLite: one connection in memory, C values in, C values out. Failures are codes and a sentence, as a host gives them.

#include "plugins/sdk/host_context.hpp"

#include <sqlite3.h>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::sdk::testing {

class memory_db {
public:
    memory_db() {
        if (sqlite3_open(":memory:", &db_) != SQLITE_OK) throw error("testing: SQLite does not open");
        run("PRAGMA foreign_keys = ON");
    }
    ~memory_db() { sqlite3_close(db_); }
    memory_db(memory_db const&) = delete;
    memory_db& operator=(memory_db const&) = delete;

    /// One statement, parameters bound in order. @return 0, or SQLite's code with `why` filled.
    int exec(std::string_view text, airmail_value const* params, std::size_t count, airmail_row_fn row, void* user, std::string& why) {
        sqlite3_stmt* s = nullptr;
        char const* rest = nullptr;
        int rc = sqlite3_prepare_v2(db_, text.data(), static_cast<int>(text.size()), &s, &rest);
        if (rc == SQLITE_OK && !s) return why = "sql: empty statement", SQLITE_MISUSE;
        if (rc == SQLITE_OK && static_cast<std::size_t>(sqlite3_bind_parameter_count(s)) != count)
            rc = SQLITE_MISUSE, why = "sql: wrong number of parameters in: " + std::string{text};
        if (rc == SQLITE_OK) rc = step(s, params, count, row, user);
        if (rc != SQLITE_OK && why.empty()) why = std::string{"sqlite: "} + sqlite3_errmsg(db_) + " in: " + std::string{text};
        sqlite3_finalize(s);
        return rc;
    }

    /// Host side: runs a script and throws what went wrong.
    void run(std::string const& script) {
        char* message = nullptr;
        if (sqlite3_exec(db_, script.c_str(), nullptr, nullptr, &message) == SQLITE_OK) return;
        std::string text = message ? message : "failed";
        sqlite3_free(message);
        throw error("sqlite: " + text + " in: " + script);
    }

    std::vector<sql_row> rows(std::string_view text, std::vector<sql_value> const& params = {}) {
        std::vector<airmail_value> values;
        for (auto const& p : params) values.push_back(detail::to_c(p));
        std::vector<sql_row> out;
        std::string why;
        if (int rc = exec(text, values.data(), values.size(), &collect, &out, why)) throw error(why, rc);
        return out;
    }

    std::int64_t changes() const { return sqlite3_changes64(db_); }

private:
    static int collect(void* user, airmail_value const* columns, std::size_t count) {
        auto& row = static_cast<std::vector<sql_row>*>(user)->emplace_back();
        for (std::size_t i = 0; i < count; ++i) row.push_back(detail::from_c(columns[i]));
        return 0;
    }

    int step(sqlite3_stmt* s, airmail_value const* params, std::size_t count, airmail_row_fn row, void* user) {
        for (std::size_t i = 0; i < count; ++i) {
            auto const& v = params[i];
            int at = static_cast<int>(i) + 1;
            auto size = static_cast<int>(v.s.len);
            if (v.type == 1) sqlite3_bind_int64(s, at, v.i);
            else if (v.type == 2) sqlite3_bind_double(s, at, v.d);
            else if (v.type == 3) sqlite3_bind_text(s, at, v.s.ptr ? v.s.ptr : "", size, SQLITE_TRANSIENT);
            else if (v.type == 4) sqlite3_bind_blob(s, at, v.s.ptr ? v.s.ptr : "", size, SQLITE_TRANSIENT);
        }
        std::vector<airmail_value> columns;
        for (int rc; (rc = sqlite3_step(s)) != SQLITE_DONE;) {
            if (rc != SQLITE_ROW) return rc;
            columns.clear();
            for (int i = 0; i < sqlite3_column_count(s); ++i) columns.push_back(column(s, i));
            if (row && row(user, columns.data(), columns.size()) != 0) break;
        }
        return SQLITE_OK;
    }

    static airmail_value column(sqlite3_stmt* s, int i) {
        airmail_value v{};
        switch (sqlite3_column_type(s, i)) {
        case SQLITE_INTEGER: v.type = 1, v.i = sqlite3_column_int64(s, i); break;
        case SQLITE_FLOAT: v.type = 2, v.d = sqlite3_column_double(s, i); break;
        case SQLITE_TEXT: v.type = 3, v.s.ptr = reinterpret_cast<char const*>(sqlite3_column_text(s, i)); break;
        case SQLITE_BLOB: v.type = 4, v.s.ptr = static_cast<char const*>(sqlite3_column_blob(s, i)); break;
        default: break;
        }
        if (v.type >= 3) v.s.len = static_cast<std::size_t>(sqlite3_column_bytes(s, i));
        return v;
    }

    sqlite3* db_ = nullptr;
};

}
