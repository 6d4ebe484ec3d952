#pragma once
// Mosquitto's password files: $6$ (salted SHA-512), $7$ (PBKDF2-HMAC-SHA512) and $argon2id$. Verifying is slow on purpose:
// call it on the slow-crypto threads, never on a shard. Source: reference/brokers.md 2.4.

#include "acl/errc.hpp"
#include "acl/rule.hpp"

#include <boost/system/result.hpp>
#include <optional>
#include <unordered_map>

namespace airmail::acl {

enum class password_scheme : std::uint8_t { sha512, pbkdf2_sha512, argon2id };

/// Makes a stored hash with fresh salt. `iterations`: PBKDF2 rounds (0 = 210,000) or argon2 passes (0 = 1, 46 MiB).
boost::system::result<std::string> hash_password(std::string_view password, password_scheme how, unsigned iterations = 0);

/// No error, wrong_password, or bad_hash. Compares in constant time. Any thread; up to some 100 ms.
boost::system::error_code verify_password(std::string_view stored, std::string_view password);

/// Is it a stored hash that verify_password could verify?
bool is_password_hash(std::string_view stored);

/// user:HASH lines; immutable after parse, shared by threads.
class password_file {
public:
    /// Lines beginning with # and lines without a colon are skipped; a user twice or an empty hash is fatal.
    static password_file parse(std::string_view text, std::vector<complaint>& complaints);

    /// No error, unknown_user, wrong_password or bad_hash. An unknown user takes as long as a known one.
    boost::system::error_code check(std::string_view user, std::string_view password) const;
    bool knows(std::string_view user) const { return users_.find(std::string{user}) != users_.end(); }
    std::size_t size() const { return users_.size(); }

private:
    std::unordered_map<std::string, std::string> users_;
    std::string decoy_;   // a hash of the file's usual cost, for users that do not exist
};

}
