#include "broker/codec/suback.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/reason_lists.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

/// A SUBACK code as this version can say it.
std::uint8_t said(reason r, version v) {
    if (v == version::v5 || !failed(r)) return static_cast<std::uint8_t>(r);
    return v == version::v31 ? 0x00 : 0x80;
}

bool is_listed(packet_type type, reason r, version v) {
    if (v != version::v5) return r == reason::unspecified_error || static_cast<std::uint8_t>(r) <= 2;
    return (type == packet_type::suback ? listed::suback : listed::unsuback).contains(r);
}

}

result<suback_view> decode_suback(packet_type type, byte_view body, version v) {
    reader in{body};
    suback_view p;
    p.type = type;
    p.packet_id = in.u16();
    if (v == version::v5) read_properties(in, p.props, allowed::explained);
    bool const bare = type == packet_type::unsuback && v != version::v5;
    if (bare) in.finish();
    auto const codes = in.rest();
    if (!in.ok()) return in.why();
    if (p.packet_id == 0) return reason::protocol_error;               // [MQTT-2.2.1-6]
    if (codes.empty() && !bare) return reason::protocol_error;         // [MQTT-3.8.4-6]
    p.codes = {reinterpret_cast<reason const*>(codes.data()), codes.size()};
    for (auto code : p.codes)
        if (!is_listed(type, code, v)) return reason::protocol_error;  // [MQTT-3.9.3-2] [MQTT-3.11.3-2]
    return p;
}

void encode(bytes& out, suback_view const& p, version v) {
    writer w{out};
    auto const packet = w.begin(p.type);
    w.u16(p.packet_id);  // [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT-3.10.4-5]
    if (v == version::v5) write_properties(w, p.props);
    if (p.type == packet_type::suback || v == version::v5)
        for (auto code : p.codes) w.u8(said(code, v));  // [MQTT-3.9.3-1] [MQTT-3.11.3-1]
    w.close(packet);
}

}
