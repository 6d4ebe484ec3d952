// airmailctl key: API keys, shown once, kept as hashes.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <cstdio>

namespace airmail::ctl {

namespace json = boost::json;

namespace {
struct create_options { std::string name, role = "viewer", scope, expires; };
struct id_options { std::string id; };
struct none {};
}

void add_key(command_line::command app, context& c) {
    auto key = app.add_subcommand("key", "API keys for REST over HTTPS");
    key.require_subcommand();
    command<create_options>(key, "create", "make a key; it is shown once", [](command_line::command s, create_options& o) {
        s.add_option("--name", o.name, "whose it is").required();
        s.add_option("--role", o.role, "viewer, operator or admin").among({"viewer", "operator", "admin"}).show_default();
        s.add_option("--scope", o.scope, "methods it may call: a name, or a prefix and * (campaign.*); empty = all of its role");
        s.add_option("--expires", o.expires, "life with a unit (90d, 12h); default: until revoked");
    }, [&c](create_options const& o) {
        json::object body{{"name", o.name}, {"role", o.role}, {"scope", o.scope}};
        if (!o.expires.empty()) body["expires"] = o.expires;
        auto v = c.broker().post("/api/v1/keys", body);
        if (c.json) return json_line(v);
        record(v);
        std::fputs("Keep the token now: it is not shown again.\n", stderr);
    });
    command<none>(key, "list", "all keys, without their secrets", [](command_line::command, none&) {}, [&c](none const&) {
        auto v = c.broker().get("/api/v1/keys");
        c.json ? json_line(v) : table(v.at("keys"), {{"KEY", "key_id"}, {"NAME", "name"}, {"ROLE", "role"}, {"SCOPE", "scope"}, {"CREATED", "created_at"}, {"EXPIRES", "expires_at"}, {"REVOKED", "revoked_at"}});
    });
    command<id_options>(key, "revoke", "ends a key at once", [](command_line::command s, id_options& o) { s.add_option("id", o.id, "key id").required(); },
        [&c](id_options const& o) {
            auto v = c.broker().del("/api/v1/keys/" + encoded(o.id));
            c.json ? json_line(v) : record(v);
        });
}

}
