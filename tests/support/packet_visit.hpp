#pragma once
// One door to every decoder and encoder, for tests and fuzzers that take packets as they come.

#include "broker/codec/acks.hpp"
#include "broker/codec/auth.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/framer.hpp"
#include "broker/codec/ping.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/suback.hpp"
#include "broker/codec/subscribe.hpp"
#include "broker/codec/unsubscribe.hpp"

namespace airmail::test {

struct ping_view {
    codec::packet_type type;
};

/// Decodes one whole packet and calls `f(view)` with its struct. Returns success or the decoder's reason.
template <class F> codec::reason visit_packet(codec::frame const& p, codec::version v, codec::sender from, F&& f) {
    auto const pass = [&](auto const& r) {
        if (!r) return r.error();
        f(*r);
        return codec::reason::success;
    };
    using enum codec::packet_type;
    switch (p.type) {
    case connect: return pass(codec::decode_connect(p.body));
    case connack: return pass(codec::decode_connack(p.body, v));
    case publish: return pass(codec::decode_publish(p.flags, p.body, v, from));
    case puback: case pubrec: case pubrel: case pubcomp: return pass(codec::decode_ack(p.type, p.body, v));
    case subscribe: return pass(codec::decode_subscribe(p.body, v));
    case suback: case unsuback: return pass(codec::decode_suback(p.type, p.body, v));
    case unsubscribe: return pass(codec::decode_unsubscribe(p.body, v));
    case pingreq: case pingresp:
        if (auto const r = codec::decode_ping(p.body); !r) return r.error();
        f(ping_view{p.type});
        return codec::reason::success;
    case disconnect: return pass(codec::decode_disconnect(p.body, v, from));
    case auth: return pass(codec::decode_auth(p.body, from));
    }
    return codec::reason::malformed_packet;
}

/// Encodes any struct that visit_packet hands out.
struct encode_any {
    bytes& out;
    codec::version v;
    void operator()(codec::connect_view const& p) const { codec::encode(out, p); }
    void operator()(codec::auth_view const& p) const { codec::encode(out, p); }
    void operator()(ping_view p) const { p.type == codec::packet_type::pingreq ? codec::encode_pingreq(out) : codec::encode_pingresp(out); }
    void operator()(auto const& p) const { codec::encode(out, p, v); }
};

}
