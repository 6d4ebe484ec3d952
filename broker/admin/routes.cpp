#include "broker/admin/routes.hpp"

#include "acl/api_key.hpp"

namespace airmail::admin {
namespace {

int rank(std::string_view role) {
    if (role == "admin") return 3;
    if (role == "operator") return 2;
    if (role == "viewer") return 1;
    return 0;
}

plan refused(plan p, response r) {
    p.refuse = true;
    p.refusal = std::move(r);
    return p;
}

}

bool role_suffices(std::string_view has, std::string_view needs) { return needs.empty() || (rank(needs) > 0 && rank(has) >= rank(needs)); }

plan decide(backend& b, request const& r) {
    plan p;
    p.match = b.match(r.verb, r.path);
    using kind = route_match::kind;
    bool const open = p.match.what == kind::plugin_route && p.match.role.empty() && !p.match.inside;
    if (r.from == door::public_https && !open)  // the same answer for what exists and what does not: nothing to map out
        return refused(std::move(p), problem(404, "http.not_found", "nothing is served at this path on this address", r.request_id));
    if (p.match.what == kind::none) return refused(std::move(p), problem(404, "http.not_found", "no such path: " + r.path, r.request_id));
    if (p.match.what == kind::wrong_verb) {
        auto answer = problem(405, "http.method_not_allowed", r.verb + " is not answered here; allowed: " + p.match.verbs, r.request_id);
        answer.headers = "Allow: " + p.match.verbs + "\r\n";
        return refused(std::move(p), std::move(answer));
    }
    p.needs_login = (!p.match.role.empty() || p.match.inside) && r.role.empty();
    return p;
}

plan admit(plan p, request const& r) {
    if (role_suffices(r.role, p.match.role)) {
        if (p.match.role.empty() || acl::in_scope(r.scope, p.match.name)) return p;
        return refused(std::move(p), problem(403, "http.out_of_scope", "this key is only for " + r.scope + "; it may not call " + p.match.name, r.request_id));
    }
    if (r.role.empty()) {
        auto answer = problem(401, "http.unauthorized", "this path needs an API key: Authorization: Bearer am_...  (airmailctl key create)", r.request_id);
        answer.headers = "WWW-Authenticate: Bearer realm=\"airmail\"\r\n";
        return refused(std::move(p), std::move(answer));
    }
    auto why = "role " + r.role + " may not do this; it needs " + p.match.role;
    return refused(std::move(p), problem(403, "http.forbidden", why, r.request_id));
}

response health(backend& b, request const& r) {
    response out;
    out.content_type = "text/plain; charset=utf-8";
    if (r.path == "/metrics") {
        out.content_type = "text/plain; version=0.0.4; charset=utf-8";
        out.body = b.metrics();
    } else if (r.path == "/healthz") {
        out.body = "ok\n";
    } else if (r.path == "/readyz") {
        out.body = b.not_ready();
        out.status = out.body.empty() ? 200 : 503;
        if (out.body.empty()) {
            out.body = "ready\n";
            auto const less = b.degraded();
            for (std::size_t at = 0; at < less.size();) {
                auto const end = std::min(less.find('\n', at), less.size());
                out.body += "degraded: " + less.substr(at, end - at) + "\n";
                at = end + 1;
            }
        }
    } else {
        return problem(404, "http.not_found", "this address serves /metrics, /healthz and /readyz", r.request_id);
    }
    return out;
}

}
