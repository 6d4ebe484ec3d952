#include "broker/codec/connack.hpp"

#include "broker/codec/reader.hpp"
#include "broker/codec/reason_lists.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

/// What the return codes 0 to 5 of 3.x say in MQTT 5's words.
constexpr reason from_old[] = {reason::success,            reason::unsupported_protocol_version, reason::client_identifier_not_valid,
                               reason::server_unavailable, reason::bad_user_name_or_password,    reason::not_authorized};

}

std::uint8_t old_return_code(reason r) {
    switch (r) {
    case reason::success: return 0;
    case reason::unsupported_protocol_version: return 1;
    case reason::client_identifier_not_valid: return 2;
    case reason::bad_user_name_or_password: return 4;
    case reason::not_authorized:
    case reason::banned:
    case reason::bad_authentication_method:
    case reason::topic_name_invalid:
    case reason::qos_not_supported:
    case reason::retain_not_supported: return 5;
    default: return 3;
    }
}

result<connack_view> decode_connack(byte_view body, version v) {
    reader in{body};
    connack_view p;
    auto const flags = in.u8();
    auto const code = in.u8();
    if (v != version::v31 && flags > 1) in.fail(reason::malformed_packet);  // [MQTT-3.2.2-1]
    p.session_present = v != version::v31 && flags == 1;
    if (v == version::v5) {
        p.code = static_cast<reason>(code);
        if (in.ok() && !listed::connack.contains(p.code)) in.fail(reason::protocol_error);  // [MQTT-3.2.2-8]
        read_properties(in, p.props, allowed::connack);
    } else if (code < std::size(from_old)) {
        p.code = from_old[code];
    } else {
        in.fail(reason::protocol_error);
    }
    in.finish();
    if (in.ok() && p.session_present && p.code != reason::success) in.fail(reason::protocol_error);  // [MQTT-3.2.2-6]
    if (!in.ok()) return in.why();
    return p;
}

void encode(bytes& out, connack_view const& p, version v) {
    writer w{out};
    bool const present = p.session_present && p.code == reason::success && v != version::v31;  // [MQTT-3.2.2-6]
    auto const packet = w.begin(packet_type::connack);
    w.u8(present ? 1 : 0);  // [MQTT-3.2.2-1]
    w.u8(v == version::v5 ? static_cast<std::uint8_t>(p.code) : old_return_code(p.code));
    if (v == version::v5) write_properties(w, p.props);
    w.close(packet);
}

}
