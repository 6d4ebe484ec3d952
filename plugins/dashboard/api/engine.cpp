#include "plugins/dashboard/api/engine.hpp"

#include "plugins/dashboard/graphql/schema_text.hpp"
#include "plugins/dashboard/graphql/validate.hpp"
#include "plugins/dashboard/graphql/values.hpp"

#include <chrono>
#include <cstdio>

namespace airmail::dashboard {

namespace json = boost::json;
using graphql::request_error;

engine::engine(shared& s, graphql::limits l) : s_(s), schema_(graphql::schema_text()), limits_(l) {}

std::vector<request_error> engine::prepare(std::string const& query, std::string const& operation_name, json::object const& variables, sdk::web_who const& who, prepared& p) const {
    auto refuse = [&](std::vector<request_error> errors) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return errors;
    };
    auto parsed = graphql::parse(query);
    if (auto* e = std::get_if<request_error>(&parsed)) return refuse({std::move(*e)});
    p.doc = std::move(std::get<graphql::document>(parsed));
    // Structure first, so that no later step walks a document that multiplies itself.
    for (auto const& o : p.doc.operations) {
        auto m = graphql::measure_of(schema_, p.doc, o, nullptr);
        if (auto e = graphql::over(limits_, m, true); !e.code.empty()) return refuse({std::move(e)});
        if (m.introspects && rank(who.role) < rank("operator")) return refuse({{"Introspection needs the role operator.", {o.at}, "auth.forbidden"}});
    }
    if (auto errors = graphql::validate(schema_, p.doc); !errors.empty()) return refuse(std::move(errors));
    for (auto const& o : p.doc.operations)
        if (operation_name.empty() ? p.doc.operations.size() == 1 : o.name == operation_name) p.op = &o;
    if (!p.op) return refuse({{operation_name.empty() ? "Must provide operation name if query contains multiple operations." : "Unknown operation named \"" + operation_name + "\".", {}, "graphql.no_operation"}});
    std::vector<request_error> errors;
    auto coerced = graphql::coerce_variables(schema_, *p.op, variables, errors);
    if (!coerced) return refuse(std::move(errors));
    p.variables = std::move(*coerced);
    if (auto e = graphql::over(limits_, graphql::measure_of(schema_, p.doc, *p.op, &p.variables), false); !e.code.empty()) return refuse({std::move(e)});
    auto const* first = &p.op->set.front();
    while (first->what != graphql::selection::kind::field) {
        auto const* inside = first->what == graphql::selection::kind::spread ? &p.doc.find(first->name)->set : &first->set;
        first = &inside->front();
    }
    p.name = first->name;
    return {};
}

gql_reply engine::execute(prepared const& p, resolvers& house) {
    auto const began = std::chrono::steady_clock::now();
    auto out = graphql::execute(schema_, p.doc, *p.op, p.variables, house);
    times_.observe(p.name, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(), !out.errors.empty());
    gql_reply r;
    if (!out.errors.empty()) r.body["errors"] = std::move(out.errors);
    r.body["data"] = std::move(out.data);
    return r;
}

gql_reply engine::failure(std::vector<request_error> const& errors) {
    json::array list;
    for (auto const& e : errors) list.push_back(graphql::error_json(e));
    return {{{"errors", std::move(list)}}, true};
}

std::string latency::exposition() const {
    std::lock_guard hold(lock_);
    std::string out = "# HELP airmail_dashboard_operation_seconds Time to execute a GraphQL operation, by its root field.\n# TYPE airmail_dashboard_operation_seconds histogram\n";
    char number[64];
    for (auto const& [name, o] : all_) {
        for (std::size_t i = 0; i < bounds.size(); ++i) {
            std::snprintf(number, sizeof number, "%g", bounds[i]);
            out += "airmail_dashboard_operation_seconds_bucket{operation=\"" + name + "\",le=\"" + number + "\"} " + std::to_string(o.buckets[i]) + "\n";
        }
        out += "airmail_dashboard_operation_seconds_bucket{operation=\"" + name + "\",le=\"+Inf\"} " + std::to_string(o.count) + "\n";
        std::snprintf(number, sizeof number, "%.9g", o.sum);
        out += "airmail_dashboard_operation_seconds_sum{operation=\"" + name + "\"} " + number + "\n";
        out += "airmail_dashboard_operation_seconds_count{operation=\"" + name + "\"} " + std::to_string(o.count) + "\n";
    }
    out += "# HELP airmail_dashboard_operation_errors_total Operations that answered with errors, by root field.\n# TYPE airmail_dashboard_operation_errors_total counter\n";
    for (auto const& [name, o] : all_) out += "airmail_dashboard_operation_errors_total{operation=\"" + name + "\"} " + std::to_string(o.failed) + "\n";
    return out;
}

}
