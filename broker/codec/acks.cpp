#include "broker/codec/acks.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/reason_lists.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

bool is_listed(packet_type type, reason r) {
    bool const first_answer = type == packet_type::puback || type == packet_type::pubrec;
    return (first_answer ? listed::puback : listed::pubrel).contains(r);
}

/// PUBREL alone carries a flag. [MQTT-3.6.1-1]
std::uint8_t flags_of(packet_type type) { return type == packet_type::pubrel ? 0x2 : 0x0; }

}

result<ack_view> decode_ack(packet_type type, byte_view body, version v) {
    reader in{body};
    ack_view p;
    p.type = type;
    p.packet_id = in.u16();
    if (v == version::v5 && in.left() > 0) p.code = static_cast<reason>(in.u8());       // left out: success
    if (v == version::v5 && in.left() > 0) read_properties(in, p.props, allowed::explained);
    in.finish();
    if (in.ok() && p.packet_id == 0) in.fail(reason::protocol_error);                    // [MQTT-2.2.1-3]
    if (in.ok() && !is_listed(type, p.code)) in.fail(reason::protocol_error);            // [MQTT-3.4.2-1] and relatives
    if (!in.ok()) return in.why();
    return p;
}

void encode(bytes& out, ack_view const& p, version v) {
    if (v != version::v5 || (p.code == reason::success && p.props.present == 0)) return encode_ack(out, p.type, p.packet_id);
    writer w{out};
    auto const packet = w.begin(p.type, flags_of(p.type));
    w.u16(p.packet_id);  // [MQTT-2.2.1-5]
    w.u8(static_cast<std::uint8_t>(p.code));
    if (p.props.present != 0) write_properties(w, p.props);
    w.close(packet);
}

void encode_ack(bytes& out, packet_type type, std::uint16_t packet_id) {
    std::uint8_t const packet[] = {static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags_of(type)), 2,
                                   static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id)};
    out.insert(out.end(), std::begin(packet), std::end(packet));
}

}
