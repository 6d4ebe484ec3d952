#include "storage/sqlite/api_keys.hpp"

namespace airmail::storage::sqlite {

namespace {

constexpr std::string_view columns =
    "key_id, secret_hash, tenant, name, role, scope, created_at_ms, created_by, expires_at_ms, revoked_at_ms, revoked_by";

api_key_row from_row(row const& r) {
    api_key_row k;
    k.key_id = std::get<std::string>(r[0]);
    k.hash = std::get<std::string>(r[1]);
    k.tenant = std::uint32_t(std::get<std::int64_t>(r[2]));
    k.name = std::get<std::string>(r[3]);
    k.role = std::get<std::string>(r[4]);
    k.scope = std::get<std::string>(r[5]);
    k.created_at_ms = std::get<std::int64_t>(r[6]);
    k.created_by = std::get<std::string>(r[7]);
    k.expires_at_ms = std::get<std::int64_t>(r[8]);
    k.revoked_at_ms = std::get<std::int64_t>(r[9]);
    k.revoked_by = std::get<std::string>(r[10]);
    return k;
}

}

void insert_api_key(db& d, api_key_row const& k) {
    d.exec("INSERT INTO api_keys(" + std::string(columns) + ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
           {k.key_id, k.hash, std::int64_t(k.tenant), k.name, k.role, k.scope, k.created_at_ms, k.created_by, k.expires_at_ms, k.revoked_at_ms, k.revoked_by});
}

std::optional<api_key_row> find_api_key(db& d, std::string_view key_id) {
    auto found = d.exec("SELECT " + std::string(columns) + " FROM api_keys WHERE key_id = ?", {std::string(key_id)});
    if (found.empty()) return std::nullopt;
    return from_row(found[0]);
}

bool revoke_api_key(db& d, std::string_view key_id, std::string_view by, std::int64_t now_ms) {
    d.exec("UPDATE api_keys SET revoked_at_ms = ?, revoked_by = ? WHERE key_id = ? AND revoked_at_ms = 0",
           {now_ms, std::string(by), std::string(key_id)});
    return d.changes() == 1;
}

std::vector<api_key_row> list_api_keys(db& d) {
    std::vector<api_key_row> out;
    for (auto const& r : d.exec("SELECT " + std::string(columns) + " FROM api_keys ORDER BY created_at_ms, key_id")) out.push_back(from_row(r));
    return out;
}

}
