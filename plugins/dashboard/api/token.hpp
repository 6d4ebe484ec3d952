#pragma once
// Access tokens of the dashboard: JWTs (RFC 7519) signed with Ed25519 (RFC 8037). One algorithm, pinned: `alg` of the header must be
// EdDSA and `kid` ours, and nothing else in the header is ever looked at (no jwk, jku, x5u, crit). Pure apart from OpenSSL.

#include "acl/errc.hpp"

#include <boost/system/result.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace airmail::dashboard {

inline constexpr std::size_t token_bytes_max = 4096;

/// Who the token speaks for, and until when (unix seconds). `generation`: of the user's row; a changed user makes old tokens void.
struct token_claims {
    std::string subject, name, role, id;
    std::int64_t issued_at = 0, expires_at = 0, generation = 0;
};

/// A signing key; immutable, shared by threads.
class token_key {
public:
    /// Fresh. Errors: crypto.
    static boost::system::result<token_key> make();
    /// From the PEM that pem() gave. Errors: bad_key.
    static boost::system::result<token_key> parse(std::string_view pem);
    /// PKCS#8; a secret.
    std::string pem() const;

    /// Errors: crypto.
    boost::system::result<std::string> sign(token_claims const& c) const;
    /// Errors: bad_key (not ours in any way: form, algorithm, signature, issuer, audience, too long), expired_key (or not yet valid).
    boost::system::result<token_claims> verify(std::string_view token, std::int64_t now) const;

private:
    struct held;
    std::shared_ptr<held const> key_;
};

}
