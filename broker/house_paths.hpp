#pragma once
// The broker's own REST paths, those that no plugin has: API keys, sessions, ACL explain, audit. On the HTTP thread, with a
// SQLite connection of its own; sessions are asked of every shard by mail.

#include "acl/engine.hpp"
#include "broker/admin/backend.hpp"
#include "broker/certificates.hpp"
#include "broker/denials.hpp"
#include "broker/handlers/world.hpp"
#include "storage/outbox/outbox.hpp"
#include "storage/reads/source.hpp"
#include "storage/sqlite/db.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

namespace airmail {

/// Owned by the broker.
class house_paths {
public:
    /// What the broker does for us. `backup` takes its time, runs on a thread of its own and throws with one line.
    struct services {
        std::function<std::string()> replication;                       // JSON
        /// Status of a device or campaign; `done` from any thread. Empty: no plugin, so no tables.
        std::function<void(storage::reads::subject, std::string, storage::reads::answered)> status;
        std::function<std::string(std::string const& directory)> backup;
        std::shared_ptr<airmail::denials> denials;                               // what acl_mode observe let through
        std::function<bool()> observing;                                // is it set now?
        std::function<std::vector<certificate_row>()> certificates;     // those we show; called on the HTTP thread
        std::function<void(std::function<void(std::vector<std::string>)>)> reload;   // the answer may come on any thread; empty: nobody can
    };
    /// `database` is registry.db, already migrated.
    house_paths(std::string const& database, handlers::world& world, services s = {});
    ~house_paths();

    /// `ref` of the match is not 0 when the path is ours.
    admin::route_match match(std::string_view verb, std::string_view path) const;
    void serve(admin::route_match const& m, admin::request r, admin::responder done);
    /// The living key of a bearer token. Answers are kept for 10 s: revoking takes effect at once through us, else within 10 s.
    std::optional<admin::caller> authenticate(std::string const& token);

    /// A line of the audit, for paths of the house that stand elsewhere; throws sqlite::error.
    void record(admin::request const& r, std::string action, std::string target, std::string detail);
    /// The paths as methods, for whoever lists them.
    std::vector<sdk::web_method> methods() const;

private:
    using handler = void (house_paths::*)(admin::request const&, std::string const& id, admin::responder);
    /// `pattern` has at most one {id}, a whole segment.
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
    void device_status(admin::request const& r, std::string const& id, admin::responder done);
    void campaign_status(admin::request const& r, std::string const& id, admin::responder done);
    void tell_status(storage::reads::subject about, admin::request const& r, std::string const& id, admin::responder done);
    void replication(admin::request const& r, std::string const&, admin::responder done);
    void replication_schema(admin::request const& r, std::string const&, admin::responder done);
    void backup(admin::request const& r, std::string const&, admin::responder done);
    void verify_audit(admin::request const& r, std::string const&, admin::responder done);

    struct remembered { admin::caller who; std::int64_t until_ms = 0; };
    storage::sqlite::db db_;
    storage::outbox outbox_;                              // keys and audit are copied outside, too
    handlers::world& world_;
    services services_;
    std::string const database_;
    std::thread backup_thread_;                           // one backup at a time
    std::shared_ptr<std::atomic<bool>> backing_up_ = std::make_shared<std::atomic<bool>>(false);
    std::unordered_map<std::string, remembered> known_;   // bound 1,000: then it starts afresh
};

}
