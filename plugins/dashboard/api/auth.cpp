// Login, refresh, logout, the first admin, and users over REST for airmailctl.
#include "plugins/dashboard/api/service.hpp"

#include "acl/password.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::dashboard {

namespace json = boost::json;

namespace {

constexpr std::string_view cookie_name = "airmail_refresh";

std::string cookie(std::string_view all) {
    while (!all.empty()) {
        auto end = all.find(';');
        auto part = all.substr(0, end);
        while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
        if (part.size() > cookie_name.size() && part.substr(0, cookie_name.size()) == cookie_name && part[cookie_name.size()] == '=') return std::string{part.substr(cookie_name.size() + 1)};
        all = end == all.npos ? std::string_view{} : all.substr(end + 1);
    }
    return {};
}

std::string set_cookie(std::string const& value, std::int64_t life_s) {
    return "Set-Cookie: " + std::string{cookie_name} + "=" + value + "; Path=/api/v1/auth; Max-Age=" + std::to_string(life_s) + "; HttpOnly; Secure; SameSite=Strict\r\nCache-Control: no-store\r\n";
}

std::optional<json::object> body_of(sdk::web_request const& r) {
    boost::system::error_code ec;
    auto v = json::parse(r.body.empty() ? std::string_view{"{}"} : std::string_view{r.body}, ec);
    if (ec || !v.is_object()) return std::nullopt;
    return v.get_object();
}

sdk::web_reply as_json(json::object o, int status = 200) {
    sdk::web_reply r;
    r.status = status, r.body = json::serialize(o);
    return r;
}

json::object shown(user const& u) {
    return {{"user_id", u.id}, {"name", u.name}, {"role", u.role}, {"disabled", u.disabled}, {"created_at", u.created_at / 1000}, {"updated_at", u.updated_at / 1000}};
}

/// For names that nobody has: as slow as a real one, so that time tells nothing.
std::string const& decoy() {
    static std::string const hash = [] {
        auto made = acl::hash_password("nobody has this password", acl::password_scheme::argon2id);
        return made ? *made : std::string{};
    }();
    return hash;
}

}

sdk::web_reply service::logged_in(session s) {
    auto out = as_json({{"access_token", users_->access_token(s.who)}, {"expires_in", users_->token_life_s()}, {"role", s.who.role}, {"user", s.who.name}});
    out.headers = set_cookie(s.refresh, refresh_life_s);
    return out;
}

void service::login(sdk::web_request r, reply_fn done) {
    auto body = body_of(r);
    auto name = body ? text_of(*body, "user") : std::string{}, password = body ? text_of(*body, "password") : std::string{};
    if (name.empty() || password.empty() || name.size() > 64 || password.size() > password_bytes_max)
        return done(problem(422, "auth.bad_request", "needs user and password", r.request_id));
    try {
        users_->may_try(r.peer, name);
    } catch (refused const& e) { return done(problem(e, r.request_id)); }
    auto u = users_->by_name(name);
    bool taken = house_->compute([this, u, name, password, peer = r.peer, id = r.request_id, done] {
        bool const good = !acl::verify_password(u ? u->hash : decoy(), password) && u && !u->disabled;
        try {
            if (!good) {
                users_->failed(peer, name);
                house_->log(2, "login failed from " + peer);
                return done(problem(401, "auth.bad_login", "user or password is wrong", id));
            }
            users_->succeeded(peer, name);
            done(logged_in(users_->begin(*u, id)));
        } catch (refused const& e) {
            done(problem(e, id));
        } catch (std::exception const& e) { done(problem(503, "storage.sqlite", e.what(), id)); }
    });
    if (!taken) done(problem({503, "auth.busy", "too many logins are being checked", 1}, r.request_id));
}

void service::refresh(sdk::web_request r, reply_fn done) {
    auto token = cookie(r.cookie);
    bool taken = work([this, token, id = r.request_id, done](reader&) {
        try {
            if (token.size() != 64) throw refused{401, "auth.no_session", "log in again"};
            done(logged_in(users_->refresh(token, id)));
        } catch (refused const& e) {
            auto out = problem(e, id);
            out.headers += set_cookie("", 0);
            done(std::move(out));
        } catch (std::exception const& e) { done(problem(503, "storage.sqlite", e.what(), id)); }
    });
    if (!taken) done(problem({503, "host.busy", "too many requests wait", 1}, r.request_id));
}

void service::logout(sdk::web_request r, reply_fn done) {
    auto token = cookie(r.cookie);
    bool taken = work([this, token, id = r.request_id, done](reader&) {
        try {
            if (token.size() == 64) users_->end(token);
            sdk::web_reply out;
            out.status = 204, out.headers = set_cookie("", 0);
            done(std::move(out));
        } catch (std::exception const& e) { done(problem(503, "storage.sqlite", e.what(), id)); }
    });
    if (!taken) done(problem({503, "host.busy", "too many requests wait", 1}, r.request_id));
}

/// Hashes on the crypto threads, then goes on there; answers whatever goes wrong.
void service::hashed(std::string password, reply_fn done, std::string request_id, std::function<sdk::web_reply(std::string)> then) {
    try {
        people::check_password(password);
    } catch (refused const& e) { return done(problem(e, request_id)); }
    bool taken = house_->compute([password = std::move(password), done, request_id, then = std::move(then)] {
        auto made = acl::hash_password(password, acl::password_scheme::argon2id);
        if (!made) return done(problem(503, "auth.crypto", "the password could not be hashed", request_id));
        try {
            done(then(*made));
        } catch (refused const& e) {
            done(problem(e, request_id));
        } catch (std::exception const& e) { done(problem(503, "storage.sqlite", e.what(), request_id)); }
    });
    if (!taken) done(problem({503, "auth.busy", "too many logins are being checked", 1}, request_id));
}

void service::setup(sdk::web_request r, reply_fn done) {
    if (r.verb == "GET") return done(as_json({{"open", users_->nobody()}}));
    auto body = body_of(r);
    auto token = body ? text_of(*body, "token") : std::string{}, name = body ? text_of(*body, "user") : std::string{};
    try {
        users_->may_try(r.peer, "setup");
        users_->check_setup(token);
    } catch (refused const& e) {
        if (e.code == "auth.bad_setup_token") users_->failed(r.peer, "setup");
        return done(problem(e, r.request_id));
    }
    auto id = r.request_id;
    hashed(body ? text_of(*body, "password") : std::string{}, std::move(done), id,
           [this, token, name, id](std::string hash) { return logged_in(users_->begin(users_->first_admin(token, name, hash, id), id)); });
}

/// GET, POST /users; PUT /users/{name}/role|password|disabled; DELETE /users/{name}. Role admin was checked before.
void service::users_rest(sdk::web_request r, std::string const& name, std::string const& what, reply_fn done) {
    auto body = body_of(r);
    if (!body) return done(problem(400, "http.bad_body", "the body must be a JSON object", r.request_id));
    auto id = r.request_id;
    auto who = r.who;
    try {
        if (r.verb == "GET") {
            json::array all;
            for (auto const& u : users_->all()) all.push_back(shown(u));
            return done(as_json({{"users", std::move(all)}}));
        }
        if (r.verb == "DELETE") return users_->remove(name, who, id), done(as_json({{"removed", name}}));
        if (r.verb == "POST") {
            auto fresh = text_of(*body, "name"), role = text_of(*body, "role");
            if (role.empty()) role = "viewer";
            return hashed(text_of(*body, "password"), std::move(done), id, [this, fresh, role, who, id](std::string hash) { return as_json(shown(users_->add(fresh, hash, role, who, id)), 201); });
        }
        if (what == "password")
            return hashed(text_of(*body, "password"), std::move(done), id, [this, name, who, id](std::string hash) { return users_->set_hash(name, hash, who, id), as_json({{"changed", name}}); });
        if (what == "role") return done(as_json(shown(users_->set_role(name, text_of(*body, "role"), who, id))));
        auto const* v = body->if_contains("disabled");
        if (!v || !v->is_bool()) throw refused{422, "user.bad_request", "needs disabled: true or false"};
        done(as_json(shown(users_->set_disabled(name, v->get_bool(), who, id))));
    } catch (refused const& e) {
        done(problem(e, id));
    } catch (std::exception const& e) { done(problem(503, "storage.sqlite", e.what(), id)); }
}

}
