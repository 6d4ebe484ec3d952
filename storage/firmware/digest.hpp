#pragma once
// SHA-256, streaming. The name of every image, and what a device compares before it runs anything.

#include "storage/firmware/encoding.hpp"

#include <array>
#include <memory>

namespace airmail::storage::firmware {

using digest256 = std::array<std::uint8_t, 32>;

/// A running hash. Copyable: a copy goes on from the same point.
class sha256 {
public:
    sha256();
    ~sha256();
    sha256(sha256 const& o);
    sha256& operator=(sha256 const& o);
    sha256(sha256&&) noexcept;
    sha256& operator=(sha256&&) noexcept;
    void update(byte_view b);
    void update(std::string_view s) { update(as_bytes(s)); }
    /// The hash of everything given so far; the object may go on.
    digest256 finish() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

digest256 sha256_of(byte_view b);
inline digest256 sha256_of(std::string_view s) { return sha256_of(as_bytes(s)); }

/// 64 lower-case hex digits, optionally after "sha256:" (the command's checksum). errc::bad_format.
result<digest256> parse_digest(std::string_view s);
/// Hash of a whole file, or of its first `limit` bytes. errc::not_found, io; mismatch when it is shorter than `limit`.
result<digest256> hash_file(std::string const& path, std::uint64_t limit = UINT64_MAX);
/// "sha256:<hex>", as the command's checksum says it.
std::string checksum_text(digest256 const& d);

}
