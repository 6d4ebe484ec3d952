#pragma once
// When somebody who is sent away may come back: the user property `retry_after_s`, spread by name, so that those who were sent away
// together do not come back together.

#include "broker/codec/properties.hpp"

#include <functional>
#include <string>

namespace airmail::handlers {

/// Is this a reason that passes: the same client would be welcome a little later?
constexpr bool comes_again(codec::reason r) {
    using enum codec::reason;
    return r == server_shutting_down || r == server_busy || r == server_unavailable || r == quota_exceeded || r == connection_rate_exceeded;
}

/// @param least_s  seconds  @param spread_s  up to so many more  @param name  client id: always the same answer for one
inline std::int64_t retry_after_s(std::int64_t least_s, std::int64_t spread_s, std::string_view name) {
    return least_s + static_cast<std::int64_t>(std::hash<std::string_view>{}(name) % static_cast<std::uint64_t>(spread_s + 1));
}

/// Puts it into `props`. `block` holds the bytes and must live until the packet is encoded.
inline void tell_retry_after(codec::properties& props, bytes& block, std::int64_t seconds) {
    codec::append_user_property(block, "retry_after_s", std::to_string(seconds));
    props.add(codec::prop::user_property);
    props.user_properties = block;
    props.user_property_count = 1;
}

/// From `least_s` to twice as many; says nothing when `least_s` is 0 (airmail_retry_after 0).
inline void tell_retry_after(codec::properties& props, bytes& block, std::uint32_t least_s, std::string_view name) {
    if (least_s) tell_retry_after(props, block, retry_after_s(least_s, least_s, name));
}

}
