#pragma once
// The generic statements: a batch of rows is one JSON array in one parameter, unpacked by json_to_recordset. Unnamed, so any
// pooler will do; idempotent, since the guard (airmail_seq, airmail_node) only grows.

#include "storage/outbox/outbox.hpp"
#include "storage/replicate/postgres_schema.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace airmail::storage::replicate {

struct pg_statement {
    std::string sql;
    std::vector<std::string> params;
};

/// Made once per table.
struct table_sql {
    explicit table_sql(table const& t);
    std::string upsert;       // $1 rows, $2 node
    std::string remove;       // $1 [{"s":seq,"k":[...]}], $2 node
    std::string fold;         // $1 rows
    std::string sweep;        // $1 node, $2 seq: what a snapshot did not find
};

class postgres_sql {
public:
    explicit postgres_sql(std::vector<table> const& tables);
    /// Of several entries about one key the last counts. Entries of tables no longer replicated are left out.
    std::vector<pg_statement> apply(std::span<outbox_entry const> entries, std::int64_t node) const;
    std::vector<pg_statement> fold(std::span<folded_entry const> entries) const;
    std::vector<pg_statement> sweep(std::int64_t node, std::int64_t before) const;

private:
    std::map<std::string, table_sql> by_name_;
};

}
