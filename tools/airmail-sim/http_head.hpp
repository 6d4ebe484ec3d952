#pragma once
// What an HTTP/1.1 server answered to a ranged GET, and URLs as commands carry them. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::sim {

struct https_url {
    std::string host, target;
    std::uint16_t port = 443;
    /// https only, no user information. IPv6 addresses stand in brackets; host is without them.
    static std::optional<https_url> parse(std::string_view s);
    /// The request for everything from byte `from` on.
    std::string request(std::uint64_t from) const;
};

struct http_head {
    int status = 0;
    std::optional<std::uint64_t> content_length, range_from, range_total;
    bool chunked = false;
    /// @param text  up to and with the empty line
    static std::optional<http_head> parse(std::string_view text);
};

}
