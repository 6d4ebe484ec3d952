#include "broker/codec/disconnect.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/reason_lists.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {

result<disconnect_view> decode_disconnect(byte_view body, version v, sender from) {
    reader in{body};
    disconnect_view p;
    bool const client = from == sender::client;
    if (v == version::v5) {
        if (in.left() > 0) p.code = static_cast<reason>(in.u8());  // left out: success
        // Only a client may change its session's expiry [MQTT-3.14.2-2]; only a server may point elsewhere.
        if (in.left() > 0) read_properties(in, p.props, client ? allowed::disconnect_from_client : allowed::disconnect_from_server);
    }
    in.finish();
    auto const& codes = client ? listed::disconnect_from_client : listed::disconnect_from_server;
    if (in.ok() && !codes.contains(p.code)) in.fail(reason::protocol_error);  // [MQTT-3.14.2-1]
    if (!in.ok()) return {boost::system::in_place_error, in.why()};  // a bare code could also begin the struct
    return p;
}

void encode(bytes& out, disconnect_view const& p, version v) {
    if (v != version::v5 && failed(p.code)) return;
    writer w{out};
    auto const packet = w.begin(packet_type::disconnect);  // [MQTT-3.14.1-1]
    if (v == version::v5 && (p.code != reason::success || p.props.present != 0)) {
        w.u8(static_cast<std::uint8_t>(p.code));
        if (p.props.present != 0) write_properties(w, p.props);
    }
    w.close(packet);
}

}
