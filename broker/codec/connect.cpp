#include "broker/codec/connect.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

enum connect_flag : std::uint8_t {
    reserved = 0x01, clean_start = 0x02, will_flag = 0x04, will_qos = 0x18, will_retain = 0x20, password = 0x40, user_name = 0x80
};

/// Protocol name and level, which only make sense together.
version read_protocol(reader& in, bool& bridge) {
    auto const name = in.utf8();
    auto level = in.u8();
    bridge = level == 0x83 || level == 0x84;
    if (bridge) level &= 0x7F;
    if (name == "MQTT" && level == 5) return version::v5;
    if (name == "MQTT" && level == 4) return version::v311;
    if (name == "MQIsdp" && level == 3) return version::v31;
    in.fail(reason::unsupported_protocol_version);  // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
    return version::v5;
}

/// Connect Flags that contradict themselves or each other.
void check_flags(reader& in, std::uint8_t flags, version v) {
    bool const will = flags & will_flag;
    if ((flags & will_qos) == will_qos) return in.fail(reason::malformed_packet);  // [MQTT-3.1.2-12]
    if (v == version::v31) return;                      // gives the other combinations no meaning and does not forbid them
    if (flags & reserved) return in.fail(reason::malformed_packet);                // [MQTT-3.1.2-3]
    if (!will && (flags & (will_qos | will_retain))) return in.fail(reason::malformed_packet);  // [MQTT-3.1.2-11] [MQTT-3.1.2-13]
    // 3.1.1 forbids a password without a user name [MQTT 3.1.1, 3.1.2-22]; 5 allows it.
    if (v == version::v311 && (flags & password) && !(flags & user_name)) in.fail(reason::malformed_packet);
}

will_view read_will(reader& in, std::uint8_t flags, version v) {
    will_view will;
    will.qos = static_cast<std::uint8_t>((flags & will_qos) >> 3);
    will.retain = flags & will_retain;
    if (v == version::v5) will.raw_props = read_properties(in, will.props, allowed::will);
    will.topic = in.utf8();      // [MQTT-3.1.3-11]
    will.payload = in.binary();  // [MQTT-3.1.2-9] missing: the reader ran out
    if (in.ok() && !valid_topic_name(will.topic)) in.fail(reason::topic_name_invalid);
    return will;
}

/// An empty client id where the version does not let the server choose one.
bool name_missing(connect_view const& p) {
    if (!p.client_id.empty() || p.protocol == version::v5) return false;
    return p.protocol == version::v31 || !p.clean_start;  // [MQTT 3.1.1, 3.1.3-8]
}

}

result<connect_view> decode_connect(byte_view body) {
    reader in{body};
    connect_view p;
    p.protocol = read_protocol(in, p.bridge);
    auto const flags = in.u8();
    if (in.ok()) check_flags(in, flags, p.protocol);
    p.clean_start = flags & clean_start;
    p.keep_alive = in.u16();
    if (p.protocol == version::v5) read_properties(in, p.props, allowed::connect);
    p.client_id = in.utf8();  // [MQTT-3.1.3-1] the order is fixed [MQTT-3.1.3-3] [MQTT-3.1.3-4]
    if (flags & will_flag) p.will = read_will(in, flags, p.protocol);
    // 3.1: the length of the packet takes precedence over these flags.
    bool const older = p.protocol == version::v31;
    if ((flags & user_name) && !(older && in.left() == 0)) p.user_name = in.utf8();  // [MQTT-3.1.2-17] [MQTT-3.1.3-12]
    if ((flags & password) && !(older && in.left() == 0)) p.password = in.binary();  // [MQTT-3.1.2-19]
    in.finish();                                                                     // [MQTT-3.1.2-16] [MQTT-3.1.2-18]
    if (in.ok() && name_missing(p)) in.fail(reason::client_identifier_not_valid);
    if (!in.ok()) return in.why();
    return p;
}

version answer_version(byte_view body) {
    reader in{body};
    in.binary();
    auto const level = in.u8();
    // Mosquitto's bridges set the high bit of 3 and 4 at first, and want to hear an old refusal.
    return in.ok() && level >= 5 && level < 0x80 ? version::v5 : version::v311;
}

void encode(bytes& out, connect_view const& p) {
    writer w{out};
    bool const five = p.protocol == version::v5;
    auto const packet = w.begin(packet_type::connect);
    w.utf8(p.protocol == version::v31 ? "MQIsdp" : "MQTT");
    w.u8(static_cast<std::uint8_t>(static_cast<unsigned>(p.protocol) | (p.bridge && !five ? 0x80U : 0U)));
    unsigned flags = p.clean_start ? clean_start : 0;
    if (p.will) flags |= will_flag | unsigned{p.will->qos} << 3 | (p.will->retain ? unsigned{will_retain} : 0u);
    if (p.user_name) flags |= user_name;
    if (p.password) flags |= password;
    w.u8(static_cast<std::uint8_t>(flags));
    w.u16(p.keep_alive);
    if (five) write_properties(w, p.props);
    w.utf8(p.client_id);
    if (p.will) {
        if (five) write_properties(w, p.will->props);
        w.utf8(p.will->topic);
        w.binary(p.will->payload);
    }
    if (p.user_name) w.utf8(*p.user_name);
    if (p.password) w.binary(*p.password);
    w.close(packet);
}

}
