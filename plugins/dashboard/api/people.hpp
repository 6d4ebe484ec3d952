#pragma once
// Users of the dashboard: rows of `users`, logins as families of refresh tokens, lock-out. Passwords are argon2id and are checked
// elsewhere (crypto threads); here they are only kept. Thread-safe: one writing connection under one lock, users cached in RAM, so
// that every request sees a changed role at once.

#include "plugins/dashboard/api/token.hpp"
#include "plugins/sdk/web.hpp"
#include "storage/outbox/outbox.hpp"
#include "storage/sqlite/db.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace airmail::dashboard {

struct user {
    std::string id, name, role, hash;
    bool disabled = false;
    std::int64_t created_at = 0, updated_at = 0;     // unix ms; updated_at is the generation: older tokens are void
};

/// A refusal: HTTP status, room.errc, a sentence, and seconds for Retry-After (0 = none).
struct refused { int status = 400; std::string code, detail; int retry_after_s = 0; };

/// What a login gives.
struct session { user who; std::string refresh; };

inline constexpr std::int64_t access_life_s = 900, refresh_life_s = 7 * 86'400;
inline constexpr std::size_t password_bytes_min = 12, password_bytes_max = 256, users_max = 10'000;

class people {
public:
    /// `directory`: of registry.db; makes dashboard.key there (0600) when it is not there. Throws std::runtime_error.
    /// `life_s`: of an access token.
    people(std::string const& directory, std::function<std::int64_t()> wall_ms, std::int64_t life_s = access_life_s);

    std::optional<user> by_name(std::string const& name) const;
    std::vector<user> all() const;
    bool nobody() const;

    // Changes; every one is in the audit log with `by`. Throw refused.
    user add(std::string const& name, std::string const& hash, std::string const& role, sdk::web_who const& by, std::string const& request_id);
    user set_role(std::string const& name, std::string const& role, sdk::web_who const& by, std::string const& request_id);
    user set_disabled(std::string const& name, bool disabled, sdk::web_who const& by, std::string const& request_id);
    void set_hash(std::string const& name, std::string const& hash, sdk::web_who const& by, std::string const& request_id);
    void remove(std::string const& name, sdk::web_who const& by, std::string const& request_id);
    /// Throws refused when a password is too short or too long, or a name or role is none.
    static void check_password(std::string_view password);

    /// The first admin by the one-time link; throws refused (403) when there is a user already or the token is wrong.
    user first_admin(std::string const& token, std::string const& name, std::string const& hash, std::string const& request_id);
    void check_setup(std::string const& token) const;
    /// The link's token while nobody exists; kept over restarts in dashboard.setup (0600). Empty when there is a user.
    std::string setup_token();

    /// Before a password is looked at: throws refused (429) when this address or name has failed too often.
    void may_try(std::string const& address, std::string const& name);
    void failed(std::string const& address, std::string const& name);
    void succeeded(std::string const& address, std::string const& name);

    /// A new family of refresh tokens.
    session begin(user const& u, std::string const& request_id);
    /// The next token of a family; a token used twice ends the family (a copy is about). Throws refused (401).
    session refresh(std::string const& token, std::string const& request_id);
    void end(std::string const& token);
    std::string access_token(user const& u) const;
    std::int64_t token_life_s() const { return life_s_; }
    /// The living user of an access token; role as it is now. Also tells when the token ends (unix s).
    std::optional<sdk::web_who> authenticate(std::string_view token, std::int64_t* expires_at = nullptr) const;
    /// Is this caller still who he was? Keys and the control socket are.
    bool still(sdk::web_who const& who) const;
    /// Called after every change of a user, on the changing thread: open sockets are looked at again.
    std::function<void()> changed;

    std::uint64_t logins_failed() const { return logins_failed_; }

private:
    struct tries { int count = 0; std::int64_t first_ms = 0, until_ms = 0, life_ms = 60'000; };
    void reload();
    user must_find(std::string const& name) const;
    void keep_an_admin(std::string const& but) const;
    void audit(sdk::web_who const& by, std::string const& request_id, std::string const& action, std::string const& target, std::string const& detail = "{}");
    std::string issue(std::string const& family, std::string const& user_id);
    void tell() { if (changed) changed(); }

    std::string directory_;
    std::function<std::int64_t()> wall_ms_;
    std::int64_t life_s_;
    mutable std::recursive_mutex lock_;
    mutable storage::sqlite::db db_;
    storage::outbox outbox_;                              // users are copied outside, too
    token_key key_;
    std::map<std::string, user> users_;                    // by name
    std::unordered_map<std::string, tries> tries_;         // bound 10,000: the oldest locks go first
    std::uint64_t logins_failed_ = 0;
};

}
