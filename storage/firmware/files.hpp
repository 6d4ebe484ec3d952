#pragma once
// Small files that matter: keys, key rings, keys.json. Read strictly, written so that a crash leaves the old or the new one.

#include "storage/firmware/encoding.hpp"

namespace airmail::storage::firmware {

enum class secrecy { anyone, owner_only };

/// Reads a whole small file. With owner_only: no symlink, regular, no group or other bits, owned by us or root
/// (errc::unsafe_file). errc::not_found, io, too_large (above `max_bytes`).
result<std::string> read_small_file(std::string const& path, secrecy s, std::size_t max_bytes = 1 << 20);

/// Writes a new file with this mode (O_EXCL, O_NOFOLLOW), synced with its directory. errc::io when it exists or cannot be.
result<void> write_new_file(std::string const& path, std::string_view content, unsigned mode);

/// Replaces a file: temporary beside it, fsync, rename, fsync of the directory.
result<void> replace_file(std::string const& path, std::string_view content, unsigned mode);

}
