#pragma once
// SHA-1 and MD5 of an image: what older DDI clients compare. They are no defence; SHA-256 and signatures are beside them.

#include "storage/firmware/sealed_image.hpp"

#include <optional>
#include <string>

namespace airmail::plugins::ddi {

struct both_hashes { std::string sha1, md5; };
/// Nullopt when the image cannot be read. Reads it once, on the caller's thread.
std::optional<both_hashes> hash_both(storage::firmware::image_reader& image);

}
