#pragma once
// What the operator asked for: read once, checked, then immutable. Every getter gives what was written, else the inherited
// value, else the default of the table; so nobody repeats a default in code.

#include "broker/config/bridge.hpp"
#include "broker/config/directives.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::config {

/// Something to tell the operator. Errors stop the start, and make a reload keep the old configuration.
struct finding {
    enum class grade : std::uint8_t { note, warning, error };
    grade weight = grade::error;
    std::string file;      // "(command line)", "(environment)" or a path
    int line = 0;          // 1-based, 0 = none
    std::string text;      // one line
    /// `FILE:LINE: error: text`
    std::string str() const;
};

/// A written value and where it stood.
struct setting {
    std::vector<std::string> values;   // as written, trimmed, checked; more than one only where the directive repeats
    std::string file;
    int line = 0;
};

/// A set of values: the whole broker's, or one listener's. Copyable; views live as long as the config does.
/// A name that is not in the table, or is of another type, throws std::logic_error: that is a bug, not an input.
class section {
public:
    bool flag(std::string_view name) const;
    std::int64_t number(std::string_view name) const;                  ///< type count
    std::uint64_t size(std::string_view name) const;                   ///< type size, bytes
    std::chrono::milliseconds duration(std::string_view name) const;   ///< type duration; expiry: 0 = never
    double percent(std::string_view name) const;                       ///< 0..100
    std::string_view text(std::string_view name) const;                ///< text, path, choice; empty when not set
    std::vector<std::string> list(std::string_view name) const;        ///< a directive that repeats
    /// Was it written here (not inherited, not a default)?
    bool written(std::string_view name) const;
    /// `file:line` of a written value, else "default".
    std::string where(std::string_view name) const;
    /// The effective value of any directive as text, a repeated one joined by commas: for those who parse by themselves.
    std::string as_written(std::string_view name) const;
    /// Everything written in this section, by name.
    std::map<std::string, setting, std::less<>> const& settings() const { return settings_; }

protected:
    friend class parser;
    std::string_view value(std::string_view name, type kind) const;
    setting const* look(std::string_view name) const;
    std::map<std::string, setting, std::less<>> settings_;
    std::shared_ptr<section const> above_;   // a listener's: the globals
    bool device_ = true;                     // which column of defaults
};

/// One listener: `listener PORT [ADDRESS]`, the default one of Mosquitto, or `-p`.
class listener : public section {
public:
    std::uint16_t port = 0;          // 0 with a unix path
    std::string address;             // empty = all addresses
    std::string unix_path;           // `listener 0 /path`
    bool local_only = false;         // nothing was configured: 127.0.0.1 and ::1 only, as Mosquitto does
    /// device_listener true: client certificate, default deny, strict checks, limits of the device column.
    bool device() const { return device_; }
    /// mqtt or websockets.
    std::string_view protocol() const { return text("protocol"); }
    bool tls() const { return !text("certfile").empty() || psk(); }
    /// Pre-shared keys instead of certificates.
    bool psk() const { return !text("psk_hint").empty(); }
    /// Mosquitto's rule: written value, else true only when nothing was configured; never true by default for devices.
    bool allow_anonymous() const;
    std::string name() const;        // for logs: "8883", "127.0.0.1:1883", "unix:/run/x"
};

/// `airmail_plugin NAME|PATH` and the `plugin_opt_*` lines after it.
struct plugin_block {
    std::string name;                            // as written: a built-in's name, or a path when it contains '/'
    std::map<std::string, std::string> options;  // without the plugin_opt_ prefix
    std::string file;
    int line = 0;
    bool is_path() const { return name.find('/') != std::string::npos; }
};

/// The whole configuration. Cheap to copy (shared, immutable).
class config : public section {
public:
    std::vector<listener> const& listeners() const { return listeners_; }
    std::vector<plugin_block> const& plugins() const { return plugins_; }
    std::vector<bridge> const& bridges() const { return bridges_; }
    /// In the order found; --test-config prints them.
    std::vector<finding> const& findings() const { return findings_; }
    /// No finding is an error.
    bool ok() const;
    /// The files that were read, main file first.
    std::vector<std::string> const& files() const { return files_; }

private:
    friend class parser;
    std::vector<listener> listeners_;
    std::vector<plugin_block> plugins_;
    std::vector<bridge> bridges_;
    std::vector<finding> findings_;
    std::vector<std::string> files_;
};

}
