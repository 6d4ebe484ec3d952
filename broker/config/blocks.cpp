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
    for (auto const& b : out_.bridges_)
        if (b.name == value) say(finding::grade::error, at, "connection " + b.name + " is there twice, first in line " + std::to_string(b.line));
    bridge b;
    b.name = value, b.file = *at.file, b.line = at.line;
    out_.bridges_.push_back(std::move(b));
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
    if (!default_used_ && !out_.listeners_.empty())
        for (auto const& [name, s] : default_.settings_) {
            // Mosquitto drops them without a word. What was meant to protect must not be dropped.
            bool const guards = name == "acl_file" || name == "password_file" || name == "psk_file";
            say(guards ? finding::grade::error : finding::grade::warning, {&s.file, s.line}, name + " stands before any listener, where with per_listener_settings it holds for none; move it below the listener that it is meant for");
        }
    if (!out_.listeners_.empty()) return;
    auto ports = from_.ports;
    if (ports.empty()) ports.push_back(1883);
    for (auto const p : ports) {
        listener l;
        l.settings_ = default_.settings_;
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
    for (auto const& b : out_.bridges_)
        if (auto const what = b.missing(); !what.empty()) out_.findings_.push_back({finding::grade::error, b.file, b.line, "connection " + b.name + ' ' + what});
    for (auto const& b : out_.bridges_)
        if (b.tls() && b.insecure) out_.findings_.push_back({finding::grade::warning, b.file, b.line, "connection " + b.name + ": bridge_insecure true: whoever holds any certificate of that CA can pose as the other broker"});
    check_overlap(out_.listeners_, out_.findings_);
    check_secrets(out_, out_.findings_);
    if (!out_.flag("strict")) return;
    for (auto& f : out_.findings_)
        if (f.weight == finding::grade::warning) f.weight = finding::grade::error, f.text += " (strict)";
}

}
