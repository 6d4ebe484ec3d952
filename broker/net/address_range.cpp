#include "broker/net/address_range.hpp"

#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace airmail::net {

std::optional<address_range> address_range::parse(std::string_view text) {
    address_range r;
    if (text == "unix") return r.local_ = true, r;
    auto const slash = text.find('/');
    std::string const address{text.substr(0, slash)};
    unsigned most = 128;
    if (::inet_pton(AF_INET6, address.c_str(), r.base_.data()) != 1) {
        most = 32;
        r.base_ = {};
        r.base_[10] = r.base_[11] = 0xFF;
        if (::inet_pton(AF_INET, address.c_str(), r.base_.data() + 12) != 1) return {};
    }
    unsigned length = most;
    if (slash != text.npos) {
        auto const digits = text.substr(slash + 1);
        auto const [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (ec != std::errc{} || end != digits.data() + digits.size() || length > most) return {};
    }
    r.bits_ = 128 - most + length;
    return r;
}

bool address_range::contains(endpoint const& e) const noexcept {
    if (local_ || e.kind == endpoint::family::local) return local_ && e.kind == endpoint::family::local;
    auto const whole = bits_ / 8;
    if (std::memcmp(base_.data(), e.address.data(), whole) != 0) return false;
    auto const rest = bits_ % 8;
    if (!rest) return true;
    auto const mask = static_cast<std::uint8_t>(0xFF << (8 - rest));
    return (base_[whole] & mask) == (e.address[whole] & mask);
}

}
