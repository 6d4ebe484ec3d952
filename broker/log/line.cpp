#include "broker/log/line.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>

#include <ctime>

namespace airmail::log {
namespace {

/// Length of the well-formed UTF-8 sequence at `s`, 0 when there is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view s) {
    auto const at = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
    auto const tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
    unsigned const a = at(0), b = at(1);
    if (a < 0x80) return 1;
    if (a >= 0xC2 && a <= 0xDF) return tail(1) ? 2 : 0;
    if (a >= 0xE0 && a <= 0xEF) {
        if (!tail(1) || !tail(2) || (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F)) return 0;
        return 3;
    }
    if (a >= 0xF0 && a <= 0xF4) {
        if (!tail(1) || !tail(2) || !tail(3) || (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F)) return 0;
        return 4;
    }
    return 0;
}

/// Appends text that can neither end the line nor move a terminal's cursor.
void append_escaped(std::string& out, std::string_view s, bool quoted) {
    while (!s.empty()) {
        auto const n = utf8_length(s);
        auto const c = static_cast<unsigned char>(s.front());
        bool const c1 = n == 2 && c == 0xC2 && static_cast<unsigned char>(s[1]) < 0xA0;   // C1 controls
        if (c == '\n') out += "\\n";
        else if (c == '\t') out += "\\t";
        else if (c == '\r') out += "\\r";
        else if (quoted && (c == '"' || c == '\\')) out += '\\', out += static_cast<char>(c);
        else if (n == 0 || c < 0x20 || c == 0x7F || c1) fmt::format_to(std::back_inserter(out), "\\x{:02x}", c1 ? static_cast<unsigned char>(s[1]) : c);
        else out.append(s, 0, n);
        s.remove_prefix(n == 0 ? 1 : n);
    }
}

bool needs_quotes(std::string_view s) {
    if (s.empty()) return true;
    for (char const c : s)
        if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F) return true;
    return false;
}

void append_value(std::string& out, field const& f) {
    switch (f.kind) {
    case field::type::integer: fmt::format_to(std::back_inserter(out), "{}", f.integer); return;
    case field::type::number: fmt::format_to(std::back_inserter(out), "{}", f.number); return;
    case field::type::real: fmt::format_to(std::back_inserter(out), "{}", f.real); return;
    case field::type::flag: out += f.integer ? "true" : "false"; return;
    case field::type::text: break;
    }
    bool const quoted = needs_quotes(f.text);
    if (quoted) out += '"';
    append_escaped(out, f.text, quoted);
    if (quoted) out += '"';
}

std::string as_utf8(std::string_view s) {
    std::string out;
    out.reserve(s.size());
    while (!s.empty()) {
        auto const n = utf8_length(s);
        if (n == 0) out += "\xEF\xBF\xBD";
        else out.append(s, 0, n);
        s.remove_prefix(n == 0 ? 1 : n);
    }
    return out;
}

/// Boost.JSON escapes every string, keys too.
void append_json(std::string& out, std::string_view key, std::string_view value) {
    if (out.size() > 1) out += ',';
    out += boost::json::serialize(boost::json::string_view{key.data(), key.size()});
    out += ':';
    out += boost::json::serialize(boost::json::string(as_utf8(value)));
}

void append_json(std::string& out, field const& f) {
    if (f.kind == field::type::text) return append_json(out, f.key, f.text);
    out += ',';
    out += boost::json::serialize(boost::json::string_view{f.key.data(), f.key.size()});
    out += ':';
    if (f.kind == field::type::real && !(f.real - f.real == 0)) out += "null";   // JSON has no infinity
    else append_value(out, f);
}

}

std::string text_line(std::string_view stamp, level l, std::string_view room, fields f, std::string_view text) {
    std::string out;
    out.reserve(stamp.size() + text.size() + 64);
    if (!stamp.empty()) out.append(stamp).append(1, ' ');
    out.append(name(l)).append(1, ' ').append(room).append(": ");
    append_escaped(out, text, false);
    for (auto const& one : f) {
        out.append(1, ' ').append(one.key).append(1, '=');
        append_value(out, one);
    }
    return out;
}

std::string json_line(std::string_view stamp, level l, std::string_view room, fields f, std::string_view text) {
    std::string out = "{";
    out.reserve(stamp.size() + text.size() + 96);
    if (!stamp.empty()) append_json(out, "ts", stamp);
    append_json(out, "level", name(l));
    append_json(out, "room", room);
    append_json(out, "msg", text);
    for (auto const& one : f) append_json(out, one);
    out += '}';
    return out;
}

std::string stamp(std::chrono::system_clock::time_point at, std::string const& format) {
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
    auto const seconds = static_cast<std::time_t>(ms / 1000);
    std::tm parts{};
    char buffer[128];
    if (!format.empty()) {
        localtime_r(&seconds, &parts);
        return {buffer, std::strftime(buffer, sizeof buffer, format.c_str(), &parts)};
    }
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                       parts.tm_hour, parts.tm_min, parts.tm_sec, ms % 1000);
}

std::string_view name(level l) {
    switch (l) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warn: return "warn";
    case level::error: return "error";
    case level::off: break;
    }
    return "off";
}

bool parse(std::string_view text, level& out) {
    for (auto l : {level::debug, level::info, level::warn, level::error, level::off})
        if (name(l) == text) return out = l, true;
    return false;
}

std::string redact_url(std::string_view url) {
    std::string out;
    auto const query = url.find_first_of("?#");
    auto head = url.substr(0, query);
    if (auto const scheme = head.find("://"); scheme != head.npos) {
        auto const authority_end = head.find('/', scheme + 3);
        auto const at = head.substr(0, authority_end).rfind('@');
        if (at != head.npos && at > scheme) {
            out.append(head.substr(0, scheme + 3)).append("...");
            head.remove_prefix(at);
        }
    }
    out.append(head);
    if (query == url.npos) return out;
    bool value = false;
    for (char const c : url.substr(query)) {
        if (c == '?' || c == '&' || c == ';' || c == '#') value = false;
        if (!value) out += c;
        if (c == '=' && !value) value = true, out += "...";
    }
    return out;
}

}
