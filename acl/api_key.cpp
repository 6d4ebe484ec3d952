#include "acl/api_key.hpp"

#include "acl/hex.hpp"

#include <algorithm>
#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace airmail::acl {
namespace {

constexpr std::size_t id_bytes = 8, secret_bytes = 32;

bool all_hex(std::string_view s) {
    return std::all_of(s.begin(), s.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}

boost::system::result<new_api_key> make_api_key() {
    std::array<std::uint8_t, id_bytes + secret_bytes> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return errc::crypto;
    new_api_key k;
    k.id = to_hex(std::span{random}.first(id_bytes));
    k.text = "am_" + k.id + '_' + to_hex(std::span{random}.subspan(id_bytes));
    k.hash = api_key_hash(k.text);
    OPENSSL_cleanse(random.data(), random.size());
    return k;
}

boost::system::result<std::string> api_key_id(std::string_view text) {
    constexpr auto id_end = 3 + 2 * id_bytes;
    if (text.size() != id_end + 1 + 2 * secret_bytes || !text.starts_with("am_") || text[id_end] != '_') return errc::bad_key;
    auto const id = text.substr(3, 2 * id_bytes);
    if (!all_hex(id) || !all_hex(text.substr(id_end + 1))) return errc::bad_key;
    return std::string{id};
}

std::string api_key_hash(std::string_view text) { return to_hex(sha256(text)); }

boost::system::error_code check_api_key(api_key_record const& record, std::string_view text, std::int64_t now_ms) {
    // The secret first: who does not know it learns nothing about the key's state.
    if (!same_bytes(record.hash, api_key_hash(text))) return errc::bad_key;
    if (record.revoked) return errc::revoked_key;
    if (record.expires_at_ms != 0 && now_ms >= record.expires_at_ms) return errc::expired_key;
    return {};
}

bool in_scope(std::string_view scope, std::string_view method) {
    if (scope.empty()) return true;
    if (scope.ends_with('*')) return method.starts_with(scope.substr(0, scope.size() - 1));
    return scope == method;
}

}
