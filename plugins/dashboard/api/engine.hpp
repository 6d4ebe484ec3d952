#pragma once
// One GraphQL request from text to answer: limits, parse, validation, roles, execution. Used by POST, GET and the WebSocket. One object,
// shared by threads; the thread brings its reader.

#include "plugins/dashboard/api/latency.hpp"
#include "plugins/dashboard/api/resolvers.hpp"
#include "plugins/dashboard/graphql/limits.hpp"

#include <atomic>

namespace airmail::dashboard {

/// A request that passed every check and waits to be executed.
struct prepared {
    graphql::document doc;
    graphql::operation const* op = nullptr;         // into doc
    boost::json::object variables;                  // coerced
    std::string name;                               // for metrics: the first root field
};

/// `fatal`: nothing was executed (HTTP 4xx for graphql-response+json).
struct gql_reply { boost::json::object body; bool fatal = false; };

class engine {
public:
    engine(shared& s, graphql::limits l);

    /// Checks everything that can be checked before resolving; errors otherwise. `p` is filled when there are none.
    std::vector<graphql::request_error> prepare(std::string const& query, std::string const& operation_name, boost::json::object const& variables, sdk::web_who const& who, prepared& p) const;
    /// Executes; also counts the time.
    gql_reply execute(prepared const& p, resolvers& house);
    static gql_reply failure(std::vector<graphql::request_error> const& errors);

    shared& common() { return s_; }
    latency& times() { return times_; }
    std::uint64_t refused() const { return refused_.load(); }

private:
    shared& s_;
    graphql::schema schema_;
    graphql::limits limits_;
    latency times_;
    mutable std::atomic<std::uint64_t> refused_{0};
};

}
