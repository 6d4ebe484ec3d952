#pragma once
// keys.json: which keys may sign what; itself an envelope (ota.keys.v1) signed by the root keys. Devices ship with version 1 and
// walk N -> N+1, each step signed by the thresholds of both (reference/ota.md 4.2, Rotation).

#include "storage/firmware/envelope.hpp"

#include <map>

namespace airmail::storage::firmware {

struct key_role {
    std::vector<key_id> kids;
    std::size_t threshold = 1;
};

struct key_list {
    std::uint64_t version = 1;
    std::int64_t expires = 0;                       // unix seconds
    std::map<std::string, key_role> roles;          // "root", "release", "command"; all three
    std::map<key_id, public_key> keys;
    std::vector<key_id> revoked;

    std::string to_json() const;
    /// errc::bad_format (also: a kid that is not its key's, a role naming an unknown key, a threshold not reachable), bad_key.
    static result<key_list> parse(std::string_view json);

    /// The living keys of a role, without the revoked ones. An unknown role has no keys and a threshold of 1: nobody passes.
    signers signers_of(std::string_view role) const;
};

/// First trust: signed by its own root role. For the file a device ships with, and the broker's own. errc::bad_signature, expired ...
/// @param now unix seconds; 0 = no clock, expiry not looked at
result<key_list> verify_keys(envelope const& e, std::int64_t now);

/// One step of rotation: version is exactly current + 1, and both root thresholds have signed. errc::replayed, bad_signature,
/// expired, bad_format.
result<key_list> verify_rotation(key_list const& current, envelope const& next, std::int64_t now);

}
