#pragma once
// The tape read back: what a disk may hold when the power goes at a given record.

#include "tests/e2e/crash/shim/disk_shim.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace airmail::testing {

/// One thing the process asked for.
struct taped {
    shim_record head;
    std::vector<char> data;
};

std::vector<taped> read_tape(std::string const& file);

/// Files by name, as bytes.
using disk_image = std::map<std::string, std::vector<char>>;

/// The state at a cut: what is certainly there, and what may or may not be. Data of a file is certain once a sync of that file
/// that began after it has ended; names (create, rename, unlink) are taken as done at once, as an ordered journal does.
struct power_cut {
    disk_image certain;
    std::vector<taped const*> pending;   // writes and truncations, in order

    /// The image when exactly these of the pending ones got through (indices, ascending). `torn` bytes of the last of them, or all.
    disk_image with(std::vector<std::size_t> const& through, std::size_t torn = SIZE_MAX) const;
};

/// What holds when the power goes right after record `number`.
power_cut cut_at(std::vector<taped> const& tape, std::uint64_t number);

/// Writes the image below `directory`, which is emptied first.
void lay_out(disk_image const& image, std::string const& directory);

}
