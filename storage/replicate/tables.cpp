#include "storage/replicate/tables.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace airmail::storage::replicate {
namespace {

std::vector<std::string> list_of(std::string const& json) {
    std::vector<std::string> out;
    boost::system::error_code ec;
    auto const v = boost::json::parse(json, ec);
    if (auto const* a = v.if_array())
        for (auto const& x : *a)
            if (x.is_string()) out.emplace_back(x.as_string());
    return out;
}

std::string text(sqlite::value const& v) {
    auto const* s = std::get_if<std::string>(&v);
    return s ? *s : std::string();
}

bool among(std::vector<std::string> const& list, std::string const& name) { return std::find(list.begin(), list.end(), name) != list.end(); }

void read_indexes(sqlite::db& d, table& t) {
    for (auto& r : d.exec("SELECT name, origin, partial FROM pragma_index_list(?)", {t.name})) {
        if (std::get<std::int64_t>(r[2]) != 0 || text(r[1]) == "pk") continue;
        std::vector<std::string> columns;
        for (auto& c : d.exec("SELECT name FROM pragma_index_info(?) ORDER BY seqno", {r[0]})) columns.push_back(text(c[0]));
        if (columns.empty() || among(columns, "")) continue;        // an expression
        if (text(r[1]) == "u") t.unique.push_back(columns);
        else t.indexes[text(r[0])] = columns;
    }
}

}

outbox_column const& table::column(std::string const& wanted) const {
    return *std::find_if(columns.begin(), columns.end(), [&](auto const& c) { return c.name == wanted; });
}
bool table::is_key(std::string const& wanted) const { return among(key, wanted); }
bool table::is_folded(std::string const& wanted) const { return among(folded, wanted); }

std::map<std::string, std::vector<std::string>> checked_words(std::string_view sql) {
    std::map<std::string, std::vector<std::string>> out;
    for (std::size_t at = 0; (at = sql.find("CHECK(", at)) != sql.npos;) {
        at += 6;
        auto const in = sql.find(" IN (", at);
        auto const end = sql.find(')', at);
        if (in == sql.npos || end == sql.npos || end < in) continue;
        std::string name(sql.substr(at, in - at));
        if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") != name.npos) continue;
        std::vector<std::string> words;
        bool good = true;
        for (auto rest = sql.substr(in + 5, end - in - 5); !rest.empty();) {
            auto open = rest.find('\''), close = open == rest.npos ? rest.npos : rest.find('\'', open + 1);
            if (close == rest.npos) {
                good = rest.find_first_not_of(" ,") == rest.npos;
                break;
            }
            words.emplace_back(rest.substr(open + 1, close - open - 1));
            rest.remove_prefix(close + 1);
        }
        if (good && !words.empty()) out[name] = words;
    }
    return out;
}

std::vector<table> read_tables(sqlite::db& d) {
    std::vector<table> out;
    for (auto& r : d.exec("SELECT table_name, primary_key, folded, version, built_in FROM airmail_outbox_tables ORDER BY table_name")) {
        table t;
        t.name = text(r[0]), t.columns = outbox_columns(d, t.name), t.key = list_of(text(r[1])), t.folded = list_of(text(r[2]));
        t.version = std::get<std::int64_t>(r[3]), t.built_in = std::get<std::int64_t>(r[4]) != 0;
        t.local_key = t.key.size() == 1 && t.column(t.key[0]).key == 1 && t.column(t.key[0]).type == "INTEGER";
        read_indexes(d, t);
        t.words = checked_words(text(d.scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", {t.name})));
        out.push_back(std::move(t));
    }
    return out;
}

}
