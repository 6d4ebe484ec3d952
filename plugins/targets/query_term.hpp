#pragma once
// One comparison, its values read by the kind of its field. Shared by query.cpp (in RAM) and query_sql.cpp; nobody else includes it.

#include "plugins/targets/fields.hpp"
#include "plugins/targets/query.hpp"
#include "plugins/targets/time_point.hpp"

#include <variant>

namespace airmail::plugins::targets {

/// A version as it was written: one that orders, a range ("<1.1.0 >=1.0"), or a text with wildcards.
struct version_value {
    literal text;
    std::optional<storage::firmware::version> version;
    std::optional<storage::firmware::version_range> range;
};

struct query::term {
    selector of;
    op what = op::eq;                                       // never ne or out: `negative` turns the answer around
    bool negative = false;
    std::vector<literal> values;
    std::vector<version_value> versions;
    std::vector<time_point> times;
    std::vector<std::int64_t> numbers;                      // of numbers and flags
};

/// ASCII, as SQLite's NOCASE and LIKE fold.
std::string folded(std::string_view s);
/// The whole of `text` against pieces with anything between them.
bool like(std::string_view text, literal const& pattern, bool any_case);
/// `order` = text against value; false for op::eq and its kin, which have their own functions.
bool in_order(op what, std::strong_ordering order);
bool version_holds(query::term const& t, std::string_view version);
/// A JSON number, blanks around it allowed; as SQLite's json_type sees it.
std::optional<double> as_number(std::string_view s);

}
