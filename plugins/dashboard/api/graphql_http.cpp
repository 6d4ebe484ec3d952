// GraphQL over HTTP (the draft specification of that name): POST with JSON, GET for queries, two media types.
#include "plugins/dashboard/api/service.hpp"

#include "acl/api_key.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::dashboard {

namespace json = boost::json;

namespace {

constexpr std::string_view modern = "application/graphql-response+json", plain = "application/json";

/// Empty: none of what is accepted can be given.
std::string_view media_type(std::string_view accept) {
    if (accept.empty()) return plain;
    if (accept.find(modern) != accept.npos) return modern;
    for (std::string_view any : {plain, std::string_view{"*/*"}, std::string_view{"application/*"}})
        if (accept.find(any) != accept.npos) return plain;
    return {};
}

struct ask { std::string query, operation; json::object variables; };

/// `why` says what is wrong with the parameters; they are 400 in both media types.
std::optional<ask> parameters(sdk::web_request const& r, std::string& why, int& status) {
    ask out;
    status = 400;
    boost::system::error_code ec;
    json::value v;
    if (r.verb == "GET") {
        json::object o;
        for (auto key : {"query", "operationName", "variables", "extensions"})
            if (auto text = query_parameter(r.query, key); !text.empty()) o[key] = text;
        for (auto key : {"variables", "extensions"})
            if (auto* x = o.if_contains(key)) {
                auto parsed = json::parse(text_of(*x), ec);
                if (ec) return why = std::string{key} + " is no JSON.", std::nullopt;
                *x = parsed;
            }
        v = std::move(o);
    } else {
        auto type = header(r, "content-type");
        if (type.substr(0, plain.size()) != plain) return status = 415, why = "The Content-Type must be application/json.", std::nullopt;
        v = json::parse(r.body, ec, {}, {.max_depth = 64});
        if (ec) return why = "The body is no JSON.", std::nullopt;
    }
    auto const* o = v.if_object();
    if (!o) return why = "The body must be one JSON object; lists of requests are not answered.", std::nullopt;
    auto const* query = o->if_contains("query");
    if (!query || !query->is_string()) return why = "The parameter query must be a text.", std::nullopt;
    auto const* name = o->if_contains("operationName");
    if (name && !name->is_null() && !name->is_string()) return why = "The parameter operationName must be a text.", std::nullopt;
    auto const* variables = o->if_contains("variables");
    if (variables && !variables->is_null() && !variables->is_object()) return why = "The parameter variables must be an object.", std::nullopt;
    auto const* extensions = o->if_contains("extensions");
    if (extensions && !extensions->is_null() && !extensions->is_object()) return why = "The parameter extensions must be an object.", std::nullopt;
    out.query = text_of(*query), out.operation = name ? text_of(*name) : std::string{};
    if (variables && variables->is_object()) out.variables = variables->get_object();
    return out;
}

}

void service::serve_graphql(sdk::web_request r, reply_fn done) {
    auto type = media_type(header(r, "accept"));
    auto answer = [type, id = r.request_id, done](int status, json::object body, std::string headers = {}) {
        sdk::web_reply out;
        out.status = status, out.content_type = std::string{type.empty() ? plain : type} + "; charset=utf-8", out.headers = "Cache-Control: no-store\r\n" + headers;
        if (body.contains("errors")) body["extensions"] = json::object{{"request_id", id}};
        out.body = json::serialize(body);
        done(std::move(out));
    };
    auto fail = [answer](int status, std::string message, std::string code, std::string headers = {}) {
        answer(status, engine::failure({{std::move(message), {}, std::move(code)}}).body, std::move(headers));
    };
    if (type.empty()) return fail(406, "Accept application/graphql-response+json or application/json.", "http.not_acceptable");
    if (!same_origin(r)) return fail(403, "Another site's page asked for this.", "auth.foreign_origin");
    if (rank(r.who.role) == 0) return fail(401, "Log in, or give an API key: Authorization: Bearer ...", "auth.unauthorized", "WWW-Authenticate: Bearer realm=\"airmail\"\r\n");
    if (!r.who.scope.empty() && !acl::in_scope(r.who.scope, "graphql")) return fail(403, "This key is only for " + r.who.scope + ".", "http.out_of_scope");
    if (too_fast(r.who, r.peer)) return fail(429, "Too many requests; wait a second.", "http.too_many_requests", "Retry-After: 1\r\n");
    auto asked = std::make_shared<sdk::web_request>(std::move(r));
    bool taken = work([this, asked, type, answer, fail](reader& db) {
        std::string why;
        int status = 400;
        auto p = parameters(*asked, why, status);
        if (!p) return fail(status, why, "graphql.bad_request");
        prepared what;
        if (auto errors = engine_->prepare(p->query, p->operation, p->variables, asked->who, what); !errors.empty()) {
            // In the older media type a document that is wrong is an answer like any other; one that asks too much never is.
            auto const& code = errors.front().code;
            bool const document = code == "graphql.syntax" || code == "graphql.invalid" || code == "graphql.bad_variable" || code == "graphql.no_operation";
            return answer(type == plain && document ? 200 : 400, engine::failure(errors).body);
        }
        if (what.op->what == graphql::operation_kind::subscription) return fail(400, "Subscriptions are served on the WebSocket at this path.", "graphql.no_websocket");
        if (asked->verb == "GET" && what.op->what != graphql::operation_kind::query) return fail(405, "GET may only read; send this by POST.", "http.method_not_allowed", "Allow: POST\r\n");
        resolvers house(*shared_, db, asked->who, asked->request_id, asked->peer);
        answer(200, engine_->execute(what, house).body);
    });
    if (!taken) fail(503, "Too many requests wait; try again in a second.", "host.busy", "Retry-After: 1\r\n");
}

}
