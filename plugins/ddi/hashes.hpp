#pragma once
// The hashes of an image as DDI clients compare them: SHA-256, and for older ones SHA-1 and MD5, which are no defence. Signatures stand
// beside them.

#include "storage/firmware/sealed_image.hpp"

#include <optional>
#include <string>

namespace airmail::plugins::ddi {

struct image_hashes { std::string sha1, md5, sha256; };        // hex
/// Of its first `bytes`. Nullopt when they cannot be read. Reads them once, on the caller's thread.
std::optional<image_hashes> hash_image(storage::firmware::image_reader& image, std::uint64_t bytes);

}
