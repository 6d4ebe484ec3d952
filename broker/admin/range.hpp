#pragma once
// Which bytes of a file a GET asks for: Range and If-Range of RFC 9110, sections 14.2 and 13.1.5. Pure.

#include <cstdint>
#include <string_view>

namespace airmail::admin {

/// What to send. `whole`: 200 with everything. `part`: 206 with [first, last]. `unsatisfiable`: 416 with "bytes */size".
struct byte_range {
    enum class kind { whole, part, unsatisfiable } what = kind::whole;
    std::uint64_t first = 0, last = 0;  // inclusive, only for `part`
    std::uint64_t size() const { return last - first + 1; }
};

/// Decides from the two headers (empty = absent). One range only: several ranges, or a unit we do not know, are answered
/// with the whole file, as RFC 9110 allows; so is a Range whose If-Range names another entity than `etag` (with its quotes).
byte_range choose_range(std::string_view range, std::string_view if_range, std::string_view etag, std::uint64_t file_size);

}
