#pragma once
// A table's row as SQL that makes JSON of it: what the triggers write and a snapshot reads are the same text, column for column.

#include "storage/sqlite/db.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace airmail::storage {

struct outbox_column {
    std::string name, type;                // type in capitals, as declared
    bool is_blob = false, not_null = false;
    std::int64_t key = 0;                  // position in the declared primary key, 0 = not part of it
};

/// In the order of the table. Throws sqlite::error when there is no such table.
std::vector<outbox_column> outbox_columns(sqlite::db& d, std::string const& table);

/// json_object('a', side."a", ...); a BLOB becomes {"$blob":"<hex>"}. `side` is NEW, OLD or an alias.
std::string row_json_sql(std::vector<outbox_column> const& columns, std::string const& side);
/// json_array(side."k1", ...). Every key is one of the columns.
std::string key_json_sql(std::vector<outbox_column> const& columns, std::vector<std::string> const& key, std::string const& side);

/// 'it''s'
std::string quote_text(std::string_view s);

}
