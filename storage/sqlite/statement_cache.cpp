#include "storage/sqlite/statement_cache.hpp"

#include <sqlite3.h>

namespace airmail::storage::sqlite {

namespace {

std::string key_of(std::uint32_t scope, std::string_view text) {
    std::string key(reinterpret_cast<char const*>(&scope), sizeof scope);
    return key.append(text);
}

bool only_blanks(char const* s, char const* end) {
    for (; s < end; ++s)
        if (*s != ' ' && *s != '\n' && *s != '\t' && *s != '\r' && *s != ';') return false;
    return true;
}

}

statement::~statement() { sqlite3_finalize(stmt); }

std::unique_ptr<statement> statement_cache::prepare(std::string_view text) {
    auto s = std::make_unique<statement>();
    s->handle = handle_;
    char const* tail = nullptr;
    int rc = sqlite3_prepare_v3(handle_, text.data(), int(text.size()), SQLITE_PREPARE_PERSISTENT, &s->stmt, &tail);
    if (rc != SQLITE_OK) throw error(sqlite3_extended_errcode(handle_), sqlite3_errmsg(handle_), text);
    if (!s->stmt) throw error(SQLITE_MISUSE, "an empty statement", text);
    // What follows the first statement would never run: that is a mistake, or an injection.
    if (!only_blanks(tail, text.data() + text.size())) throw error(SQLITE_MISUSE, "more than one statement", text);
    return s;
}

statement& statement_cache::get(std::uint32_t scope, std::string_view text) {
    std::string key = key_of(scope, text);
    if (auto it = by_key_.find(key); it != by_key_.end()) {
        order_.splice(order_.begin(), order_, it->second);
        auto& s = *it->second->s;
        if (!s.busy) return s;
        auto* again = prepare(text).release();
        again->transient = true;                          // its statement_use deletes it
        return *again;
    }
    auto made = prepare(text);
    if (order_.size() >= max_ && !order_.back().s->busy) {
        by_key_.erase(order_.back().key);
        order_.pop_back();
    }
    order_.push_front({std::move(key), std::move(made)});
    by_key_.emplace(order_.front().key, order_.begin());
    return *order_.front().s;
}

void statement_cache::clear() {
    for (auto it = order_.begin(); it != order_.end();) {
        if (it->s->busy) {
            ++it;
            continue;
        }
        by_key_.erase(it->key);
        it = order_.erase(it);
    }
}

statement_use::statement_use(statement& s) : s_(s) { s_.busy = true; }

statement_use::~statement_use() {
    sqlite3_reset(s_.stmt);
    sqlite3_clear_bindings(s_.stmt);                      // bound views die with this call
    s_.busy = false;
    if (s_.transient) delete &s_;
}

void statement_use::bind(std::string_view text, std::span<cell const> params) {
    int wanted = sqlite3_bind_parameter_count(s_.stmt);
    if (wanted != int(params.size()))
        throw error(SQLITE_RANGE, "wants " + std::to_string(wanted) + " parameters, was given " + std::to_string(params.size()), text);
    for (int i = 0; i < wanted; ++i) {
        int rc = std::visit([&](auto const& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::nullptr_t>) return sqlite3_bind_null(s_.stmt, i + 1);
            else if constexpr (std::is_same_v<T, std::int64_t>) return sqlite3_bind_int64(s_.stmt, i + 1, v);
            else if constexpr (std::is_same_v<T, double>) return sqlite3_bind_double(s_.stmt, i + 1, v);
            // A null pointer would bind NULL; an empty text is a text.
            else if constexpr (std::is_same_v<T, std::string_view>)
                return sqlite3_bind_text64(s_.stmt, i + 1, v.data() ? v.data() : "", v.size(), SQLITE_STATIC, SQLITE_UTF8);
            else if (v.empty()) return sqlite3_bind_zeroblob(s_.stmt, i + 1, 0);
            else return sqlite3_bind_blob64(s_.stmt, i + 1, v.data(), v.size(), SQLITE_STATIC);
        }, params[std::size_t(i)]);
        if (rc != SQLITE_OK) throw error(sqlite3_extended_errcode(s_.handle), sqlite3_errmsg(s_.handle), text);
    }
}

bool statement_use::step(std::string_view text) {
    int rc = sqlite3_step(s_.stmt);
    if (rc == SQLITE_ROW) return true;
    if (rc == SQLITE_DONE) return false;
    throw error(sqlite3_extended_errcode(s_.handle), sqlite3_errmsg(s_.handle), text);
}

void statement_use::columns(std::vector<cell>& out) const {
    out.clear();
    int count = sqlite3_column_count(s_.stmt);
    for (int i = 0; i < count; ++i) {
        switch (sqlite3_column_type(s_.stmt, i)) {
        case SQLITE_INTEGER: out.emplace_back(std::int64_t(sqlite3_column_int64(s_.stmt, i))); break;
        case SQLITE_FLOAT: out.emplace_back(sqlite3_column_double(s_.stmt, i)); break;
        case SQLITE_TEXT: {
            auto const* text = reinterpret_cast<char const*>(sqlite3_column_text(s_.stmt, i));
            out.emplace_back(std::string_view(text ? text : "", std::size_t(sqlite3_column_bytes(s_.stmt, i))));
            break;
        }
        case SQLITE_BLOB: {
            auto const* data = static_cast<std::uint8_t const*>(sqlite3_column_blob(s_.stmt, i));
            out.emplace_back(std::span<std::uint8_t const>(data, std::size_t(sqlite3_column_bytes(s_.stmt, i))));
            break;
        }
        default: out.emplace_back(nullptr);
        }
    }
}

}
