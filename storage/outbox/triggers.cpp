#include "storage/outbox/outbox.hpp"

#include <algorithm>

namespace airmail::storage {

namespace {

using sqlite::quote_name;

struct column {
    std::string name;
    bool is_blob = false;
    std::int64_t key = 0;                  // position in the declared primary key, 0 = not part of it
};

std::string quote_text(std::string_view s) {
    std::string out = "'";
    for (char c : s) {
        if (c == '\'') out += '\'';
        out += c;
    }
    return out + "'";
}

[[noreturn]] void refuse(std::string const& what) { throw sqlite::error(1, "outbox: " + what, {}); }

std::vector<column> columns_of(sqlite::db& d, std::string const& table) {
    std::vector<column> out;
    for (auto& r : d.exec("SELECT name, upper(type), pk FROM pragma_table_info(?) ORDER BY cid", {table})) {
        auto const& type = std::get<std::string>(r[1]);
        out.push_back({std::get<std::string>(r[0]), type.find("BLOB") != std::string::npos, std::get<std::int64_t>(r[2])});
    }
    if (out.empty()) refuse("there is no table " + table);
    return out;
}

bool has(std::vector<column> const& columns, std::string_view name) {
    return std::any_of(columns.begin(), columns.end(), [&](column const& c) { return c.name == name; });
}

std::vector<std::string> key_of(outbox_table const& t, std::vector<column> columns) {
    auto key = t.primary_key;
    if (key.empty()) {
        std::stable_sort(columns.begin(), columns.end(), [](column const& a, column const& b) { return a.key < b.key; });
        for (auto const& c : columns)
            if (c.key) key.push_back(c.name);
    }
    if (key.empty()) refuse("table " + t.name + " has no primary key");
    for (auto const& k : key)
        if (!has(columns, k)) refuse("table " + t.name + " has no column " + k);
    return key;
}

// json_object refuses blobs; and without json() around it the CASE would lose what makes it an object.
std::string as_json(column const& c, std::string const& side) {
    std::string v = side + "." + quote_name(c.name);
    if (!c.is_blob) return v;
    return "json(CASE WHEN " + v + " IS NULL THEN 'null' ELSE json_object('$blob', lower(hex(" + v + "))) END)";
}

struct writer {
    outbox_table const& table;
    std::vector<column> columns;
    std::vector<std::string> key;
    std::string device;

    std::string pk(std::string const& side) const {
        std::string out;
        for (auto const& k : key) {
            auto c = std::find_if(columns.begin(), columns.end(), [&](column const& x) { return x.name == k; });
            out += (out.empty() ? "json_array(" : ", ") + as_json(*c, side);
        }
        return out + ")";
    }
    std::string row(std::string const& side) const {
        std::string out;
        for (auto const& c : columns) out += (out.empty() ? "json_object(" : ", ") + quote_text(c.name) + ", " + as_json(c, side);
        return out + ")";
    }
    std::string insert(char op, std::string const& side, std::string const& where = {}) const {
        std::string whose = device.empty() ? "''" : "coalesce(CAST(" + side + "." + quote_name(device) + " AS TEXT), '')";
        return "INSERT INTO outbox(node_id, table_name, pk, op, row, device, at_ms, traceparent) SELECT airmail_node_id(), " +
               quote_text(table.name) + ", " + pk(side) + ", '" + op + "', " + (op == 'D' ? "NULL" : row(side)) + ", " + whose +
               ", airmail_wall_ms(), airmail_traceparent()" + (where.empty() ? "" : " WHERE " + where) + ";";
    }
    std::string differ(std::vector<std::string> const& names) const {
        std::string out;
        for (auto const& n : names)
            out += (out.empty() ? "" : " OR ") + ("OLD." + quote_name(n)) + " IS NOT NEW." + quote_name(n);
        return out;
    }
};

std::string trigger_name(std::string_view table, char const* when) { return "airmail_outbox_" + std::string(table) + "_" + when; }

// Written again only when it differs: a changed schema makes every prepared statement compile again.
void put_trigger(sqlite::db& d, std::string const& name, std::string const& body) {
    std::string sql = "CREATE TRIGGER " + quote_name(name) + " " + body;
    auto there = d.exec("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", {name});
    if (!there.empty() && std::get<std::string>(there[0][0]) == sql) return;
    d.exec("DROP TRIGGER IF EXISTS " + quote_name(name));
    d.exec(sql);
}

}

void install_outbox_triggers(sqlite::db& d, outbox_table const& t) {
    writer w{t, columns_of(d, t.name), {}, t.device_column};
    w.key = key_of(t, w.columns);
    if (w.device.empty() && has(w.columns, "device_id")) w.device = "device_id";
    if (!w.device.empty() && !has(w.columns, w.device)) refuse("table " + t.name + " has no column " + w.device);

    std::vector<std::string> all;
    for (auto const& c : w.columns) all.push_back(c.name);
    std::string table = quote_name(t.name);
    std::string moved = w.differ(w.key);
    sqlite::savepoint step(d, "outbox_triggers");
    put_trigger(d, trigger_name(t.name, "insert"), "AFTER INSERT ON " + table + " BEGIN " + w.insert('I', "NEW") + " END");
    put_trigger(d, trigger_name(t.name, "update"),
                "AFTER UPDATE ON " + table + " WHEN " + w.differ(all) + " BEGIN " + w.insert('D', "OLD", moved) + " " +
                    w.insert('I', "NEW", moved) + " " + w.insert('U', "NEW", "NOT (" + moved + ")") + " END");
    put_trigger(d, trigger_name(t.name, "delete"), "AFTER DELETE ON " + table + " BEGIN " + w.insert('D', "OLD") + " END");
    step.release();
}

void remove_outbox_triggers(sqlite::db& d, std::string_view table) {
    for (auto const* when : {"insert", "update", "delete"}) d.exec("DROP TRIGGER IF EXISTS " + quote_name(trigger_name(table, when)));
}

}
