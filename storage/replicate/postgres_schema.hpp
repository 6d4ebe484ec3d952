#pragma once
// The replicated tables in Postgres' words: UUID, timestamptz, enums, bigint; and the house's own two tables.
//
//   airmail_schema(table_name, version)      what `airmailctl db migrate` has made; '' = the layout of all of it
//   airmail_replica(node_id, seq, ...)       how far each node's changes have come, written with the rows
//
// Every copied row has airmail_node and airmail_seq, the guard.

#include "storage/replicate/tables.hpp"

#include <string>
#include <vector>

namespace airmail::storage::replicate {

/// One column there. `from` makes its value of the recordset alias `x`, whose column has type `raw`.
struct pg_column {
    std::string source, name, type, raw, from;
    bool key = false, folded = false;
};

std::vector<pg_column> pg_columns(table const& t);
/// The columns of the primary key there: airmail_node joins a rowid.
std::vector<std::string> pg_key(table const& t);

/// Brings a database up to date; any number of times. One statement an element, to be run in one transaction.
std::vector<std::string> migration_sql(std::vector<table> const& tables);

/// Version of what is not a plugin's: the guards, the house's tables.
inline constexpr std::int64_t layout = 2;

/// @param have rows of `SELECT table_name, version FROM airmail_schema` @return "" or one sentence: what is missing or newer
std::string schema_problem(std::vector<table> const& tables, std::vector<std::vector<std::string>> const& have);

}
