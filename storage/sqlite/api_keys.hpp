#pragma once
// Keys of the control API: "airmail_<key id>_<secret>", shown once. The secret is 256 random bits, so one SHA-256 is a sufficient
// hash. On the SQLite thread.

#include "storage/sqlite/db.hpp"

#include <optional>

namespace airmail::storage::sqlite {

struct api_key {
    std::string key_id;                    // 12 hex digits
    std::uint32_t tenant = 0;
    std::string name, role, scope;         // role: viewer < operator < admin; scope: what the host makes of it, "" = all
    std::int64_t created_at_ms = 0;
    std::string created_by;
    std::optional<std::int64_t> expires_at_ms, revoked_at_ms;
};

struct new_api_key {
    std::string name, role, scope, created_by;
    std::optional<std::int64_t> expires_at_ms;
    std::uint32_t tenant = 0;
};

struct made_api_key {
    std::string key_id;
    std::string token;                     // the only time it is seen
};

made_api_key create_api_key(db& d, new_api_key const& k, std::int64_t now_ms);
/// The living key of this token; nothing when unknown, expired or revoked. Takes the same time for each.
std::optional<api_key> authenticate_api_key(db& d, std::string_view token, std::int64_t now_ms);
/// False when there is no such living key.
bool revoke_api_key(db& d, std::string_view key_id, std::string_view by, std::int64_t now_ms);
std::vector<api_key> list_api_keys(db& d);

}
