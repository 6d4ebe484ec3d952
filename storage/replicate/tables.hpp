#pragma once
// The replicated tables as SQLite and the plugins' declarations describe them: all that a generic copy needs to know.

#include "storage/outbox/row_sql.hpp"
#include "storage/sqlite/db.hpp"

#include <map>
#include <string>
#include <vector>

namespace airmail::storage::replicate {

struct table {
    std::string name;
    std::vector<outbox_column> columns;
    std::vector<std::string> key, folded;
    std::int64_t version = 1;                                   // steps of its migrations
    bool built_in = false;
    bool local_key = false;                                     // a rowid: unique on its node only
    std::vector<std::vector<std::string>> unique;               // declared in the table itself
    std::map<std::string, std::vector<std::string>> indexes;    // by name; whole-table ones on plain columns
    std::map<std::string, std::vector<std::string>> words;      // CHECK(column IN ('a','b'))

    outbox_column const& column(std::string const& name) const;
    bool is_key(std::string const& name) const;
    bool is_folded(std::string const& name) const;
};

/// All of them, by name. Throws sqlite::error.
std::vector<table> read_tables(sqlite::db& d);

/// Finds CHECK(x IN ('a','b')) in the text of a CREATE TABLE.
std::map<std::string, std::vector<std::string>> checked_words(std::string_view sql);

}
