#pragma once
// Values on their way in (literals, variables) and out (leaves): specification sections 3.5 to 3.12, 6.1.2, 6.4.1. Pure.

#include "plugins/dashboard/graphql/schema.hpp"

#include <boost/json/object.hpp>
#include <optional>

namespace airmail::dashboard::graphql {

/// Our scalar Time inside the house is unix seconds; outside it is RFC 3339 in UTC.
std::string time_text(std::int64_t unix_seconds);
/// RFC 3339 with any offset; nullopt for anything else.
std::optional<std::int64_t> parse_time(std::string_view text);

/// A literal of type `t`; nullopt when it does not fit. `variables`: coerced ones, may be null where none are allowed.
/// A variable that was not given makes its member (or the whole) absent: then `absent` is set and the value is null.
std::optional<boost::json::value> coerce_literal(ast_value const& v, type_use const& t, boost::json::object const* variables, bool* absent = nullptr);
/// Does a literal fit? Variables count as fitting (validation looks at their types). On failure `why` is one sentence.
bool literal_fits(ast_value const& v, type_use const& t, std::string& why);
/// A JSON value given for a variable; on failure nullopt and `why` with the path inside the value.
std::optional<boost::json::value> coerce_variable(boost::json::value const& v, type_use const& t, std::string& why);
/// The variables of one operation, defaults taken in.
std::optional<boost::json::object> coerce_variables(schema const& s, operation const& o, boost::json::object const& given, std::vector<request_error>& errors);
/// Arguments of a field or directive; `why` when a required one is null or absent.
std::optional<boost::json::object> coerce_arguments(std::vector<input_def> const& wanted, std::vector<ast_argument> const& given, boost::json::object const& variables, std::string& why);

/// A leaf as the answer shows it; nullopt when the house gave something that does not fit the type.
std::optional<boost::json::value> leaf(boost::json::value const& v, type_def const& t);

/// The type of a variable definition, when all its names are known and of input kind.
std::optional<type_use> input_type(schema const& s, type_ref const& r);
/// The type one wrapper further in.
type_use item_of(type_use const& t);
type_use nullable(type_use t);

}
