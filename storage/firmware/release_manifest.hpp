#pragma once
// The release manifest: what an image is, for whom, and what it must not be older than; signed by a release key that need not
// be on the broker, and carried as the image's final bytes, so that one file is the release:
//
//   image bytes | envelope JSON (ota.release.v1) | length of the JSON, 8 bytes, big endian | "AIRMAIL1"
//   '--- components[0].sha256, size
//   '----------------- whole file: URL, `checksum` and `size_bytes` of the command -------------------'

#include "storage/firmware/envelope.hpp"
#include "storage/firmware/sealed_image.hpp"

namespace airmail::storage::firmware {

struct component {
    std::string name;                      // "rootfs", "app"; the first is the image itself
    digest256 sha256{};
    std::uint64_t size = 0;
};

struct release_manifest {
    std::vector<std::string> model;        // models it is for; at least one
    std::vector<std::string> hw;           // hardware revisions; empty = all of the model
    std::string version;
    std::uint64_t security_counter = 0;    // a device refuses less than its own
    std::vector<component> components;     // at least one
    std::string min_from_version;          // empty = any
    std::vector<std::string> must_pass;    // self-tests a device must pass before it confirms
    std::int64_t created = 0;              // unix seconds
    std::optional<std::int64_t> expires;

    std::string to_json() const;
    /// errc::bad_format: missing or wrong members, empty lists, an unreadable version. Unknown members are left alone: newer releases.
    static result<release_manifest> parse(std::string_view json);
};

/// What a device knows of itself when it judges a manifest.
struct device_facts {
    std::string_view model, hw, version;
    std::uint64_t security_counter = 0;
    std::int64_t now = 0;                  // unix seconds, 0 = no clock
};
/// errc::not_for_us, downgrade (counter, min_from_version), expired.
result<void> acceptable(release_manifest const& m, device_facts const& d);

/// SHA-256 over the manifest's payload bytes: what a command names, whoever signed it and how often.
digest256 manifest_digest(envelope const& e);

inline constexpr std::string_view trailer_magic = "AIRMAIL1";
inline constexpr std::size_t trailer_tail_bytes = 16;
inline constexpr std::size_t manifest_bytes_max = 64 * 1024;

/// envelope JSON + length + magic: the bytes to append to an image.
std::string make_trailer(envelope const& e);

struct signed_image {
    envelope manifest;                     // unverified
    std::uint64_t image_bytes = 0;         // before the trailer
};
/// Reads the trailer of a file. errc::not_found when the file has none (no magic), bad_format, too_large, io.
result<signed_image> read_trailer(std::string const& path);
result<signed_image> read_trailer(image_reader& in);
/// The same from the last bytes of an image of `size` bytes; `tail` holds at most its last manifest_bytes_max + 16.
result<signed_image> parse_trailer(byte_view tail, std::uint64_t size);

struct release {
    release_manifest manifest;
    digest256 manifest_sha256{};           // over the payload
    std::uint64_t image_bytes = 0;
};
/// Everything at once: trailer, signatures, and the image's own bytes against components[0].
/// errc as above; bad_signature; mismatch when the image is not the one that was signed.
result<release> verify_release_file(std::string const& path, signers const& who);
result<release> verify_release(image_reader& in, signers const& who);

/// Appends a signed manifest to an image file: fills components[0] (name kept, default "image") from its bytes, signs, writes
/// `target` anew. errc::bad_format when the image carries a manifest already.
result<release> sign_release_file(std::string const& image, std::string const& target, release_manifest m, std::span<private_key const> keys);

}
