#pragma once
// Keys for REST, GraphQL and airmailctl: `am_<id>_<secret>`. Only the SHA-256 of the whole text is kept; the text is shown
// once. The secret has 256 random bits, so a fast hash is enough (there is nothing to guess).

#include "acl/errc.hpp"
#include "acl/role.hpp"

#include <boost/system/result.hpp>
#include <string>

namespace airmail::acl {

/// Fresh from make_api_key: `text` goes to the operator, `id` and `hash` (hex) into the registry.
struct new_api_key {
    std::string id, text, hash;
};

/// What the registry keeps of one.
struct api_key_record {
    std::string id, hash;
    role what = role::viewer;
    std::string scope;              // empty = everything of the role; else a method's name, or a prefix that ends in *
    std::int64_t expires_at_ms = 0; // wall clock, 0 = never
    bool revoked = false;
};

/// Errors: crypto (no randomness).
boost::system::result<new_api_key> make_api_key();
/// The id inside a well-formed key, to look its record up; else bad_key.
boost::system::result<std::string> api_key_id(std::string_view text);
/// Hex SHA-256 of the key's text.
std::string api_key_hash(std::string_view text);
/// No error, bad_key, revoked_key or expired_key. Compares in constant time.
boost::system::error_code check_api_key(api_key_record const& record, std::string_view text, std::int64_t now_ms);
/// Is `method` ("campaign.start") within the scope?
bool in_scope(std::string_view scope, std::string_view method);

}
