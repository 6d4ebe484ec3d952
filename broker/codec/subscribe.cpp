#include "broker/codec/subscribe.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

enum option : std::uint8_t { qos_bits = 0x03, no_local = 0x04, retain_as_published = 0x08, retain_handling = 0x30, reserved = 0xC0 };

subscription_view split_options(std::string_view filter, std::uint8_t o) {
    return {filter, static_cast<std::uint8_t>(o & qos_bits), (o & no_local) != 0, (o & retain_as_published) != 0,
            static_cast<std::uint8_t>((o & retain_handling) >> 4)};
}

/// One filter with its options, checked.
void check_one(reader& in, version v) {
    auto const filter = in.utf8();  // [MQTT-3.8.3-1]
    auto const options = in.u8();
    if (!in.ok()) return;
    auto const known = v == version::v5 ? std::uint8_t(~reserved) : std::uint8_t{qos_bits};
    if (options & ~known) return in.fail(reason::malformed_packet);  // [MQTT-3.8.3-5]
    auto const s = split_options(filter, options);
    if (s.qos == 3 || s.retain_handling == 3) return in.fail(v == version::v5 ? reason::protocol_error : reason::malformed_packet);
    auto const parts = split_filter(filter);
    if (!parts) return in.fail(parts.error());
    if (parts->shared() && s.no_local) in.fail(reason::protocol_error);  // [MQTT-3.8.3-4]
}

}

result<subscribe_view> decode_subscribe(byte_view body, version v) {
    reader in{body};
    subscribe_view p;
    p.packet_id = in.u16();
    if (v == version::v5) read_properties(in, p.props, allowed::subscribe);
    auto const* const begin = in.at();
    std::size_t count = 0;
    for (; in.left() != 0; ++count) check_one(in, v);
    if (!in.ok()) return in.why();
    if (p.packet_id == 0) return reason::protocol_error;  // [MQTT-2.2.1-3]
    if (count == 0) return reason::protocol_error;        // [MQTT-3.8.3-2]
    if (count > 65535) return reason::quota_exceeded;
    p.filters = {begin, in.at()};
    p.count = static_cast<std::uint16_t>(count);
    return p;
}

subscription_view subscribe_view::next(byte_view& rest, version) {
    reader in{rest};
    auto const filter = as_text(in.binary());
    auto const options = in.u8();
    rest = in.rest();
    return split_options(filter, options);
}

void encode(bytes& out, subscribe_view const& p, version v) {
    writer w{out};
    auto const packet = w.begin(packet_type::subscribe, 0x2);  // [MQTT-3.8.1-1]
    w.u16(p.packet_id);
    if (v == version::v5) write_properties(w, p.props);
    w.raw(p.filters);
    w.close(packet);
}

void append_filter(bytes& filters, subscription_view const& s, version v) {
    writer w{filters};
    w.utf8(s.filter);
    unsigned options = s.qos;
    if (v == version::v5) {
        options |= (s.no_local ? unsigned{no_local} : 0u) | (s.retain_as_published ? unsigned{retain_as_published} : 0u);
        options |= unsigned{s.retain_handling} << 4;
    }
    w.u8(static_cast<std::uint8_t>(options));
}

}
