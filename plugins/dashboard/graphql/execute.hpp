#pragma once
// Section 6 of the specification: executing one operation. The house answers field by field (`resolver`); here the answer gets its
// shape: fragments, directives, lists, nulls that travel up, errors with paths. One call is one thread's; blocks while resolvers do.

#include "plugins/dashboard/graphql/schema.hpp"

#include <functional>
#include <stdexcept>

namespace airmail::dashboard::graphql {

/// A field that could not be resolved: becomes an entry of `errors` with its path. `code`: room.errc.
class field_error : public std::runtime_error {
public:
    field_error(std::string code, std::string const& message) : std::runtime_error(message), code_(std::move(code)) {}
    std::string const& code() const { return code_; }

private:
    std::string code_;
};

/// What a resolver is told.
struct field_call {
    type_def const& on;
    field_def const& field;
    boost::json::value const& parent;
    boost::json::object const& arguments;
    /// Is this field selected below (its name, not its alias)? Saves what nobody looks at.
    std::function<bool(std::string_view name)> wants;
};

/// The house behind the schema. Values are JSON; leaves as values.hpp's leaf() wants them (Time: unix seconds, enumerations in any case).
class resolver {
public:
    virtual ~resolver() = default;
    /// Throws field_error. Called for every field but __typename and introspection.
    virtual boost::json::value resolve(field_call const& f) = 0;
};

struct outcome {
    boost::json::value data;                 // null when a required root field failed
    boost::json::array errors;
};

/// `variables`: coerced. The document is valid and within the limits.
outcome execute(schema const& s, document const& d, operation const& o, boost::json::object const& variables, resolver& house);

/// {"message","locations","extensions":{"code"}} of an error before execution.
boost::json::object error_json(request_error const& e);

}
