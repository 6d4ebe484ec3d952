// Blocks: listeners, plugins, bridges; and what is made of them when all lines are read.

#include "broker/config/parser.hpp"
#include "broker/config/value.hpp"

#include <charconv>

namespace airmail::config {

void parser::open_block(directive const& d, std::string_view value, place at) {
    if (d.name == "listener") return open_listener(value, at);
    if (value.empty()) return say(finding::grade::error, at, std::string{d.name} + ": expected a name, got nothing");
    if (d.name == "airmail_plugin") {
        block_ = block::plugin;
        out_.plugins_.push_back({std::string{value}, {}, *at.file, at.line});
        return;
    }
    block_ = block::bridge;
    bridge_ = value;
    if (said_.emplace(d.name).second) say(finding::grade::warning, at, "bridges are known but not yet obeyed: nothing is bridged to \"" + bridge_ + '"');
}

void parser::open_listener(std::string_view value, place at) {
    block_ = block::listener;
    listener l;
    l.device_ = false;
    auto const blank = value.find(' ');
    auto const digits = value.substr(0, blank);
    auto rest = blank == value.npos ? std::string_view{} : value.substr(blank + 1);
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    auto const [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), l.port);
    bool const number = ec == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
    if (!number || (l.port == 0 && !rest.starts_with('/')))
        say(finding::grade::error, at, "listener: expected PORT [ADDRESS], or 0 and the path of a unix socket, got \"" + std::string{value.substr(0, 64)} + '"');
    if (l.port == 0) l.unix_path = rest;
    else l.address = rest;
    // Kept even when it is wrong: the lines after it belong to it, not to the listener before.
    l.settings_["listener"] = {{std::string{value}}, *at.file, at.line};
    out_.listeners_.push_back(std::move(l));
}

void parser::finish_default_listener() {
    if (default_used_) {
        default_.port = static_cast<std::uint16_t>(default_.number("port"));
        default_.address = default_.text("bind_address");
        out_.listeners_.insert(out_.listeners_.begin(), default_);
    }
    if (!out_.listeners_.empty()) return;
    auto ports = from_.ports;
    if (ports.empty()) ports.push_back(1883);
    for (auto const p : ports) {
        listener l;
        l.device_ = false;
        l.port = p;
        l.local_only = true;
        out_.listeners_.push_back(std::move(l));
    }
}

void parser::finish_listener(listener& l, std::shared_ptr<section const> const& globals) {
    l.above_ = globals;
    l.device_ = l.flag("device_listener");
    check_listener(l, out_.findings_);
}

void parser::finish() {
    static std::string const command_line = "(command line)";
    if (from_.ports.size() > 10) say(finding::grade::error, {&command_line}, "-p may be given at most ten times");
    finish_default_listener();
    auto const globals = std::make_shared<section const>(static_cast<section const&>(out_));
    for (auto& l : out_.listeners_) finish_listener(l, globals);
    check_overlap(out_.listeners_, out_.findings_);
    check_secrets(out_, out_.findings_);
    if (!out_.flag("strict")) return;
    for (auto& f : out_.findings_)
        if (f.weight == finding::grade::warning) f.weight = finding::grade::error, f.text += " (strict)";
}

}
