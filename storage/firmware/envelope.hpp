#pragma once
// The signed envelope, DSSE-like (reference/ota.md 4.2):
//
//   {"payload":"<base64 of the exact bytes>","type":"ota.release.v1","sigs":[{"kid":"..","alg":"ed25519","sig":"<base64>"}]}
//
// The signature covers "DSSEv1 <len(type)> <type> <len(payload)> <payload>": no canonical JSON anywhere, and a stock OpenSSL can
// check it by hand. Parsing is strict: any member we do not know, or a byte that could be changed unseen, is refused.

#include "storage/firmware/signature.hpp"

namespace airmail::storage::firmware {

inline constexpr std::string_view release_type = "ota.release.v1";
inline constexpr std::string_view command_type = "ota.command.v1";
inline constexpr std::string_view keys_type = "ota.keys.v1";

struct envelope_signature {
    key_id kid;
    std::string alg;
    bytes sig;
};

/// A parsed envelope; nothing in it is believed before verify().
struct envelope {
    std::string payload, type;
    std::vector<envelope_signature> sigs;      // 1 to 16

    /// At most 64 KiB of JSON. errc::bad_format, too_large.
    static result<envelope> parse(std::string_view json);
    std::string to_json() const;
};

/// The bytes under every signature.
std::string pre_authentication_encoding(std::string_view type, std::string_view payload);

/// Signs with each of `keys` (1 to 16). errc::bad_key.
result<envelope> seal(std::string_view type, std::string_view payload, std::span<private_key const> keys);
result<envelope> seal(std::string_view type, std::string_view payload, private_key const& key);
/// Adds a signature: how a second person signs.
result<void> add_signature(envelope& e, private_key const& key);

/// Who may sign, and how many different ones must.
struct signers {
    std::vector<public_key> keys;
    std::size_t threshold = 1;
};

/// The payload, once `threshold` different keys of `who` have signed it and it is of `type`. Signatures of keys we do not know are
/// passed over, as DSSE says. errc::wrong_type, bad_signature. The view points into `e`.
result<std::string_view> verify(envelope const& e, std::string_view type, signers const& who);

}
