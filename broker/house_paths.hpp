#pragma once
// The broker's own REST paths, those that no plugin has: API keys, sessions, ACL explain, audit. On the HTTP thread, with a
// SQLite connection of its own; sessions are asked of every shard by mail.

#include "acl/engine.hpp"
#include "broker/admin/backend.hpp"
#include "broker/certificates.hpp"
#include "broker/denials.hpp"
#include "broker/handlers/world.hpp"
#include "storage/sqlite/db.hpp"

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace airmail {

/// Owned by the broker.
class house_paths {
public:
    /// `database` is registry.db, already migrated.
    /// @param seen       what acl_mode observe let through
    /// @param observing  is it set now?
    house_paths(std::string const& database, handlers::world& world, std::shared_ptr<denials> seen, std::function<bool()> observing);

    /// `ref` of the match is not 0 when the path is ours.
    admin::route_match match(std::string_view verb, std::string_view path) const;
    void serve(admin::route_match const& m, admin::request r, admin::responder done);
    /// The living key of a bearer token. Answers are kept for 10 s: revoking takes effect at once through us, else within 10 s.
    std::optional<admin::caller> authenticate(std::string const& token);

    /// The paths as methods, for whoever lists them.
    std::vector<sdk::web_method> methods() const;
    /// The certificates we show. Called on the HTTP thread.
    std::function<std::vector<certificate_row>()> certificates;
    /// Asks for a reload; the answer may come on any thread. Empty: nobody can.
    std::function<void(std::function<void(std::vector<std::string>)>)> reload;

private:
    using handler = void (house_paths::*)(admin::request const&, std::string const& id, admin::responder);
    struct path { char const* name; char const* verb; char const* pattern; char const* role; handler answer; };
    static std::vector<path> const& paths();

    void create_key(admin::request const& r, std::string const&, admin::responder done);
    void list_keys(admin::request const& r, std::string const&, admin::responder done);
    void revoke_key(admin::request const& r, std::string const& id, admin::responder done);
    void list_sessions(admin::request const& r, std::string const&, admin::responder done);
    void kick(admin::request const& r, std::string const& identity, admin::responder done);
    void explain(admin::request const& r, std::string const&, admin::responder done);
    void list_certificates(admin::request const& r, std::string const&, admin::responder done);
    void ask_reload(admin::request const& r, std::string const&, admin::responder done);
    void observed(admin::request const& r, std::string const&, admin::responder done);
    void list_audit(admin::request const& r, std::string const&, admin::responder done);
    void verify_audit(admin::request const& r, std::string const&, admin::responder done);

    struct remembered { admin::caller who; std::int64_t until_ms = 0; };
    storage::sqlite::db db_;
    handlers::world& world_;
    std::shared_ptr<denials> denials_;
    std::function<bool()> observing_;
    std::unordered_map<std::string, remembered> known_;   // bound 1,000: then it starts afresh
};

}
