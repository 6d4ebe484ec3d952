#pragma once
// Encoding under the receiver's Maximum Packet Size: explanations are left out before a packet is not sent at all.

#include "broker/codec/packets.hpp"

namespace airmail::codec {

/// Appends `p` if it fits into `maximum` bytes, without User Properties and then without Reason String if need be.
/// `encode(out, p, v)` must exist (connack, ack, suback, disconnect).
/// [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3]
/// [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4]
/// @return false, with nothing appended, when even the bare packet is too big [MQTT-3.1.2-24]
template <class Packet> bool encode_within(bytes& out, Packet p, version v, std::size_t maximum) {
    auto const begin = out.size();
    for (prop const next : {prop::user_property, prop::reason_string}) {
        encode(out, p, v);
        if (out.size() - begin <= maximum) return true;
        out.resize(begin);
        p.props.drop(next);
    }
    encode(out, p, v);
    if (out.size() - begin <= maximum) return true;
    out.resize(begin);
    return false;
}

/// Takes Reason String and User Properties out, for a client that said Request Problem Information 0: for every packet but
/// PUBLISH, CONNACK and DISCONNECT. [MQTT-3.1.2-29]
inline void drop_problem_info(properties& p) {
    p.drop(prop::reason_string);
    p.drop(prop::user_property);
}

}
