#include "broker/config/parse.hpp"

#include "broker/config/parser.hpp"
#include "broker/config/value.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

extern char** environ;

namespace airmail::config {
namespace {

constexpr std::size_t file_bytes_max = 64u << 20;

bool blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view s) {
    while (!s.empty() && (blank(s.back()) || s.back() == '\r')) s.remove_suffix(1);
    while (!s.empty() && blank(s.front())) s.remove_prefix(1);
    return s;
}

/// Mosquitto's order of included files: letter by letter without case, upper before lower case where only that differs.
bool before(std::string const& a, std::string const& b) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        auto const x = static_cast<unsigned char>(a[i]), y = static_cast<unsigned char>(b[i]);
        if (std::toupper(x) != std::toupper(y)) return std::toupper(x) < std::toupper(y);
        if (x != y) return x < y;
    }
    return a.size() < b.size();
}

std::optional<std::string> read_whole(std::string const& path, std::string& why) {
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) return why = "is a directory", std::nullopt;
    std::ifstream in{path, std::ios::binary};
    if (!in) return why = std::strerror(errno), std::nullopt;
    std::ostringstream all;
    all << in.rdbuf();
    return std::move(all).str();
}

std::optional<std::vector<std::string>> list_folder(std::string const& dir, std::string& why) {
    std::error_code ec;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator i{dir, ec}, end; !ec && i != end; i.increment(ec)) names.push_back(i->path().filename().string());
    if (ec) return why = ec.message(), std::nullopt;
    return names;
}

}

void parser::say(finding::grade g, place at, std::string text) { out_.findings_.push_back({g, *at.file, at.line, std::move(text)}); }

void parser::read_file(std::string const& path, bool main_file) {
    std::string why;
    auto const text = from_.read ? from_.read(path, why) : read_whole(path, why);
    place const at{&path, 0};
    if (!text) return say(finding::grade::error, at, "cannot be read: " + why);
    if (text->size() > file_bytes_max) return say(finding::grade::error, at, "is larger than 64 MiB");
    out_.files_.push_back(path);
    read_text(*text, path, main_file);
}

void parser::read_text(std::string_view text, std::string const& file, bool main_file) {
    block_ = block::none;   // every file begins outside of any block
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    for (int line = 1; !text.empty(); ++line) {
        auto const end = text.find('\n');
        read_line(text.substr(0, end), {&file, line}, main_file);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    }
}

void parser::read_line(std::string_view line, place at, bool main_file) {
    line = trim(line);
    if (line.empty() || line.front() == '#') return;
    if (line.find('\0') != line.npos) return say(finding::grade::error, at, "a NUL byte: this is not a text file");
    auto const end = std::find_if(line.begin(), line.end(), blank);
    auto const key = line.substr(0, static_cast<std::size_t>(end - line.begin()));
    apply(key, trim(line.substr(key.size())), at, main_file);
}

void parser::unknown(std::string_view key, place at) {
    std::string text = "unknown directive \"" + std::string{key.substr(0, 64)} + '"';
    // A file that is no configuration at all has an unknown word in every line: the first ones are enough to help with.
    auto const near = out_.findings_.size() < 50 ? nearest(key) : std::string_view{};
    if (!near.empty()) text.append("; did you mean \"").append(near).append("\"?");
    say(finding::grade::error, at, std::move(text));
}

void parser::plugin_option(std::string_view key, std::string_view value, place at) {
    if (block_ == block::foreign) return;
    if (block_ != block::plugin) return say(finding::grade::error, at, std::string{key} + " must follow an airmail_plugin line");
    auto& p = out_.plugins_.back();
    if (!p.options.emplace(key, value).second) say(finding::grade::error, at, "plugin option \"" + std::string{key} + "\" is given twice");
}

void parser::apply(std::string_view key, std::string_view value, place at, bool main_file) {
    if (key.starts_with("plugin_opt_") && key.size() > 11) return plugin_option(key.substr(11), value, at);
    if (key.starts_with("auth_opt_")) {
        if (block_ != block::foreign) say(finding::grade::error, at, "auth_opt_* must follow an auth_plugin line, which Airmail cannot host yet");
        return;
    }
    auto const* d = find(key);
    if (!d) return unknown(key, at);
    if (d->name == "include_dir") return include(value, at, main_file);
    if (d->where == scope::block) return open_block(*d, value, at);
    if (d->where == scope::bridge) return apply_bridge(key, *d, value, at);
    if (!judge(*d, value, at)) return;
    if (d->where == scope::plugin) {
        if (block_ != block::plugin) return say(finding::grade::error, at, std::string{key} + " must follow an airmail_plugin line");
        auto& all = out_.plugins_.back().options[std::string{d->name}];
        all = d->repeats && !all.empty() ? all + '\n' + std::string{value} : std::string{value};
        return;
    }
    if (d->where == scope::secured && block_ == block::listener && !out_.flag("per_listener_settings")) {
        // Mosquitto reads it as global wherever it stands.
        return store(out_, *d, value, at);
    }
    if (d->name == "per_listener_settings" && !out_.listeners_.empty())
        say(finding::grade::error, at, "per_listener_settings must come before the first listener");
    if (d->name == "per_listener_settings" && to_flag(value).value_or(false) && std::any_of(directives().begin(), directives().end(), [&](directive const& x) { return x.where == scope::secured && out_.settings_.contains(x.name); }))
        say(finding::grade::error, at, "per_listener_settings must come before the lines on authentication that it speaks about");
    store(home(*d), *d, value, at);
}

void parser::apply_bridge(std::string_view key, directive const& d, std::string_view value, place at) {
    if (block_ != block::bridge) return say(finding::grade::error, at, std::string{key} + " must follow a connection line");
    // A password or key is not quoted back.
    bool const secret = d.name == "remote_password" || d.name == "local_password" || d.name == "bridge_psk";
    if (auto const wanted = out_.bridges_.back().set(d.name, value); !wanted.empty())
        say(finding::grade::error, at, std::string{key} + ": expected " + wanted + (secret ? "" : ", got " + (value.empty() ? "nothing" : '"' + std::string{value.substr(0, 64)} + '"')));
}

section& parser::home(directive const& d) {
    bool const own = d.where == scope::listener || d.where == scope::both || d.where == scope::secured;
    if (own && block_ == block::listener) return out_.listeners_.back();
    // With per_listener_settings they speak of the default listener (port 1883), as in Mosquitto: but do not make it.
    if (d.where == scope::secured && out_.flag("per_listener_settings")) return default_;
    if (d.where != scope::listener) return out_;
    default_used_ = true;
    return default_;
}

bool parser::judge(directive const& d, std::string_view value, place at) {
    using enum standing;
    std::string const name{d.name};
    bool const harmless = d.status == refused && !d.standard.empty() && value == d.standard;
    if (d.status == refused && !harmless) {
        say(finding::grade::error, at, name + ": Airmail does not do this yet, and security rests on it; remove the line to go on without");
        if (d.name.find("plugin") != d.name.npos) block_ = block::foreign;
        return false;
    }
    if (auto const wanted = complaint(d, value); !wanted.empty()) {
        say(finding::grade::error, at, name + ": expected " + wanted + ", got " + (value.empty() ? "nothing" : '"' + std::string{value.substr(0, 64)} + '"'));
        return false;
    }
    if ((d.status == later || d.status == ignored) && said_.emplace(d.name).second)
        say(finding::grade::warning, at, name + (d.status == later ? " is known but not yet obeyed: " : " is accepted and ignored: ") + std::string{d.doc});
    return true;
}

void parser::store(section& into, directive const& d, std::string_view value, place at) {
    if (d.name == "device_listener" && &into != &out_) into.device_ = to_flag(value).value_or(false);
    auto& s = into.settings_[std::string{d.name}];
    bool const first = s.values.empty();
    if (!first && !d.repeats && s.file == *at.file && s.values.back() != value)
        say(finding::grade::warning, at, std::string{d.name} + " is written twice; this one holds, not the one in line " + std::to_string(s.line));
    if (!d.repeats) s.values.clear();
    s.values.emplace_back(value);
    s.file = *at.file;
    s.line = at.line;
}

void parser::include(std::string_view dir, place at, bool main_file) {
    if (!main_file) return say(finding::grade::error, at, "include_dir may stand in the main file only");
    if (dir.empty()) return say(finding::grade::error, at, "include_dir: expected a folder, got nothing");
    std::string why;
    std::string const folder{dir};
    auto names = from_.names ? from_.names(folder, why) : list_folder(folder, why);
    if (!names) return say(finding::grade::error, at, "include_dir " + folder + ": " + why);
    std::erase_if(*names, [](std::string const& n) { return !n.ends_with(".conf"); });
    std::sort(names->begin(), names->end(), before);
    auto const outer = block_;
    auto const listeners = out_.listeners_.size();
    for (auto const& n : *names) read_file((folder.ends_with('/') ? folder : folder + '/') + n, false);
    // What stood open goes on, unless the files opened listeners: then the next line would belong to the wrong one.
    block_ = out_.listeners_.size() == listeners && outer != block::plugin ? outer : block::none;
}

void parser::overrides(std::vector<std::pair<std::string, std::string>> const& pairs, std::string const& source, bool environment) {
    for (auto const& [name, value] : pairs) {
        std::string key = name;
        if (environment) {
            if (!key.starts_with("AIRMAIL_")) continue;
            key.erase(0, 8);
            std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        }
        place const at{&source, 0};
        auto const* d = find(key);
        if (!d && environment) {
            say(finding::grade::warning, at, name + " is not a directive's name");
            continue;
        }
        if (!d) {
            unknown(key, at);
        } else if (d->where == scope::global || d->where == scope::both || d->where == scope::secured) {
            if (d->name == "include_dir") say(finding::grade::error, at, "include_dir belongs into a file");
            else if (judge(*d, trim(value), at)) {
                out_.settings_.erase(std::string{d->name});   // wins over every file, also where lines would add up
                store(out_, *d, trim(value), at);
            }
        } else {
            say(finding::grade::error, at, key + " belongs to a listener, plugin or bridge and can only be set in a file");
        }
    }
}

config parser::run() {
    default_.device_ = false;
    for (auto const& f : from_.files) read_file(f, true);
    overrides(from_.environment, "(environment)", true);
    overrides(from_.command_line, "(command line)", false);
    finish();
    return std::move(out_);
}

config parse(sources const& s) { return parser{s}.run(); }

config parse_text(std::string_view text, std::string const& file) {
    sources s;
    s.files = {file};
    s.read = [&](std::string const& path, std::string& why) -> std::optional<std::string> {
        if (path == file) return std::string{text};
        why = "there is only one text here";
        return std::nullopt;
    };
    s.names = [](std::string const&, std::string& why) -> std::optional<std::vector<std::string>> {
        why = "there are no folders here";
        return std::nullopt;
    };
    return parse(s);
}

std::vector<std::pair<std::string, std::string>> process_environment() {
    std::vector<std::pair<std::string, std::string>> out;
    for (char** e = environ; e && *e; ++e) {
        std::string_view const pair{*e};
        auto const eq = pair.find('=');
        if (eq != pair.npos && pair.starts_with("AIRMAIL_")) out.emplace_back(pair.substr(0, eq), pair.substr(eq + 1));
    }
    return out;
}

}
