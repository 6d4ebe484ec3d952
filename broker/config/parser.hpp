#pragma once
// The state of one parse: which block the next line belongs to. Inside of this folder only.

#include "broker/config/parse.hpp"

#include <set>

namespace airmail::config {

/// Where a line stood.
struct place {
    std::string const* file;
    int line = 0;
};

/// Single use: run() once.
class parser {
public:
    explicit parser(sources const& s) : from_{s} {}
    config run();

private:
    /// The block that lines belong to until the next one opens.
    enum class block { none, listener, plugin, bridge, foreign /* a plugin we refused: its options are not ours to judge */ };

    void read_file(std::string const& path, bool main_file);
    void read_text(std::string_view text, std::string const& file, bool main_file);
    void read_line(std::string_view line, place at, bool main_file);
    void apply(std::string_view key, std::string_view value, place at, bool main_file);
    void apply_bridge(std::string_view key, directive const& d, std::string_view value, place at);
    void plugin_option(std::string_view key, std::string_view value, place at);
    void open_block(directive const& d, std::string_view value, place at);
    void open_listener(std::string_view value, place at);
    void include(std::string_view dir, place at, bool main_file);
    bool judge(directive const& d, std::string_view value, place at);
    void store(section& into, directive const& d, std::string_view value, place at);
    section& home(directive const& d);
    void unknown(std::string_view key, place at);
    void overrides(std::vector<std::pair<std::string, std::string>> const& pairs, std::string const& source, bool environment);
    void finish();
    void finish_default_listener();
    void finish_listener(listener& l, std::shared_ptr<section const> const& globals);
    void say(finding::grade g, place at, std::string text);

    sources const& from_;
    config out_;
    block block_ = block::none;
    listener default_;                   // Mosquitto's, alive when a line belongs to it
    bool default_used_ = false;
    std::set<std::string, std::less<>> said_;   // directives warned about once
};

/// What is wrong or risky across lines: a device listener without a CA, plain text on all addresses.
void check_listener(listener const& l, std::vector<finding>& out);
/// The same address twice.
/// Passwords that stand in the configuration itself.
void check_secrets(section const& c, std::vector<finding>& out);
void check_overlap(std::vector<listener> const& all, std::vector<finding>& out);

}
