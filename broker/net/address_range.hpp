#pragma once
// Who a rule about addresses means: "10.0.0.0/8", "fd00::/8", "192.0.2.7", or "unix" for peers of unix sockets. Pure.

#include "broker/net/socket.hpp"

#include <optional>
#include <string_view>

namespace airmail::net {

/// Immutable.
class address_range {
public:
    /// Nothing when it is neither an address, nor one with the length of a prefix, nor `unix`.
    static std::optional<address_range> parse(std::string_view text);
    bool contains(endpoint const& e) const noexcept;

private:
    std::array<std::uint8_t, 16> base_{};
    unsigned bits_ = 128;       // of 128; IPv4 is ::ffff:a.b.c.d
    bool local_ = false;
};

}
