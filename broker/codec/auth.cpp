#include "broker/codec/auth.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/reason_lists.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {

result<auth_view> decode_auth(byte_view body, sender from) {
    reader in{body};
    auth_view p;
    if (in.left() > 0) {  // an empty body is success without properties
        p.code = static_cast<reason>(in.u8());
        read_properties(in, p.props, allowed::auth);
        if (in.ok() && !p.props.has(prop::auth_method)) in.fail(reason::protocol_error);
    }
    in.finish();
    auto const& codes = from == sender::client ? listed::auth_from_client : listed::auth_from_server;
    if (in.ok() && !codes.contains(p.code)) in.fail(reason::protocol_error);  // [MQTT-3.15.2-1]
    if (!in.ok()) return {boost::system::in_place_error, in.why()};  // a bare code could also begin the struct
    return p;
}

void encode(bytes& out, auth_view const& p) {
    writer w{out};
    auto const packet = w.begin(packet_type::auth);  // [MQTT-3.15.1-1]
    if (p.code != reason::success || p.props.present != 0) {
        w.u8(static_cast<std::uint8_t>(p.code));
        write_properties(w, p.props);
    }
    w.close(packet);
}

}
