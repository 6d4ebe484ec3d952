#pragma once
// From files, environment and command line to a config. Mosquitto's syntax: `#` in the first column is a comment, the key
// ends at the first blank, the rest of the line is the value; order matters, blocks have no end.

#include "broker/config/config.hpp"

#include <functional>
#include <optional>
#include <utility>

namespace airmail::config {

/// What there is to read. Later sources win: files in order, then environment, then the command line.
struct sources {
    std::vector<std::string> files;
    std::vector<std::pair<std::string, std::string>> environment;    // AIRMAIL_<KEY> = value; other names are skipped
    std::vector<std::pair<std::string, std::string>> command_line;   // directive, value
    std::vector<std::uint16_t> ports;                                // -p, at most 10; ignored when a file has a listener
    /// Reads a file whole; empty optional with `why` set when it cannot. Tests and fuzzers give their own.
    std::function<std::optional<std::string>(std::string const& path, std::string& why)> read;
    /// Names of files in a directory; same idea.
    std::function<std::optional<std::vector<std::string>>(std::string const& dir, std::string& why)> names;
};

/// Never throws for bad input: see config::findings(). Single-threaded, start-up and reload. Files up to 64 MiB.
config parse(sources const& s);
/// One text, for tests and fuzzing.
config parse_text(std::string_view text, std::string const& file = "airmail.conf");
/// The real process environment as `sources::environment`.
std::vector<std::pair<std::string, std::string>> process_environment();

}
