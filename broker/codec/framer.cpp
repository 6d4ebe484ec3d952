#include "broker/codec/framer.hpp"

namespace airmail::codec {
namespace {

/// Fixed-header flags that are not the packet's to choose. [MQTT-2.1.3-1]
bool flags_valid(packet_type type, std::uint8_t flags, version v) {
    switch (type) {
    case packet_type::publish: return true;  // its decoder reads them
    case packet_type::pubrel:                // [MQTT-3.6.1-1]
    case packet_type::subscribe:             // [MQTT-3.8.1-1]
    case packet_type::unsubscribe:           // [MQTT-3.10.1-1]
        // 3.1 let a sender mark these as repeated.
        return flags == 0x2 || (v == version::v31 && (flags & 0x7) == 0x2);
    default: return flags == 0;  // [MQTT-3.14.1-1] [MQTT-3.15.1-1]
    }
}

}

result<frame> next_frame(byte_view in, version v, std::size_t maximum) {
    frame f;
    if (in.empty()) {
        f.need = 2;
        return f;
    }
    f.type = static_cast<packet_type>(in[0] >> 4);
    f.flags = in[0] & 0x0F;
    if (in[0] >> 4 == 0 || (f.type == packet_type::auth && v != version::v5)) return reason::malformed_packet;
    if (!flags_valid(f.type, f.flags, v)) return reason::malformed_packet;  // [MQTT-2.1.3-1]

    auto const length = get_varint(in.data() + 1, in.size() - 1);
    if (length.state == varint_step::malformed) return reason::malformed_packet;  // [MQTT-1.5.5-1]
    if (length.state == varint_step::more) {
        f.need = 1;
        return f;
    }
    auto const header = std::size_t{1} + length.size;
    auto const size = header + length.value;
    if (size > maximum) return reason::packet_too_large;  // before a byte of it is kept [MQTT-3.2.2-15]
    if (in.size() < size) {
        f.need = size - in.size();
        return f;
    }
    f.size = size;
    f.body = in.subspan(header, length.value);
    return f;
}

std::string_view name(packet_type type) {
    static constexpr std::string_view names[] = {"reserved", "CONNECT",     "CONNACK",  "PUBLISH", "PUBACK",   "PUBREC",     "PUBREL", "PUBCOMP",
                                                 "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
    return names[static_cast<unsigned>(type) & 0x0F];
}

}
