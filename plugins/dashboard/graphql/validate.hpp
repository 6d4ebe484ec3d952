#pragma once
// Section 5 of the specification: is a request's document valid for the schema? Linear in the document; the caller has bounded it
// (limits.hpp) before. Pure.

#include "plugins/dashboard/graphql/schema.hpp"

namespace airmail::dashboard::graphql {

/// Every rule of section 5; at most 50 errors. Empty = valid.
std::vector<request_error> validate(schema const& s, document const& d);

}
