#include "broker/codec/unsubscribe.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {

result<unsubscribe_view> decode_unsubscribe(byte_view body, version v) {
    reader in{body};
    unsubscribe_view p;
    p.packet_id = in.u16();
    if (v == version::v5) read_properties(in, p.props, allowed::unsubscribe);
    auto const* const begin = in.at();
    std::size_t count = 0;
    for (; in.left() != 0; ++count) {
        auto const parts = split_filter(in.utf8());  // [MQTT-3.10.3-1]
        if (in.ok() && !parts) in.fail(parts.error());
    }
    if (!in.ok()) return in.why();
    if (p.packet_id == 0) return reason::protocol_error;  // [MQTT-2.2.1-3]
    if (count == 0) return reason::protocol_error;        // [MQTT-3.10.3-2]
    if (count > 65535) return reason::quota_exceeded;
    p.filters = {begin, in.at()};
    p.count = static_cast<std::uint16_t>(count);
    return p;
}

std::string_view unsubscribe_view::next(byte_view& rest) {
    reader in{rest};
    auto const filter = as_text(in.binary());
    rest = in.rest();
    return filter;
}

void encode(bytes& out, unsubscribe_view const& p, version v) {
    writer w{out};
    auto const packet = w.begin(packet_type::unsubscribe, 0x2);  // [MQTT-3.10.1-1]
    w.u16(p.packet_id);
    if (v == version::v5) write_properties(w, p.props);
    w.raw(p.filters);
    w.close(packet);
}

void append_filter(bytes& filters, std::string_view filter) { writer{filters}.utf8(filter); }

}
