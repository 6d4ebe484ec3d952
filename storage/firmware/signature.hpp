#pragma once
// Signing keys: Ed25519 (what we make) and ECDSA P-256 (what a HSM may hold). Keys are counted handles, immutable, any thread.

#include "storage/firmware/digest.hpp"

#include <optional>

struct evp_pkey_st;

namespace airmail::storage::firmware {

enum class algorithm { ed25519, ecdsa_p256_sha256 };
/// "ed25519", "ecdsa-p256-sha256": the `alg` of an envelope's signature.
std::string_view name_of(algorithm a);
std::optional<algorithm> algorithm_named(std::string_view s);

/// First 16 hex digits of SHA-256 over the SubjectPublicKeyInfo in DER.
using key_id = std::string;

class public_key {
public:
    /// PEM ("BEGIN PUBLIC KEY") or DER SubjectPublicKeyInfo. errc::bad_key.
    static result<public_key> from_pem(std::string_view pem);
    static result<public_key> from_der(byte_view der);
    static result<public_key> load(std::string const& path);

    key_id const& kid() const { return kid_; }
    algorithm alg() const { return alg_; }
    std::string pem() const;
    bytes der() const;
    /// True only for a signature of exactly these bytes. ECDSA signatures are in DER.
    bool verify(byte_view message, byte_view signature) const;

private:
    friend class private_key;
    static result<public_key> wrap(std::shared_ptr<evp_pkey_st> k);
    std::shared_ptr<evp_pkey_st> key_;
    algorithm alg_ = algorithm::ed25519;
    key_id kid_;
};

class private_key {
public:
    static result<private_key> generate(algorithm a = algorithm::ed25519);
    static result<private_key> from_pem(std::string_view pem);
    /// Reads a PEM file that only its owner may read: a regular file, no symlink, no group or other bits, owned by us or
    /// root. errc::unsafe_file otherwise; not_found, io, bad_key. Encrypted PEM is refused (bad_key), never asked about.
    static result<private_key> load(std::string const& path);

    /// Writes a new file, 0600, never over an existing one (errc::io), synced.
    result<void> save_new(std::string const& path) const;
    std::string pem() const;
    public_key const& public_part() const { return public_; }
    key_id const& kid() const { return public_.kid(); }
    algorithm alg() const { return public_.alg(); }
    result<bytes> sign(byte_view message) const;

private:
    static result<private_key> wrap(std::shared_ptr<evp_pkey_st> k);
    std::shared_ptr<evp_pkey_st> key_;
    public_key public_;
};

}
