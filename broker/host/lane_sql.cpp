// A plugin's SQL on its lane's connection.
#include "broker/host/lane.hpp"

#include <sqlite3.h>

namespace airmail::host {

namespace sqlite = storage::sqlite;

namespace {

/// SELECT alone is sure to write nothing; everything else may, and then we are in a transaction already.
bool only_reads(std::string_view sql) {
    auto at = sql.find_first_not_of(" \t\r\n(");
    if (at == sql.npos || sql.size() - at < 6) return false;
    constexpr std::string_view word = "select";
    for (std::size_t i = 0; i < 6; ++i)
        if ((sql[at + i] | 0x20) != word[i]) return false;
    return true;
}

/// The store's trouble rather than the item's: the batch runs again.
bool is_trouble(int code) {
    switch (code & 0xff) {
    case SQLITE_BUSY: case SQLITE_LOCKED: case SQLITE_NOMEM: case SQLITE_READONLY: case SQLITE_INTERRUPT: case SQLITE_IOERR:
    case SQLITE_CORRUPT: case SQLITE_FULL: case SQLITE_CANTOPEN: case SQLITE_PROTOCOL: return true;
    default: return false;
    }
}

airmail_value to_c(sqlite::cell const& v) {
    airmail_value out{};
    if (auto i = std::get_if<std::int64_t>(&v)) out.type = 1, out.i = *i;
    else if (auto d = std::get_if<double>(&v)) out.type = 2, out.d = *d;
    else if (auto s = std::get_if<std::string_view>(&v)) out.type = 3, out.s = {s->data(), s->size()};
    else if (auto b = std::get_if<std::span<std::uint8_t const>>(&v))
        out.type = 4, out.s = {reinterpret_cast<char const*>(b->data()), b->size()};
    return out;
}

sqlite::cell from_c(airmail_value const& v) {
    switch (v.type) {
    case 1: return v.i;
    case 2: return v.d;
    case 3: return std::string_view{v.s.ptr ? v.s.ptr : "", v.s.len};
    case 4: return std::span<std::uint8_t const>{reinterpret_cast<std::uint8_t const*>(v.s.ptr), v.s.len};
    default: return nullptr;
    }
}

}

int lane::sql(instance& i, std::string_view text, airmail_value const* params, std::size_t count, airmail_row_fn row, void* user) {
    if (broken_) return i.last_error = "sql: the batch is being rolled back: " + why_, SQLITE_ABORT;
    struct scoped {
        sqlite::db& d;
        std::uint32_t before;
        ~scoped() { d.scope(before); }
    } restore{*db_, db_->scope()};
    try {
        db_->scope(0);
        if (!only_reads(text)) tx_->write();
        std::vector<sqlite::cell> cells;
        cells.reserve(count);
        for (std::size_t n = 0; n < count; ++n) cells.push_back(from_c(params[n]));
        std::vector<airmail_value> columns;
        db_->scope(i.scope);
        db_->each(text, cells, [&](std::span<sqlite::cell const> r) {
            columns.clear();
            for (auto const& c : r) columns.push_back(to_c(c));
            return !row || row(user, columns.data(), columns.size()) == 0;
        });
        return 0;
    } catch (sqlite::error const& e) {
        i.last_error = e.what();
        if (is_trouble(e.code()) || tx_->lost()) broken(e.what());
        return e.code() ? e.code() : SQLITE_ERROR;
    }
}

}
