// AUTH from a peer. Enhanced authentication is not offered: CONNECT with a method was answered with 0x8C, so nobody may send
// this. [MQTT-4.12.0-7]

#include "broker/codec/auth.hpp"
#include "broker/handlers/parked.hpp"

namespace airmail::handlers {

bool mqtt::on_auth(peer& from, codec::frame const& f) {
    auto const p = codec::decode_auth(f.body);
    return bad(from, p ? codec::reason::protocol_error : p.error(), "AUTH without an authentication method");
}

}
