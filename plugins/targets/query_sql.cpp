// The same filter as a condition on `devices d`. Every value is a parameter; only names of columns and operators are text.
#include "plugins/kit/json_out.hpp"
#include "plugins/targets/query_term.hpp"

#include <algorithm>
#include <cassert>

namespace airmail::plugins::targets {

namespace {

std::string_view sign(op what) {
    switch (what) {
    case op::lt: return " < ";
    case op::le: return " <= ";
    case op::gt: return " > ";
    case op::ge: return " >= ";
    default: return " = ";
    }
}

/// LIKE's own characters, and its escape, stand for themselves.
std::string like_pattern(literal const& v) {
    std::string out;
    for (std::size_t i = 0; i < v.pieces.size(); ++i) {
        if (i) out += '%';
        for (char c : v.pieces[i]) {
            if (c == '%' || c == '_' || c == '\\') out += '\\';
            out += c;
        }
    }
    return out;
}
std::string glob_pattern(literal const& v) {
    std::string out;
    for (std::size_t i = 0; i < v.pieces.size(); ++i) {
        if (i) out += '*';
        for (char c : v.pieces[i]) c == '*' || c == '?' || c == '[' ? ((out += '[') += c) += ']' : out += c;
    }
    return out;
}

}

class sql_writer {
public:
    sql_writer(int first, std::int64_t now, std::function<std::vector<std::string>()> const& versions) : next_(first), now_(now), ask_(versions) {}

    std::string of(query::node const& n) {
        if (n.what == expression::kind::test) {
            auto s = test(*n.test);
            return n.test->negative ? "NOT coalesce(" + s + ", 0)" : "coalesce(" + s + ", 0)";
        }
        std::vector<std::string> parts;
        for (auto const& p : n.parts) parts.push_back(of(p));
        return joined(parts, n.what == expression::kind::all ? " AND " : " OR ");
    }
    std::vector<sdk::sql_value> values;

private:
    std::string put(sdk::sql_value v) { return values.push_back(std::move(v)), "?" + std::to_string(next_++); }

    /// Balanced, so that a thousand alternatives stay far below SQLite's depth of expressions.
    static std::string joined(std::vector<std::string> const& parts, char const* word) {
        assert(!parts.empty());
        std::function<std::string(std::size_t, std::size_t)> half = [&](std::size_t from, std::size_t to) -> std::string {
            if (to - from == 1) return parts[from];
            auto mid = from + (to - from) / 2;
            return "(" + half(from, mid) + word + half(mid, to) + ")";
        };
        return half(0, parts.size());
    }

    std::string test(query::term const& t) {
        bool null = t.what == op::is;
        std::string column{column_of(t.of.what)};
        switch (t.of.kind) {
        case field_kind::identity: return null ? column + " = ''" : texts(column, t, false);
        case field_kind::text: return null ? column + " = ''" : texts(column, t, true);
        case field_kind::version: return versions(column, t);
        case field_kind::time:
            if (null) return t.of.what == field::last_seen ? "d.ever_seen = 0" : "0";
            return numbers(column, t, [&](std::size_t i) { return t.times[i].at(now_); }, t.times.size());
        case field_kind::number: case field_kind::flag:
            if (null) return column + " IS NULL";
            return numbers(column, t, [&](std::size_t i) { return t.numbers[i]; }, t.numbers.size());
        case field_kind::tags:
            if (null) return "NOT EXISTS(SELECT 1 FROM device_tags t WHERE t.device_id = d.device_id)";
            return "EXISTS(SELECT 1 FROM device_tags t WHERE t.device_id = d.device_id AND " + texts("t.tag", t, true) + ")";
        case field_kind::pair: return pair(t);
        }
        return "0";
    }

    std::string texts(std::string const& column, query::term const& t, bool any_case) {
        std::string fold = any_case ? " COLLATE NOCASE" : "";
        if (t.what != op::eq && t.what != op::in) return column + std::string{sign(t.what)} + put(t.values.front().text()) + fold;
        std::vector<std::string> parts;
        kit::json_array exact;
        std::size_t exacts = 0;
        for (auto const& v : t.values) {
            if (!v.wild()) exact.add_text(v.pieces.front()), ++exacts;
            else if (any_case) parts.push_back(column + " LIKE " + put(like_pattern(v)) + " ESCAPE '\\'");
            else parts.push_back(column + " GLOB " + put(glob_pattern(v)));
        }
        if (exacts == 1 && t.values.size() == 1) return column + " = " + put(t.values.front().pieces.front()) + fold;
        if (exacts > 0) parts.push_back(column + fold + " IN (SELECT value FROM json_each(" + put(exact.str()) + "))");
        return joined(parts, " OR ");
    }

    /// The versions of the fleet that fit, by name.
    std::string versions(std::string const& column, query::term const& t) {
        if (!fleet_) fleet_ = ask_();
        kit::json_array fit;
        for (auto const& v : *fleet_)
            if (version_holds(t, v)) fit.add_text(v);
        return column + " IN (SELECT value FROM json_each(" + put(fit.str()) + "))";
    }

    template <class F>
    std::string numbers(std::string const& column, query::term const& t, F value, std::size_t count) {
        std::vector<std::string> parts;
        for (std::size_t i = 0; i < count; ++i) parts.push_back(column + std::string{sign(t.what)} + put(value(i)));
        return joined(parts, " OR ");
    }

    std::string pair(query::term const& t) {
        bool setting = t.of.what == field::setting;
        auto from = (setting ? "(SELECT 1 FROM device_configs a WHERE a.device_id = d.device_id AND a.reported = 1 AND a.config_key = "
                             : "(SELECT 1 FROM device_attributes a WHERE a.device_id = d.device_id AND a.key = ") + put(t.of.key);
        if (t.what == op::is) return "NOT EXISTS" + from + ")";
        std::string value = setting ? "a.config_value" : "a.value";
        auto wanted = t.what == op::eq || t.what == op::in ? std::nullopt : as_number(t.values.front().text());
        if (!wanted) return "EXISTS" + from + " AND " + texts(value, t, true) + ")";
        return "EXISTS" + from + " AND CASE WHEN json_valid(" + value + ") THEN json_type(" + value + ") IN ('integer', 'real') AND CAST(" + value +
               " AS REAL)" + std::string{sign(t.what)} + put(*wanted) + " ELSE 0 END)";
    }

    int next_;
    std::int64_t now_;
    std::function<std::vector<std::string>()> const& ask_;
    std::optional<std::vector<std::string>> fleet_;
};

condition query::where(int first, std::int64_t now, std::function<std::vector<std::string>()> const& versions) const {
    sql_writer w{first, now, versions};
    condition out;
    out.sql = w.of(root_), out.values = std::move(w.values);
    return out;
}

}
