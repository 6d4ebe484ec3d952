#pragma once
// What a request may ask for, before anything of it is resolved (catalogue J01). Every measure is linear in the document, however
// its fragments multiply: a fragment is measured once. Pure.

#include "plugins/dashboard/graphql/schema.hpp"

namespace airmail::dashboard::graphql {

/// Bounds; directives http_graphql_*.
struct limits {
    int depth = 8, introspection_depth = 15, aliases = 20;
    std::int64_t cost = 2000, page = 200;
    std::int64_t fields = 4000;       // after fragments are expanded
};

struct measure {
    std::int64_t fields = 0, aliases = 0, cost = 0, page = 0;   // page: the largest asked for
    int depth = 0;
    bool introspects = false;         // asks __schema or __type
    bool introspects_deeply = false;  // lists of types inside lists of types, three deep: nobody needs it
    bool cyclic = false;              // fragments; validation refuses it by name
};

/// Cost: 1 for each object, times the page of each list it stands in (`first`, `limit`; 10 for a list without one); scalars are free.
measure measure_of(schema const& s, document const& d, operation const& o, boost::json::object const* variables);

/// What is too much; empty code = nothing. `structure` leaves cost and page out (variables are not known yet).
request_error over(limits const& l, measure const& m, bool structure);

}
