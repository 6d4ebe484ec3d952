#pragma once
// Field selection merging (specification 5.3.2). Our schema has no abstract types, so all selections of one set stand on one
// type, sameness is transitive, and one pass per response name decides: linear instead of quadratic.

#include "plugins/dashboard/graphql/schema.hpp"

namespace airmail::dashboard::graphql {

/// All fields of a set with its fragments, grouped by response name in order of appearance; directives are not looked at.
/// The document must have no fragment cycle.
std::vector<std::vector<selection const*>> collect_all(document const& d, std::vector<selection> const& set);

/// The first field of a set, through its fragments: the one root field of a subscription.
selection const& collect_root(document const& d, std::vector<selection> const& set);

/// Appends one error per response name that stands for two different things.
void check_merging(schema const& s, document const& d, std::vector<selection> const& set, type_def const& on, std::vector<request_error>& errors);

}
