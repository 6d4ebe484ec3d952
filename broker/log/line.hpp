#pragma once
// One log line, made from its parts. Apart from the sinks so that it can be tested and fuzzed without them.

#include "broker/log/log.hpp"

#include <chrono>

namespace airmail::log {

/// `2026-11-23T22:00:00.123Z info net: text key=value`. Control characters are escaped, values with blanks are quoted:
/// nobody can forge a second line. `stamp` may be empty.
std::string text_line(std::string_view stamp, level l, std::string_view room, fields f, std::string_view text);
/// One JSON object: ts, level, room, msg, then the fields; bytes that are not UTF-8 become U+FFFD.
std::string json_line(std::string_view stamp, level l, std::string_view room, fields f, std::string_view text);
/// RFC 3339 UTC with milliseconds when `format` is empty, else strftime in local time.
std::string stamp(std::chrono::system_clock::time_point at, std::string const& format);

}
