#pragma once
// Images encrypted at rest. A sealed file is a header and independent chunks, so that any range is read without the rest:
//
//   "AIRMAILX" | version 1, u8[3] 0 | chunk size, u32 BE (65,536) | key id, 8 bytes | salt, 32 bytes | 0, 8 bytes        64 bytes
//   chunk i: AES-256-GCM ciphertext | tag, 16 bytes          nonce: 0 x 7 | i, u32 BE | 1 for the last chunk, else 0
//
// The key of a file is HKDF-SHA256(key, salt, "airmail firmware 1"), so nonces may simply count. The header is authenticated with every
// chunk; a chunk moved, exchanged or cut off does not open (the STREAM construction: Hoang, Reyhanitabar, Rogaway, Vizár 2015).

#include "storage/firmware/digest.hpp"

#include <array>
#include <memory>

namespace airmail::storage::firmware {

inline constexpr std::size_t sealed_header_bytes = 64, sealed_chunk_bytes = 65'536, sealed_tag_bytes = 16;

struct image_key {
    std::array<std::uint8_t, 32> secret{};
    std::array<std::uint8_t, 8> id{};          // begins the SHA-256 of the secret: tells keys apart, gives nothing away
    std::string name() const { return to_hex(id); }
};

/// The first seals, all open. Copy it to share. Empty: nothing is sealed and nothing sealed can be read.
class image_keys {
public:
    image_keys() = default;
    /// Files (0600) with 64 hex digits each, as `openssl rand -hex 32` prints them; "credential:NAME" is systemd's.
    /// errc::unsafe_file, not_found, bad_key, io; `which` names the file then.
    static result<image_keys> load(std::vector<std::string> const& files, std::string& which);
    bool empty() const { return keys_.empty(); }
    image_key const& newest() const { return keys_.front(); }
    image_key const* find(std::span<std::uint8_t const> id) const;

private:
    std::vector<image_key> keys_;
};

/// Bytes of the image in a sealed file of this size; errc::bad_format when no image can be in it.
result<std::uint64_t> opened_size(std::uint64_t sealed_bytes);

/// Seals a stream. Every piece it gives is to be written in order; nothing else is.
class image_sealer {
public:
    /// errc::io when there is no randomness.
    static result<image_sealer> begin(image_key const& k);
    ~image_sealer();
    image_sealer(image_sealer&&) noexcept;
    image_sealer& operator=(image_sealer&&) noexcept;
    /// Appends what is complete to `out`.
    result<void> write(byte_view plain, bytes& out);
    /// The last chunk. Not for an empty image.
    result<void> finish(bytes& out);

private:
    struct impl;
    explicit image_sealer(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// A stored image, plain or sealed, read from anywhere. Owned by: one reader at a time (it keeps its latest chunk).
class image_reader {
public:
    /// @param sealed  what the file's name says it is
    /// errc::not_found, io; for sealed ones unknown_key, and mismatch when header or end are not what was written.
    static result<image_reader> open(std::string const& path, bool sealed, image_keys const& keys);
    ~image_reader();
    image_reader(image_reader&&) noexcept;
    image_reader& operator=(image_reader&&) noexcept;
    std::uint64_t size() const;
    /// Fills `out` from `at`. errc::mismatch: the disk has changed it, nothing of it is given; io: it ends before.
    result<void> read(std::uint64_t at, std::span<std::uint8_t> out);

private:
    struct impl;
    explicit image_reader(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// Hash of the image, or of its first `limit` bytes. errc::mismatch also when it is shorter than `limit`.
result<digest256> hash_image(image_reader& in, std::uint64_t limit = UINT64_MAX);

/// The key id in a sealed file's header, hex. errc::bad_format, io, not_found.
result<std::string> key_of_sealed(std::string const& path);

}
