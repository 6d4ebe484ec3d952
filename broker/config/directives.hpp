#pragma once
// Every setting as one row: the parser, --test-config, the sample file and the manual page are generated from this table.
// To add a setting, add a row in the table_*.cpp of its group; nothing else has to know.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace airmail::config {

/// How a value is written. `duration` 15m, 500ms; `size` 4MiB, 256KiB (rates: /s may follow); `percent` 95%; `expiry` is
/// Mosquitto's persistent_client_expiration (14d, 2m = two months); `count` 1M, 64k or digits.
enum class type : std::uint8_t { flag, count, size, duration, percent, expiry, text, path, choice };

/// Where a line may stand.
enum class scope : std::uint8_t {
    global,     // anywhere, once for the whole broker
    listener,   // Mosquitto's: after `listener` it is that listener's, before any it makes the default listener (port 1883)
    both,       // ours: before any `listener` the default of all listeners, after one its own
    secured,    // global, or the listener's with `per_listener_settings true`
    plugin,     // after `airmail_plugin`
    bridge,     // after `connection`
    block,      // opens a block itself
};

/// What this release does with it.
enum class standing : std::uint8_t {
    obeyed,
    ignored,    // has no meaning here; a warning says so once
    later,      // known, not yet obeyed; a warning says so once
    refused,    // known, not yet obeyed, and security rests on it: an error, unless it is written with its default
};

/// One row. All views are to static storage.
struct directive {
    std::string_view name;
    type kind = type::text;
    scope where = scope::global;
    std::string_view standard;              // default as one would write it; empty = not set
    std::string_view doc;                   // one sentence
    std::string_view unit = "";             // of a bare number
    std::string_view mosquitto = "\x01";    // default on Mosquitto listeners when it differs; "\x01" = the same
    std::string_view choices = "";          // choice only: words with blanks between
    bool reloadable = false;                // applied by SIGHUP; otherwise at the next start
    bool repeats = false;                   // several lines add up
    standing status = standing::obeyed;
    std::int64_t least = 0, most = INT64_MAX;   // count; duration: milliseconds
    std::string_view same_as = "";          // an alias: the name that is really meant

    std::string_view standard_for(bool device) const { return device || mosquitto == "\x01" ? standard : mosquitto; }
};

/// The whole table, grouped as in the sample file: Mosquitto's first, then ours.
std::span<directive const> directives();
/// The row of that name (aliases resolved), or null. O(1).
directive const* find(std::string_view name);
/// The known name nearest to a wrong one, or empty when none is near (at most a third of its letters differ).
std::string_view nearest(std::string_view wrong);
/// The heading under which a row stands in the sample file.
std::string_view group_of(directive const& d);
/// `examples/config/full.conf`: every setting with its sentence, unit and default, all of them commented out.
std::string sample();

}
