#pragma once
// Section 4 of the specification: the schema as its own data. A __Type is the text of a type ("[Device!]!"), a field
// {"t": type, "f": field}, an argument or input field {"t","f"?,"i"}, an enumeration's word {"t","w"}, a directive {"d"}. Pure.

#include "plugins/dashboard/graphql/schema.hpp"

#include <boost/json/object.hpp>

namespace airmail::dashboard::graphql {

/// A field of an introspection type, or __schema and __type of the root.
boost::json::value introspect(schema const& s, type_def const& on, field_def const& f, boost::json::value const& parent, boost::json::object const& arguments);

}
