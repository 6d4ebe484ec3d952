// UNSUBSCRIBE. Deliveries already begun are finished. [MQTT 5, 3.10] [MQTT-3.10.4-3]

#include "broker/codec/unsubscribe.hpp"
#include "broker/handlers/pending_ack.hpp"

namespace airmail::handlers {

bool mqtt::on_unsubscribe(peer& from, codec::frame const& f) {
    auto const p = codec::decode_unsubscribe(f.body, from.protocol);
    if (!p) return bad(from, p.error(), "UNSUBSCRIBE");
    auto& s = *from.session;
    auto const answer = std::make_shared<pending_ack>();
    answer->type = codec::packet_type::unsuback;
    answer->packet_id = p->packet_id;
    answer->session = s.number, answer->connection = s.connection;
    auto rest = p->filters;
    for (std::uint16_t i = 0; i < p->count; ++i) {
        std::string whole;
        auto const filter = mounted(codec::unsubscribe_view::next(rest), from.rules(), whole);
        bool const had = fanout_.unsubscribe(s, filter);  // character by character [MQTT-3.10.4-1]
        answer->codes.push_back(had ? codec::reason::success : codec::reason::no_subscription_existed);  // [MQTT-3.10.4-5]
        if (!had || !s.stored) continue;
        if (answer->changes++) ledger_.insist(std::move(*answer->last));
        answer->last = storage::drop_subscription{s.number, std::string{filter}};
    }
    if (s.ready && ready_filter(s).empty()) s.ready = false;
    if (!answer->changes) {
        complete(*answer);
        return true;
    }
    ledger_.insist(std::move(*answer->last), router::when_stored([this, answer](boost::system::error_code failed, storage::lsn) {
                       if (failed)
                           for (auto& c : answer->codes)
                               if (c == codec::reason::success) c = codec::reason::unspecified_error;
                       complete(*answer);
                   }));
    return true;
}

}
