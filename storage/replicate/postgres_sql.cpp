#include "storage/replicate/postgres_sql.hpp"

#include <fmt/core.h>
#include <unordered_map>

namespace airmail::storage::replicate {

using sqlite::quote_name;

namespace {

std::string recordset(std::vector<pg_column> const& columns, bool all) {
    std::string out = "json_to_recordset($1::json) AS x(airmail_seq bigint";
    for (auto const& c : columns)
        if (all || c.key || c.folded) out += ", " + quote_name(c.source) + " " + c.raw;
    return out + ")";
}

std::string same_key(table const& t, std::vector<pg_column> const& columns) {
    std::string out;
    for (auto const& c : columns)
        if (c.key) out += (out.empty() ? "" : " AND ") + fmt::format("{}.{} = {}", quote_name(t.name), quote_name(c.name), c.from);
    return out;
}

/// The k-th of the JSON array `x.k`, as what column_of() expects to find in the recordset.
std::string key_recordset(table const& t, std::vector<pg_column> const& columns) {
    std::string list;
    for (std::size_t i = 0; i < t.key.size(); ++i)
        for (auto const& c : columns)
            if (c.source == t.key[i])
                list += fmt::format(", {} AS {}", c.raw == "json" ? fmt::format("j.k->{}", i) : fmt::format("(j.k->>{})::{}", i, c.raw), quote_name(c.source));
    return "(SELECT j.s AS airmail_seq" + list + " FROM json_to_recordset($1::json) AS j(s bigint, k json)) AS x";
}

}

table_sql::table_sql(table const& t) {
    auto const name = quote_name(t.name);
    auto const columns = pg_columns(t);
    std::string names, values, sets, conflict, folds;
    for (auto const& c : columns) {
        auto const n = quote_name(c.name);
        names += n + ", ", values += c.from + ", ";
        // Grows within an epoch; a registry that was put back is believed.
        if (c.folded) sets += fmt::format("{0} = CASE WHEN excluded.airmail_seq >> 40 > {1}.airmail_seq >> 40 THEN excluded.{0} ELSE greatest({1}.{0}, excluded.{0}) END, ", n, name);
        else if (!c.key) sets += fmt::format("{0} = excluded.{0}, ", n);
        if (c.folded) folds += (folds.empty() ? "" : ", ") + fmt::format("{0} = greatest({1}.{0}, {2})", n, name, c.from);
    }
    for (auto const& k : pg_key(t)) conflict += (conflict.empty() ? "" : ", ") + quote_name(k);
    upsert = fmt::format("INSERT INTO {0} ({1}airmail_node, airmail_seq) SELECT {2}$2::bigint, x.airmail_seq FROM {3} ON CONFLICT ({4}) DO UPDATE SET {5}airmail_node = excluded.airmail_node, "
                         "airmail_seq = excluded.airmail_seq WHERE ({0}.airmail_seq, {0}.airmail_node) < (excluded.airmail_seq, excluded.airmail_node)",
                         name, names, values, recordset(columns, true), conflict, sets);
    remove = fmt::format("DELETE FROM {0} USING {1} WHERE {2} AND ({0}.airmail_seq, {0}.airmail_node) < (x.airmail_seq, $2::bigint){3}", name, key_recordset(t, columns),
                         same_key(t, columns), t.local_key ? fmt::format(" AND {}.airmail_node = $2::bigint", name) : "");
    if (!folds.empty()) fold = fmt::format("UPDATE {} SET {} FROM {} WHERE {}", name, folds, recordset(columns, false), same_key(t, columns));
    sweep = fmt::format("DELETE FROM {} WHERE airmail_node = $1::bigint AND airmail_seq < $2::bigint", name);
}

postgres_sql::postgres_sql(std::vector<table> const& tables) {
    for (auto const& t : tables) by_name_.emplace(t.name, table_sql(t));
}

std::vector<pg_statement> postgres_sql::apply(std::span<outbox_entry const> entries, std::int64_t node) const {
    std::map<std::string, std::unordered_map<std::string, outbox_entry const*>> last;
    for (auto const& e : entries) last[e.table][e.pk] = &e;
    std::vector<pg_statement> out;
    for (auto const& [name, rows] : last) {
        auto const known = by_name_.find(name);
        if (known == by_name_.end()) continue;
        std::string kept, gone;
        for (auto const& [pk, e] : rows)
            if (e->op == 'D') gone += (gone.empty() ? "[" : ",") + fmt::format(R"({{"s":{},"k":{}}})", e->seq, pk);
            else kept += (kept.empty() ? "[" : ",") + fmt::format(R"({{"airmail_seq":{},)", e->seq) + e->row.substr(1);
        if (!gone.empty()) out.push_back({known->second.remove, {gone + "]", std::to_string(node)}});
        if (!kept.empty()) out.push_back({known->second.upsert, {kept + "]", std::to_string(node)}});
    }
    return out;
}

std::vector<pg_statement> postgres_sql::fold(std::span<folded_entry const> entries) const {
    std::map<std::string, std::string> rows;
    for (auto const& e : entries) {
        auto& list = rows[e.table];
        list += (list.empty() ? "[" : ",") + e.row;
    }
    std::vector<pg_statement> out;
    for (auto& [name, list] : rows)
        if (auto known = by_name_.find(name); known != by_name_.end() && !known->second.fold.empty()) out.push_back({known->second.fold, {list + "]"}});
    return out;
}

std::vector<pg_statement> postgres_sql::sweep(std::int64_t node, std::int64_t before) const {
    std::vector<pg_statement> out;
    for (auto const& [name, sql] : by_name_) out.push_back({sql.sweep, {std::to_string(node), std::to_string(before)}});
    return out;
}

}
