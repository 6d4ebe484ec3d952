#include "storage/outbox/row_sql.hpp"

#include <algorithm>

namespace airmail::storage {

using sqlite::quote_name;

std::string quote_text(std::string_view s) {
    std::string out = "'";
    for (char c : s) {
        if (c == '\'') out += '\'';
        out += c;
    }
    return out + "'";
}

std::vector<outbox_column> outbox_columns(sqlite::db& d, std::string const& table) {
    std::vector<outbox_column> out;
    for (auto& r : d.exec("SELECT name, upper(type), \"notnull\", pk FROM pragma_table_info(?) ORDER BY cid", {table})) {
        auto const& type = std::get<std::string>(r[1]);
        out.push_back({std::get<std::string>(r[0]), type, type.find("BLOB") != std::string::npos, std::get<std::int64_t>(r[2]) != 0, std::get<std::int64_t>(r[3])});
    }
    if (out.empty()) throw sqlite::error(1, "outbox: there is no table " + table, {});
    return out;
}

namespace {

// json_object refuses blobs; and without json() around it the CASE would lose what makes it an object.
std::string as_json(outbox_column const& c, std::string const& side) {
    std::string v = side + "." + quote_name(c.name);
    if (!c.is_blob) return v;
    return "json(CASE WHEN " + v + " IS NULL THEN 'null' ELSE json_object('$blob', lower(hex(" + v + "))) END)";
}

}

std::string row_json_sql(std::vector<outbox_column> const& columns, std::string const& side) {
    std::string out;
    for (auto const& c : columns) out += (out.empty() ? "json_object(" : ", ") + quote_text(c.name) + ", " + as_json(c, side);
    return out + ")";
}

std::string key_json_sql(std::vector<outbox_column> const& columns, std::vector<std::string> const& key, std::string const& side) {
    std::string out;
    for (auto const& k : key) {
        auto c = std::find_if(columns.begin(), columns.end(), [&](outbox_column const& x) { return x.name == k; });
        out += (out.empty() ? "json_array(" : ", ") + as_json(*c, side);
    }
    return out + ")";
}

}
