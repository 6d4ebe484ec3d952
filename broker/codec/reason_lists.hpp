#pragma once
// Which reason codes may stand in which packet, from which side. [MQTT 5, table 2-6]

#include "broker/codec/packets.hpp"

#include <array>

namespace airmail::codec {

/// A constant set of reason codes, one bit each.
class reason_set {
public:
    constexpr reason_set(std::initializer_list<unsigned> codes) {
        for (auto c : codes) bits_[c >> 6] |= std::uint64_t{1} << (c & 63);
    }
    constexpr bool contains(reason r) const {
        auto const c = static_cast<unsigned>(r);
        return bits_[c >> 6] >> (c & 63) & 1;
    }

private:
    std::array<std::uint64_t, 4> bits_{};
};

namespace listed {
inline constexpr reason_set connack{0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C,
                                    0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};            // [MQTT-3.2.2-8]
inline constexpr reason_set puback{0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};            // [MQTT-3.4.2-1] [MQTT-3.5.2-1]
inline constexpr reason_set pubrel{0x00, 0x92};                                                      // [MQTT-3.6.2-1] [MQTT-3.7.2-1]
inline constexpr reason_set suback{0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};  // [MQTT-3.9.3-2]
inline constexpr reason_set unsuback{0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};                      // [MQTT-3.11.3-2]
inline constexpr reason_set disconnect_from_client{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93,
                                                   0x94, 0x95, 0x96, 0x97, 0x98, 0x99};              // [MQTT-3.14.2-1]
inline constexpr reason_set disconnect_from_server{0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
                                                   0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
inline constexpr reason_set auth_from_client{0x18, 0x19};                                            // [MQTT-3.15.2-1]
inline constexpr reason_set auth_from_server{0x00, 0x18};
}

}
