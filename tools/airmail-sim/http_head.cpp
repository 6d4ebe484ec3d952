#include "tools/airmail-sim/http_head.hpp"

#include <algorithm>
#include <charconv>

namespace airmail::sim {

namespace {

std::optional<std::uint64_t> number(std::string_view s) {
    std::uint64_t n = 0;
    auto const [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (ec != std::errc{} || end != s.data() + s.size() || s.empty()) return std::nullopt;
    return n;
}

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
    return s;
}

}

std::optional<https_url> https_url::parse(std::string_view s) {
    constexpr std::string_view scheme = "https://";
    if (!s.starts_with(scheme) || s.find_first_of(" \r\n") != s.npos) return std::nullopt;
    s.remove_prefix(scheme.size());
    auto const slash = std::min(s.find('/'), s.size());
    auto authority = s.substr(0, slash);
    https_url u;
    u.target = slash < s.size() ? std::string(s.substr(slash)) : "/";
    if (authority.find('@') != authority.npos) return std::nullopt;
    auto colon = authority.rfind(':');
    if (authority.starts_with('[')) {
        auto const end = authority.find(']');
        if (end == authority.npos) return std::nullopt;
        u.host = authority.substr(1, end - 1);
        colon = end + 1 < authority.size() ? end + 1 : authority.npos;
    } else {
        u.host = authority.substr(0, std::min(colon, authority.size()));
    }
    if (u.host.empty()) return std::nullopt;
    if (colon != authority.npos) {
        auto const port = number(authority.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) return std::nullopt;
        u.port = static_cast<std::uint16_t>(*port);
    }
    return u;
}

std::string https_url::request(std::uint64_t from) const {
    bool const v6 = host.find(':') != host.npos;
    std::string r = "GET " + target + " HTTP/1.1\r\nHost: " + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + "\r\nUser-Agent: airmail-sim\r\nAccept-Encoding: identity\r\n";
    if (from > 0) r += "Range: bytes=" + std::to_string(from) + "-\r\n";
    return r + "Connection: close\r\n\r\n";
}

std::optional<http_head> http_head::parse(std::string_view text) {
    http_head h;
    if (!text.starts_with("HTTP/1.") || text.size() < 12) return std::nullopt;
    auto const status = number(text.substr(9, 3));
    if (!status) return std::nullopt;
    h.status = static_cast<int>(*status);
    for (auto at = text.find('\n'); at != text.npos;) {
        auto const next = text.find('\n', at + 1);
        auto const line = text.substr(at + 1, next == text.npos ? text.npos : next - at - 1);
        at = next;
        auto const colon = line.find(':');
        if (colon == line.npos) continue;
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
        auto const value = trimmed(line.substr(colon + 1));
        if (name == "content-length") {
            h.content_length = number(value);
            if (!h.content_length) return std::nullopt;
        } else if (name == "transfer-encoding") {
            h.chunked = true;
        } else if (name == "content-range" && value.starts_with("bytes ")) {   // bytes FIRST-LAST/TOTAL [RFC 9110, 14.4]
            auto const dash = value.find('-'), slash = value.find('/');
            if (dash != value.npos) h.range_from = number(value.substr(6, dash - 6));
            if (slash != value.npos) h.range_total = number(value.substr(slash + 1));
        }
    }
    return h;
}

}
