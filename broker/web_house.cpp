#include "broker/web_house.hpp"

#include "acl/api_key.hpp"
#include "broker/admin/routes.hpp"
#include "broker/config/directives.hpp"
#include "broker/house_paths.hpp"
#include "broker/log/log.hpp"
#include "broker/upload_paths.hpp"
#include "broker/version.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace airmail {
namespace {

std::string problem_json(std::string_view code, std::string const& detail) { return boost::json::serialize(boost::json::object{{"code", code}, {"detail", detail}}); }

/// A path to a key is no secret; a password in the configuration is.
bool secret(std::string_view key) { return key.find("password") != key.npos && key.find("file") == key.npos; }

}

void web_house::call(std::string_view method, std::string params, sdk::web_who const& who, std::string const& request_id, sdk::web_answer done) {
    auto const* found = p_.host.methods().find(method);
    // Without a path a method is between plugins, whatever role somebody has.
    if (!found || found->what.path.empty()) return done(404, problem_json("host.no_such_method", "no method " + std::string(method)));
    if (!acl::in_scope(who.scope, found->what.name)) return done(403, problem_json("http.out_of_scope", "this key is only for " + who.scope));
    p_.host.call(*found, std::move(params), {who.name, who.role, request_id, {}, 0}, std::move(done));
}

void web_house::rest(std::string verb, std::string path, std::string query, std::string body, sdk::web_who const& who, std::string const& request_id, sdk::web_answer done) {
    auto const m = p_.house.match(verb, path);
    if (m.what != admin::route_match::kind::method) return done(404, problem_json("http.not_found", "no such path"));
    if (!admin::role_suffices(who.role, m.role)) return done(403, problem_json("auth.forbidden", "role " + who.role + " may not do this; it needs " + m.role));
    if (!acl::in_scope(who.scope, m.name)) return done(403, problem_json("http.out_of_scope", "this key is only for " + who.scope));
    admin::request r;
    r.verb = std::move(verb), r.path = std::move(path), r.query = std::move(query), r.body = std::move(body);
    r.caller = who.name, r.role = who.role, r.request_id = request_id;
    p_.on_http_thread([this, m, r = std::move(r), done = std::move(done)]() mutable {
        p_.house.serve(m, std::move(r), [done = std::move(done)](admin::response a) { done(a.status, std::move(a.body)); });
    });
}

std::optional<sdk::web_who> web_house::key(std::string const& token) {
    auto found = p_.house.authenticate(token);
    if (!found) return std::nullopt;
    return sdk::web_who{found->name, found->role, "key", found->scope};
}

std::vector<sdk::web_method> web_house::methods() const {
    std::vector<sdk::web_method> out;
    for (auto const* m : p_.host.methods().all()) out.push_back({m->what.name, m->what.role, m->what.verb, m->what.path, m->what.doc});
    for (auto& m : p_.house.methods()) out.push_back(std::move(m));
    for (auto& m : upload_paths::methods()) out.push_back(std::move(m));
    return out;
}

web_house::web_house(parts p, config::config const& settings) : p_(std::move(p)) {
    for (auto const& d : config::directives()) {
        if (d.where == config::scope::listener || !d.same_as.empty() || d.status == config::standing::ignored) continue;
        auto value = secret(d.name) ? std::string(settings.written(d.name) ? "..." : "") : settings.as_written(d.name);
        settings_.push_back({std::string(d.name), std::move(value), std::string(d.unit), std::string(d.doc), settings.written(d.name)});
        switch (d.kind) {
        case config::type::count: numbers_.emplace(d.name, settings.number(d.name)); break;
        case config::type::size: numbers_.emplace(d.name, static_cast<std::int64_t>(settings.size(d.name))); break;
        case config::type::duration: numbers_.emplace(d.name, std::chrono::duration_cast<std::chrono::seconds>(settings.duration(d.name)).count()); break;
        default: break;
        }
    }
}

std::string web_house::version() const { return airmail::version; }
std::int64_t web_house::number(std::string_view key, std::int64_t otherwise) const {
    auto at = numbers_.find(key);
    return at == numbers_.end() ? otherwise : at->second;
}

void web_house::log(int level, std::string const& text) {
    if (level >= 3) log::error("dashboard", {}, "{}", text);
    else if (level == 2) log::warn("dashboard", {}, "{}", text);
    else log::info("dashboard", {}, "{}", text);
}

}
