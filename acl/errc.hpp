#pragma once
// The ways in which identity and authorisation fail. Leaves return these; the broker logs.

#include <boost/system/error_code.hpp>

namespace airmail::acl {

enum class errc {
    no_identity = 1,       // the certificate lacks the configured field
    ambiguous_identity,    // it has the field twice
    bad_identity,          // not 1-64 of [A-Za-z0-9._:-], or a NUL inside
    unknown_user,
    wrong_password,
    bad_hash,              // a stored password hash that nobody can verify
    bad_key,               // not an API key, unknown, or its secret is wrong
    expired_key,
    revoked_key,
    crypto,                // OpenSSL or argon2 refused to work
};

/// The family "acl"; messages are one clause, fit for a log line.
boost::system::error_category const& category();
inline boost::system::error_code make_error_code(errc e) { return {static_cast<int>(e), category()}; }

}

template <> struct boost::system::is_error_code_enum<airmail::acl::errc> : std::true_type {};
