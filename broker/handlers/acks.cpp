// PUBACK, PUBREC, PUBREL, PUBCOMP from a peer. [MQTT 5, 4.3]

#include "broker/codec/acks.hpp"
#include "broker/codec/within.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/handlers/words.hpp"

namespace airmail::handlers {

bool mqtt::on_ack(peer& from, codec::frame const& f) {
    auto const a = codec::decode_ack(f.type, f.body, from.protocol);
    if (!a) return bad(from, a.error(), "acknowledgement");
    auto& s = *from.session;
    if (f.type == codec::packet_type::pubrel) return on_pubrel(from, s, *a);
    // An id we do not know is answered (PUBREC) or ignored: it may be the echo of what a takeover cut.
    delivery_.acknowledged(s, f.type, a->packet_id, a->code);
    return true;
}

bool mqtt::on_pubrel(peer& from, session::session& s, codec::ack_view const& a) {
    bool const known = s.receiving_if() && s.receiving_if()->ids.remove(a.packet_id);
    if (known) {
        if (s.v5()) s.unanswered -= s.unanswered > 0;
        // Lazily: a replayed PUBREL is harmless. [reliability.md 3, rule 2]
        if (s.stored) ledger_.insist(storage::forget_qos2_in{s.number, a.packet_id});
    }
    auto const r = known || !s.v5() ? codec::reason::success : codec::reason::packet_identifier_not_found;
    codec::ack_view answer{codec::packet_type::pubcomp, a.packet_id, r};
    if (codec::failed(r) && s.problem_info) answer.props.explain(words(r));
    codec::encode_within(from.out(), answer, from.protocol, from.packet_bytes_allowed());  // [MQTT-4.3.3-11] [MQTT-3.7.2-2]
    return true;
}

}
