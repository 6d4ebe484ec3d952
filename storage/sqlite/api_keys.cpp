#include "storage/sqlite/api_keys.hpp"

#include "storage/sqlite/fingerprint.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace airmail::storage::sqlite {

namespace {

constexpr std::string_view prefix = "airmail_";
constexpr std::size_t id_digits = 12, secret_digits = 64;

std::string random_hex(std::size_t digits) {
    std::vector<unsigned char> b(digits / 2);
    if (RAND_bytes(b.data(), int(b.size())) != 1) throw std::runtime_error("no randomness to make a key");
    std::string out;
    for (unsigned char c : b) {
        out += "0123456789abcdef"[c >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

constexpr std::string_view columns = "key_id, tenant, name, role, scope, created_at_ms, created_by, expires_at_ms, revoked_at_ms";

std::optional<std::int64_t> maybe(value const& v) {
    auto const* i = std::get_if<std::int64_t>(&v);
    return i ? std::optional(*i) : std::nullopt;
}

api_key from_row(row const& r) {
    api_key k;
    k.key_id = std::get<std::string>(r[0]);
    k.tenant = std::uint32_t(std::get<std::int64_t>(r[1]));
    k.name = std::get<std::string>(r[2]);
    k.role = std::get<std::string>(r[3]);
    k.scope = std::get<std::string>(r[4]);
    k.created_at_ms = std::get<std::int64_t>(r[5]);
    k.created_by = std::get<std::string>(r[6]);
    k.expires_at_ms = maybe(r[7]);
    k.revoked_at_ms = maybe(r[8]);
    return k;
}

}

made_api_key create_api_key(db& d, new_api_key const& k, std::int64_t now_ms) {
    made_api_key made;
    made.key_id = random_hex(id_digits);
    std::string secret = random_hex(secret_digits);
    made.token = std::string(prefix) + made.key_id + "_" + secret;
    d.exec("INSERT INTO api_keys(key_id, tenant, name, role, scope, secret_hash, created_at_ms, created_by, expires_at_ms)"
           " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
           {made.key_id, std::int64_t(k.tenant), k.name, k.role, k.scope, sha256_hex(secret), now_ms, k.created_by,
            k.expires_at_ms ? value(*k.expires_at_ms) : value(nullptr)});
    return made;
}

std::optional<api_key> authenticate_api_key(db& d, std::string_view token, std::int64_t now_ms) {
    if (token.size() != prefix.size() + id_digits + 1 + secret_digits || !token.starts_with(prefix)) return std::nullopt;
    if (token[prefix.size() + id_digits] != '_') return std::nullopt;
    std::string id(token.substr(prefix.size(), id_digits));
    std::string hash = sha256_hex(token.substr(prefix.size() + id_digits + 1));
    auto found = d.exec("SELECT " + std::string(columns) + ", secret_hash FROM api_keys WHERE key_id = ?", {id});
    std::string stored = found.empty() ? std::string(64, '0') : std::get<std::string>(found[0][9]);
    bool same = stored.size() == hash.size() && CRYPTO_memcmp(stored.data(), hash.data(), hash.size()) == 0;
    if (found.empty() || !same) return std::nullopt;
    auto k = from_row(found[0]);
    if (k.revoked_at_ms || (k.expires_at_ms && *k.expires_at_ms <= now_ms)) return std::nullopt;
    return k;
}

bool revoke_api_key(db& d, std::string_view key_id, std::string_view by, std::int64_t now_ms) {
    d.exec("UPDATE api_keys SET revoked_at_ms = ?, revoked_by = ? WHERE key_id = ? AND revoked_at_ms IS NULL",
           {now_ms, std::string(by), std::string(key_id)});
    return d.changes() == 1;
}

std::vector<api_key> list_api_keys(db& d) {
    std::vector<api_key> out;
    for (auto const& r : d.exec("SELECT " + std::string(columns) + " FROM api_keys ORDER BY created_at_ms, key_id")) out.push_back(from_row(r));
    return out;
}

}
