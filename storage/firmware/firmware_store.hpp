#pragma once
// Images on disk, named by what they are: DATA/firmware/aa/<sha256>, aa being the first two digits; <sha256>.sealed when it is encrypted
// (sealed_image.hpp). A name from outside never becomes a path: only digests do. Any thread may read; uploads are independent of each other.
//
//   begin() -> DATA/firmware/.upload-<random> (O_EXCL, O_NOFOLLOW) -> write()... hashing -> finish(): fsync, rename, fsync dir

#include "storage/firmware/digest.hpp"
#include "storage/firmware/sealed_image.hpp"

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
    /// @param keys  with any, new images are sealed by the first; plain ones stay as they are, and readable
    static result<firmware_store> open(std::string const& directory, image_keys keys = {});
    ~firmware_store();
    firmware_store(firmware_store&&) noexcept;
    firmware_store& operator=(firmware_store&&) noexcept;

    /// @param size_max bytes at which write() refuses
    result<upload> begin(std::uint64_t size_max = UINT64_MAX);
    /// Takes a file over by copying it through an upload (the source stays).
    result<stored_image> adopt(std::string const& path, digest256 const* expected = nullptr, std::uint64_t size_max = UINT64_MAX);

    /// The image's own bytes, whether its file is plain or sealed. errc::not_found, unknown_key, mismatch, io.
    result<image_reader> reader(digest256 const& d) const;
    /// The same for a path of ours (path_of, a finished upload), or any plain file.
    result<image_reader> reader(std::string const& path) const;
    /// A plain image's descriptor opened read-only, close-on-exec; the caller closes it. errc::not_found, io.
    result<int> open_image(digest256 const& d) const;
    result<std::uint64_t> size(digest256 const& d) const;
    bool contains(digest256 const& d) const { return size(d).has_value(); }
    /// Where it lies, for a file reply by the host.
    std::string path_of(digest256 const& d) const;
    /// Every image, in order of name. Files that are no images are left alone.
    result<std::vector<stored_image>> list() const;
    /// Why sealed images cannot be read with our keys, in one sentence; empty: all can. Looks at every header.
    std::string missing_keys() const;
    /// Whether a path of ours is a sealed image's: such a file is not to be sent as it is.
    static bool is_sealed(std::string_view path) { return path.ends_with(".sealed"); }
    /// Hashes the image again. errc::mismatch when the disk has changed it.
    result<void> check(digest256 const& d) const;
    /// Readers that have it open keep reading. errc::not_found, io.
    result<void> remove(digest256 const& d);

private:
    struct impl;
    explicit firmware_store(std::shared_ptr<impl> i);
    std::shared_ptr<impl> impl_;
};

}
