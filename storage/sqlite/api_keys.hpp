#pragma once
// Rows of api_keys, the keys of the control API. What a key's text is and whether it opens is acl's (acl/api_key.hpp); here it is only kept.
// On the SQLite thread, in the caller's transaction.

#include "storage/sqlite/db.hpp"

#include <optional>

namespace airmail::storage::sqlite {

/// One key. `hash`: hex SHA-256 of the key's text, which itself is never stored. Times: unix milliseconds, 0 = never / not.
struct api_key_row {
    std::string key_id, hash;
    std::uint32_t tenant = 0;
    std::string name, role, scope;         // role: viewer < operator < admin; scope: acl::in_scope
    std::int64_t created_at_ms = 0;
    std::string created_by;
    std::int64_t expires_at_ms = 0, revoked_at_ms = 0;
    std::string revoked_by;
};

/// Throws error: the id is taken.
void insert_api_key(db& d, api_key_row const& k);
std::optional<api_key_row> find_api_key(db& d, std::string_view key_id);
/// False when there is no such key or it is revoked already.
bool revoke_api_key(db& d, std::string_view key_id, std::string_view by, std::int64_t now_ms);
std::vector<api_key_row> list_api_keys(db& d);

}
