#pragma once
// Images on disk, named by what they are: DATA/firmware/aa/<sha256>, aa being the first two digits. A name from outside never
// becomes a path: only digests do. Any thread may read; uploads are independent of each other.
//
//   begin() -> DATA/firmware/.upload-<random> (O_EXCL, O_NOFOLLOW) -> write()... hashing -> finish(): fsync, rename, fsync dir

#include "storage/firmware/digest.hpp"

namespace airmail::storage::firmware {

struct stored_image {
    digest256 sha256{};
    std::uint64_t size = 0;
    bool already = false;                  // it was there: nothing was written twice
};

/// One upload under way. Dying unfinished removes the temporary file.
class upload {
public:
    ~upload();
    upload(upload&&) noexcept;
    upload& operator=(upload&&) noexcept;
    /// errc::too_large (the limit given to begin), full, io. After an error only destruction makes sense.
    result<void> write(byte_view b);
    std::uint64_t size() const;
    /// Durable under its name when this returns. With `expected`, errc::mismatch when the bytes are others (nothing is kept).
    result<stored_image> finish(digest256 const* expected = nullptr);
    /// The temporary file, to look into before finish (its trailer).
    std::string path() const;

private:
    friend class firmware_store;
    struct impl;
    explicit upload(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

class firmware_store {
public:
    /// Makes DATA/firmware (0700) when it is not there and removes uploads a crash left behind. errc::io, unsafe_file.
    static result<firmware_store> open(std::string const& directory);
    ~firmware_store();
    firmware_store(firmware_store&&) noexcept;
    firmware_store& operator=(firmware_store&&) noexcept;

    /// @param size_max bytes at which write() refuses
    result<upload> begin(std::uint64_t size_max = UINT64_MAX);
    /// Takes a file over by copying it through an upload (the source stays).
    result<stored_image> adopt(std::string const& path, digest256 const* expected = nullptr, std::uint64_t size_max = UINT64_MAX);

    /// A descriptor opened read-only, close-on-exec; the caller closes it. errc::not_found, io.
    result<int> open_image(digest256 const& d) const;
    result<std::uint64_t> size(digest256 const& d) const;
    bool contains(digest256 const& d) const { return size(d).has_value(); }
    /// Where it lies, for a file reply by the host.
    std::string path_of(digest256 const& d) const;
    /// Every image, in order of name. Files that are no images are left alone.
    result<std::vector<stored_image>> list() const;
    /// Hashes the file again. errc::mismatch when the disk has changed it.
    result<void> check(digest256 const& d) const;
    /// Readers that have it open keep reading. errc::not_found, io.
    result<void> remove(digest256 const& d);

private:
    struct impl;
    explicit firmware_store(std::shared_ptr<impl> i);
    std::shared_ptr<impl> impl_;
};

}
