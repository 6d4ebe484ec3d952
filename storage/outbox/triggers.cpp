#include "storage/outbox/outbox.hpp"
#include "storage/outbox/row_sql.hpp"

#include <algorithm>

namespace airmail::storage {

namespace {

using sqlite::quote_name;

[[noreturn]] void refuse(std::string const& what) { throw sqlite::error(1, "outbox: " + what, {}); }

bool has(std::vector<outbox_column> const& columns, std::string_view name) {
    return std::any_of(columns.begin(), columns.end(), [&](outbox_column const& c) { return c.name == name; });
}

std::vector<std::string> key_of(outbox_table const& t, std::vector<outbox_column> columns) {
    auto key = t.primary_key;
    if (key.empty()) {
        std::stable_sort(columns.begin(), columns.end(), [](outbox_column const& a, outbox_column const& b) { return a.key < b.key; });
        for (auto const& c : columns)
            if (c.key) key.push_back(c.name);
    }
    if (key.empty()) refuse("table " + t.name + " has no primary key");
    for (auto const& k : key)
        if (!has(columns, k)) refuse("table " + t.name + " has no column " + k);
    for (auto const& f : t.folded)
        if (!has(columns, f)) refuse("table " + t.name + " has no column " + f);
        else if (std::find(key.begin(), key.end(), f) != key.end()) refuse("table " + t.name + ": " + f + " is part of the key and cannot be folded");
    return key;
}

struct writer {
    outbox_table const& table;
    std::vector<outbox_column> columns;
    std::vector<std::string> key;
    std::string device;

    std::string pk(std::string const& side) const { return key_json_sql(columns, key, side); }
    std::string insert(char op, std::string const& side, std::string const& where = {}) const {
        std::string whose = device.empty() ? "''" : "coalesce(CAST(" + side + "." + quote_name(device) + " AS TEXT), '')";
        return "INSERT INTO outbox(node_id, table_name, pk, op, row, device, at_ms, traceparent) SELECT airmail_node_id(), " +
               quote_text(table.name) + ", " + pk(side) + ", '" + op + "', " + (op == 'D' ? "NULL" : row_json_sql(columns, side)) + ", " + whose +
               ", airmail_wall_ms(), airmail_traceparent()" + (where.empty() ? "" : " WHERE " + where) + ";";
    }
    std::string forget_folded(std::string const& side, std::string const& where = {}) const {
        if (table.folded.empty()) return {};
        return "DELETE FROM outbox_folded WHERE table_name = " + quote_text(table.name) + " AND pk = " + pk(side) + (where.empty() ? "" : " AND " + where) + "; ";
    }
    /// Key and folded columns; the row gets the newest number, so a reader meets it again.
    std::string fold(std::string const& where) const {
        std::vector<outbox_column> said;
        for (auto const& c : columns)
            if (std::find(key.begin(), key.end(), c.name) != key.end() || std::find(table.folded.begin(), table.folded.end(), c.name) != table.folded.end()) said.push_back(c);
        return forget_folded("NEW", where) + "INSERT INTO outbox_folded(table_name, pk, row, at_ms) SELECT " + quote_text(table.name) + ", " + pk("NEW") + ", " +
               row_json_sql(said, "NEW") + ", airmail_wall_ms() WHERE " + where + "; ";
    }
    std::string differ(std::vector<std::string> const& names) const {
        std::string out;
        for (auto const& n : names)
            out += (out.empty() ? "" : " OR ") + ("OLD." + quote_name(n)) + " IS NOT NEW." + quote_name(n);
        return out;
    }
};

/// With no destination there is nobody to tell: a row costs more than the change that it tells of.
constexpr char wanted[] = "EXISTS (SELECT 1 FROM airmail_outbox_cursors)";

std::string trigger_name(std::string_view table, char const* when) { return "airmail_outbox_" + std::string(table) + "_" + when; }

// Written again only when it differs: a changed schema makes every prepared statement compile again.
void put_trigger(sqlite::db& d, std::string const& name, std::string const& body) {
    std::string sql = "CREATE TRIGGER " + quote_name(name) + " " + body;
    auto there = d.exec("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", {name});
    if (!there.empty() && std::get<std::string>(there[0][0]) == sql) return;
    d.exec("DROP TRIGGER IF EXISTS " + quote_name(name));
    d.exec(sql);
}

std::string json_list(std::vector<std::string> const& names) {
    std::string out = "[";
    for (auto const& n : names) {
        out += out.size() > 1 ? ",\"" : "\"";
        for (char c : n) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        out += '"';
    }
    return out + "]";
}

/// What the triggers say of an update: a moved key is a delete and an insert; folded columns alone are folded.
std::string on_update(writer const& w) {
    std::vector<std::string> rest;
    for (auto const& c : w.columns)
        if (std::find(w.table.folded.begin(), w.table.folded.end(), c.name) == w.table.folded.end()) rest.push_back(c.name);
    std::string moved = w.differ(w.key), full = "NOT (" + moved + ")", folded;
    if (!w.table.folded.empty()) {
        full = "(" + w.differ(rest) + ") AND " + full;
        folded = w.fold("NOT (" + w.differ(rest) + ")");
    }
    return w.insert('D', "OLD", moved) + " " + w.insert('I', "NEW", moved) + " " + w.insert('U', "NEW", full) + " " + folded;
}

}

void install_outbox_triggers(sqlite::db& d, outbox_table const& t) {
    writer w{t, outbox_columns(d, t.name), {}, t.device_column};
    w.key = key_of(t, w.columns);
    for (auto const* usual : {"serial_no", "device_id"})
        if (w.device.empty() && has(w.columns, usual)) w.device = usual;
    if (!w.device.empty() && !has(w.columns, w.device)) refuse("table " + t.name + " has no column " + w.device);

    std::vector<std::string> all;
    for (auto const& c : w.columns) all.push_back(c.name);
    std::string table = quote_name(t.name);
    sqlite::savepoint step(d, "outbox_triggers");
    put_trigger(d, trigger_name(t.name, "insert"), "AFTER INSERT ON " + table + " WHEN " + wanted + " BEGIN " + w.insert('I', "NEW") + " END");
    put_trigger(d, trigger_name(t.name, "update"), "AFTER UPDATE ON " + table + " WHEN " + wanted + " AND (" + w.differ(all) + ") BEGIN " + on_update(w) + "END");
    put_trigger(d, trigger_name(t.name, "delete"), "AFTER DELETE ON " + table + " WHEN " + wanted + " BEGIN " + w.insert('D', "OLD") + " " + w.forget_folded("OLD") + "END");
    d.exec("INSERT INTO airmail_outbox_tables(table_name, primary_key, folded, version, built_in) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(table_name) DO UPDATE SET "
           "primary_key = ?2, folded = ?3, version = ?4, built_in = ?5 WHERE (primary_key, folded, version, built_in) IS NOT (?2, ?3, ?4, ?5)",
           {t.name, json_list(w.key), json_list(t.folded), t.version, std::int64_t{t.built_in}});
    step.release();
}

void remove_outbox_triggers(sqlite::db& d, std::string_view table) {
    for (auto const* when : {"insert", "update", "delete"}) d.exec("DROP TRIGGER IF EXISTS " + quote_name(trigger_name(table, when)));
    d.exec("DELETE FROM airmail_outbox_tables WHERE table_name = ?", {std::string(table)});
}

}
