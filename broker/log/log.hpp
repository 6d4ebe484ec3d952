#pragma once
// One line per event, as text or as JSON, written by a thread of its own. A shard formats the line and hands it over; it
// never waits for a disk. The queue is bounded: when it is full the oldest lines go first and are counted.
//
//   log::info("net", {{"conn", id}, {"cmd", command_id}}, "closed after {} packets", n);
//
// Before set() lines of level warn and above go straight to stderr, so start-up failures are never lost.

#include <atomic>
#include <concepts>
#include <cstdint>
#include <fmt/core.h>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::log {

enum class level : std::uint8_t { debug, info, warn, error, off };
enum class format : std::uint8_t { text, json };

/// One correlating value. Views must live until the call returns, no longer.
struct field {
    enum class type : std::uint8_t { text, integer, number, real, flag };

    template <std::integral T> field(std::string_view k, T v) : key{k} {
        if constexpr (std::same_as<T, bool>) kind = type::flag, integer = v;
        else if constexpr (std::signed_integral<T>) kind = type::integer, integer = v;
        else kind = type::number, number = v;
    }
    template <std::convertible_to<std::string_view> T> field(std::string_view k, T const& v) : key{k}, text{v} {}
    field(std::string_view k, double v) : key{k}, kind{type::real}, real{v} {}

    std::string_view key, text;
    type kind = type::text;
    std::int64_t integer = 0;
    std::uint64_t number = 0;
    double real = 0;
};
using fields = std::initializer_list<field>;

/// Where lines go. `file` is opened for append and reopened by reopen(); `call` is for `log_dest topic` and tests and runs
/// on the log thread, which must not log from inside it.
struct destination {
    enum class type : std::uint8_t { err, out, file, syslog, call };
    type kind = type::err;
    std::string path;                                                    // file only
    std::function<void(level, std::string_view line)> call;              // call only; the line has no newline
};

/// What set() wants to know. An empty list of destinations means silence.
struct options {
    level least = level::info;
    /// Not empty: exactly these levels, whatever lies between them (Mosquitto's log_type lists kinds).
    std::vector<level> only;
    format as = format::text;
    std::vector<destination> to = {destination{}};
    bool timestamps = true;
    std::string timestamp_format;      // strftime, local time; empty = RFC 3339 UTC with milliseconds
    std::string syslog_facility = "daemon";
    std::size_t queue_lines = 8192;    // bound of the queue; policy: overrun oldest, counted by overruns()
};

/// Starts logging, or changes how it is done (reload). Starts a thread: call it after `-d` has forked. Any thread, rarely.
/// Returns an empty string, or what could not be opened (the old destinations stay then).
std::string set(options o);
/// Writes out what is queued and goes back to the state before set(). At the end of main.
void stop();
/// Closes and opens log files again (log rotation). Any thread.
void reopen();
/// Lines lost because the queue was full, since the program started.
std::uint64_t overruns();

namespace detail {
/// A bit per level that is written.
inline std::atomic<std::uint8_t> written{0b1100};
constexpr std::uint8_t from(level l) { return static_cast<std::uint8_t>(0b1111 << static_cast<unsigned>(l) & 0b1111); }
void write(level l, std::string_view room, fields f, fmt::string_view text, fmt::format_args args);
}

/// Would a line of this level be written? One relaxed load; ask it before preparing costly fields.
inline bool enabled(level l) { return detail::written.load(std::memory_order_relaxed) >> static_cast<unsigned>(l) & 1; }
/// Changes the level alone (control socket): this one and all above it.
inline void set_level(level l) { detail::written.store(detail::from(l), std::memory_order_relaxed); }

/// Writes one line. `room` is the folder that speaks ("net", "acl"). Never throws, never waits for I/O; any thread.
template <class... Args> void at(level l, std::string_view room, fields f, fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(l)) detail::write(l, room, f, text, fmt::make_format_args(args...));
}
/// For developers: nothing an operator must read.
template <class... Args> void debug(std::string_view room, fields f, fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(level::debug)) detail::write(level::debug, room, f, text, fmt::make_format_args(args...));
}
/// Something normal happened that an operator may want to follow.
template <class... Args> void info(std::string_view room, fields f, fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(level::info)) detail::write(level::info, room, f, text, fmt::make_format_args(args...));
}
/// Service goes on, but somebody should look.
template <class... Args> void warn(std::string_view room, fields f, fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(level::warn)) detail::write(level::warn, room, f, text, fmt::make_format_args(args...));
}
/// Something that was promised could not be done.
template <class... Args> void error(std::string_view room, fields f, fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(level::error)) detail::write(level::error, room, f, text, fmt::make_format_args(args...));
}

/// A URL fit for a log: values of query parameters and a `user:password@` are replaced by "...". A signed URL is a key.
std::string redact_url(std::string_view url);

/// "debug", "info", ...; and back (false when it is none of them).
std::string_view name(level l);
bool parse(std::string_view text, level& out);

}
