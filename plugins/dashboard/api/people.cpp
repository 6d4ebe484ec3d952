#include "plugins/dashboard/api/people.hpp"

#include "storage/firmware/digest.hpp"
#include "plugins/dashboard/api/files.hpp"
#include "storage/firmware/ids.hpp"
#include "storage/sqlite/audit.hpp"
#include "storage/sqlite/migrations.hpp"

#include <algorithm>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

namespace airmail::dashboard {

namespace sq = storage::sqlite;

namespace {

constexpr int tries_a_minute = 10;
constexpr std::size_t tries_max = 10'000;

// Refresh tokens: only the SHA-256 is kept. A used one stays until it would have expired: shown again, it betrays a copy.
constexpr char logins_1[] = R"(CREATE TABLE dashboard_logins(
    token_hash TEXT PRIMARY KEY NOT NULL,
    family     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX dashboard_logins_by_family ON dashboard_logins(family);
CREATE INDEX dashboard_logins_by_user ON dashboard_logins(user_id);)";

std::string random_text() {
    std::uint8_t raw[32];
    if (RAND_bytes(raw, sizeof raw) != 1) throw refused{503, "auth.no_randomness", "the system gives no random numbers"};
    return storage::firmware::to_hex(raw);
}

bool good_name(std::string_view n) {
    return !n.empty() && n.size() <= 64 && std::all_of(n.begin(), n.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '/' && c != '"'; });
}
bool good_role(std::string_view r) { return r == "viewer" || r == "operator" || r == "admin"; }

token_key load_key(std::string const& path) {
    if (auto pem = read_private(path)) {
        auto k = token_key::parse(*pem);
        if (!k) throw std::runtime_error(path + " is no Ed25519 key; remove it to have a new one made (everybody logs in again)");
        return *k;
    }
    auto k = token_key::make();
    if (!k) throw std::runtime_error("OpenSSL makes no Ed25519 key");
    write_private(path, k->pem());
    return *k;
}

std::string text(sq::value const& v) { return std::get<std::string>(v); }
std::int64_t number(sq::value const& v) { return std::get<std::int64_t>(v); }

}

people::people(std::string const& directory, std::function<std::int64_t()> wall_ms, std::int64_t life_s)
    : directory_(directory), wall_ms_(std::move(wall_ms)), life_s_(life_s), db_(directory + "/registry.db"), outbox_(db_, {.wall_ms = wall_ms_}), key_(load_key(directory + "/dashboard.key")) {
    sq::migration const steps[] = {{1, "logins", logins_1}};
    sq::migrate(db_, "dashboard", steps, wall_ms_());
    reload();
}

void people::reload() {
    users_.clear();
    for (auto const& r : db_.exec("SELECT user_id, name, role, password_hash, disabled, created_at_ms, updated_at_ms FROM users WHERE tenant = 0"))
        users_[text(r[1])] = {text(r[0]), text(r[1]), text(r[2]), text(r[3]), number(r[4]) != 0, number(r[5]), number(r[6])};
}

std::optional<user> people::by_name(std::string const& name) const {
    std::lock_guard hold(lock_);
    auto at = users_.find(name);
    return at == users_.end() ? std::nullopt : std::optional(at->second);
}

std::vector<user> people::all() const {
    std::lock_guard hold(lock_);
    std::vector<user> out;
    for (auto const& [name, u] : users_) out.push_back(u);
    return out;
}

bool people::nobody() const {
    std::lock_guard hold(lock_);
    return users_.empty();
}

user people::must_find(std::string const& name) const {
    auto at = users_.find(name);
    if (at == users_.end()) throw refused{404, "user.not_found", "no user " + name};
    return at->second;
}

/// The last admin may not be taken away: nobody could bring one back but root.
void people::keep_an_admin(std::string const& but) const {
    for (auto const& [name, u] : users_)
        if (name != but && u.role == "admin" && !u.disabled) return;
    throw refused{409, "user.last_admin", but + " is the last admin; make another first"};
}

void people::audit(sdk::web_who const& by, std::string const& request_id, std::string const& action, std::string const& target, std::string const& detail) {
    sq::audit_entry e;
    e.at_ms = wall_ms_(), e.actor = by.name, e.role = by.role, e.action = action, e.target = target, e.detail = detail, e.request_id = request_id;
    sq::audit_append(db_, e);
}

user people::add(std::string const& name, std::string const& hash, std::string const& role, sdk::web_who const& by, std::string const& request_id) {
    std::lock_guard hold(lock_);
    if (!good_name(name)) throw refused{422, "user.bad_name", "a name has 1 to 64 bytes, without spaces, slashes and quotes"};
    if (!good_role(role)) throw refused{422, "user.bad_role", "role is viewer, operator or admin"};
    if (users_.contains(name)) throw refused{409, "user.exists", name + " is a user already"};
    if (users_.size() >= users_max) throw refused{409, "user.too_many", "there are 10,000 users"};
    auto now = wall_ms_();
    sq::transaction t(db_);
    db_.exec("INSERT INTO users(user_id, name, role, password_hash, created_at_ms, updated_at_ms) VALUES(?, ?, ?, ?, ?, ?)",
             {storage::firmware::new_id(now), name, role, hash, now, now});
    audit(by, request_id, "user.add", name, "{\"role\":\"" + role + "\"}");
    t.commit();
    reload(), tell();
    return users_.at(name);
}

user people::set_role(std::string const& name, std::string const& role, sdk::web_who const& by, std::string const& request_id) {
    std::lock_guard hold(lock_);
    if (!good_role(role)) throw refused{422, "user.bad_role", "role is viewer, operator or admin"};
    auto u = must_find(name);
    if (u.role == "admin" && role != "admin") keep_an_admin(name);
    sq::transaction t(db_);
    db_.exec("UPDATE users SET role = ?, updated_at_ms = max(?, updated_at_ms + 1) WHERE user_id = ?", {role, wall_ms_(), u.id});
    audit(by, request_id, "user.role", name, "{\"from\":\"" + u.role + "\",\"to\":\"" + role + "\"}");
    t.commit();
    reload(), tell();
    return users_.at(name);
}

user people::set_disabled(std::string const& name, bool disabled, sdk::web_who const& by, std::string const& request_id) {
    std::lock_guard hold(lock_);
    auto u = must_find(name);
    if (disabled && u.role == "admin") keep_an_admin(name);
    sq::transaction t(db_);
    db_.exec("UPDATE users SET disabled = ?, updated_at_ms = max(?, updated_at_ms + 1) WHERE user_id = ?", {std::int64_t{disabled}, wall_ms_(), u.id});
    if (disabled) db_.exec("DELETE FROM dashboard_logins WHERE user_id = ?", {u.id});
    audit(by, request_id, disabled ? "user.disable" : "user.enable", name);
    t.commit();
    reload(), tell();
    return users_.at(name);
}

void people::set_hash(std::string const& name, std::string const& hash, sdk::web_who const& by, std::string const& request_id) {
    std::lock_guard hold(lock_);
    auto u = must_find(name);
    sq::transaction t(db_);
    db_.exec("UPDATE users SET password_hash = ?, updated_at_ms = max(?, updated_at_ms + 1) WHERE user_id = ?", {hash, wall_ms_(), u.id});
    db_.exec("DELETE FROM dashboard_logins WHERE user_id = ?", {u.id});
    audit(by, request_id, "user.password", name);
    t.commit();
    reload(), tell();
}

void people::remove(std::string const& name, sdk::web_who const& by, std::string const& request_id) {
    std::lock_guard hold(lock_);
    auto u = must_find(name);
    if (u.role == "admin") keep_an_admin(name);
    sq::transaction t(db_);
    db_.exec("DELETE FROM dashboard_logins WHERE user_id = ?", {u.id});
    db_.exec("DELETE FROM users WHERE user_id = ?", {u.id});
    audit(by, request_id, "user.remove", name);
    t.commit();
    reload(), tell();
}

void people::check_password(std::string_view p) {
    if (p.size() < password_bytes_min || p.size() > password_bytes_max) throw refused{422, "auth.weak_password", "a password has 12 to 256 bytes"};
}

std::string people::setup_token() {
    std::lock_guard hold(lock_);
    auto path = directory_ + "/dashboard.setup";
    if (!users_.empty()) return ::unlink(path.c_str()), std::string{};
    if (auto kept = read_private(path); kept && kept->size() == 64) return *kept;
    auto token = random_text();
    write_private(path, token);
    return token;
}

void people::check_setup(std::string const& token) const {
    std::lock_guard hold(lock_);
    if (!users_.empty()) throw refused{403, "auth.setup_closed", "there is a user already; an admin can make more"};
    auto kept = read_private(directory_ + "/dashboard.setup");
    if (!kept || kept->size() != token.size() || CRYPTO_memcmp(kept->data(), token.data(), token.size()) != 0)
        throw refused{403, "auth.bad_setup_token", "this is not the link that the broker printed at its start"};
}

user people::first_admin(std::string const& token, std::string const& name, std::string const& hash, std::string const& request_id) {
    std::lock_guard hold(lock_);
    check_setup(token);
    auto u = add(name, hash, "admin", {name, "admin", "user", ""}, request_id);
    ::unlink((directory_ + "/dashboard.setup").c_str());
    return u;
}

void people::may_try(std::string const& address, std::string const& name) {
    std::lock_guard hold(lock_);
    auto now = wall_ms_();
    for (auto const& key : {"a " + address, "u " + name})
        if (auto at = tries_.find(key); at != tries_.end() && at->second.until_ms > now)
            throw refused{429, "auth.locked", "too many failed logins; wait", static_cast<int>((at->second.until_ms - now) / 1000 + 1)};
}

void people::failed(std::string const& address, std::string const& name) {
    std::lock_guard hold(lock_);
    auto now = wall_ms_();
    ++logins_failed_;
    if (tries_.size() >= tries_max) std::erase_if(tries_, [&](auto const& t) { return t.second.until_ms < now && t.second.first_ms + 60'000 < now; });
    if (tries_.size() >= tries_max) tries_.clear();
    for (auto const& key : {"a " + address, "u " + name}) {
        auto& t = tries_[key];
        if (now - t.first_ms > 60'000 && t.until_ms < now) t.count = 0, t.first_ms = now;
        if (now - t.until_ms > 3'600'000) t.life_ms = 60'000;
        if (++t.count < tries_a_minute) continue;
        t.until_ms = now + t.life_ms, t.life_ms = std::min<std::int64_t>(t.life_ms * 2, 3'600'000), t.count = 0, t.first_ms = now;
    }
}

void people::succeeded(std::string const& address, std::string const& name) {
    std::lock_guard hold(lock_);
    tries_.erase("u " + name);
    if (auto at = tries_.find("a " + address); at != tries_.end()) at->second.count = 0;
}

std::string people::issue(std::string const& family, std::string const& user_id) {
    auto token = random_text();
    auto now = wall_ms_();
    db_.exec("INSERT INTO dashboard_logins(token_hash, family, user_id, issued_at, expires_at) VALUES(?, ?, ?, ?, ?)",
             {storage::firmware::to_hex(storage::firmware::sha256_of(token)), family, user_id, now, now + refresh_life_s * 1000});
    return token;
}

session people::begin(user const& u, std::string const& request_id) {
    std::lock_guard hold(lock_);
    sq::transaction t(db_);
    db_.exec("DELETE FROM dashboard_logins WHERE expires_at < ?", {wall_ms_()});
    session s{u, issue(random_text(), u.id)};
    audit({u.name, u.role, "user", ""}, request_id, "auth.login", u.name);
    t.commit();
    return s;
}

session people::refresh(std::string const& token, std::string const& request_id) {
    std::lock_guard hold(lock_);
    auto hash = storage::firmware::to_hex(storage::firmware::sha256_of(token));
    auto rows = db_.exec("SELECT family, user_id, expires_at, used_at FROM dashboard_logins WHERE token_hash = ?", {hash});
    if (rows.empty()) throw refused{401, "auth.no_session", "log in again"};
    auto family = text(rows[0][0]), id = text(rows[0][1]);
    auto at = std::find_if(users_.begin(), users_.end(), [&](auto const& u) { return u.second.id == id; });
    sq::transaction t(db_);
    if (number(rows[0][3]) != 0) {
        db_.exec("DELETE FROM dashboard_logins WHERE family = ?", {family});
        audit({at == users_.end() ? id : at->first, "", "user", ""}, request_id, "auth.reused", id);
        t.commit();
        throw refused{401, "auth.reused", "this login was used twice and has been ended; log in again"};
    }
    if (at == users_.end() || at->second.disabled || number(rows[0][2]) < wall_ms_()) throw refused{401, "auth.no_session", "log in again"};
    db_.exec("UPDATE dashboard_logins SET used_at = ? WHERE token_hash = ?", {wall_ms_(), hash});
    session s{at->second, issue(family, id)};
    t.commit();
    return s;
}

void people::end(std::string const& token) {
    std::lock_guard hold(lock_);
    db_.exec("DELETE FROM dashboard_logins WHERE family = (SELECT family FROM dashboard_logins WHERE token_hash = ?)", {storage::firmware::to_hex(storage::firmware::sha256_of(token))});
}

std::string people::access_token(user const& u) const {
    auto now = wall_ms_() / 1000;
    auto made = key_.sign({u.id, u.name, u.role, random_text().substr(0, 16), now, now + life_s_, u.updated_at});
    if (!made) throw refused{503, "auth.crypto", "the token could not be signed"};
    return *made;
}

std::optional<sdk::web_who> people::authenticate(std::string_view token, std::int64_t* expires_at) const {
    auto claims = key_.verify(token, wall_ms_() / 1000);
    if (!claims) return std::nullopt;
    auto u = by_name(claims->name);
    if (!u || u->id != claims->subject || u->disabled || u->updated_at != claims->generation) return std::nullopt;
    if (expires_at) *expires_at = claims->expires_at;
    return sdk::web_who{u->name, u->role, "user", ""};
}

bool people::still(sdk::web_who const& who) const {
    if (who.kind != "user") return true;
    auto u = by_name(who.name);
    return u && !u->disabled && u->role == who.role;
}

}
