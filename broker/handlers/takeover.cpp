// The same client comes again: its old connection gives way. [MQTT-3.1.4-3]

#include "broker/handlers/metrics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/handlers/words.hpp"

namespace airmail::handlers {

void mqtt::take_over(session::session& s, bool ends) {
    if (auto const waiting = parked_.find(s.connection); waiting != parked_.end() && waiting->second->session == s.number) {
        // Not even welcomed yet.
        auto& old = *waiting->second->from;
        parked_.erase(waiting);
        metric::taken_over.add();
        refuse_connect(old, old.protocol, codec::reason::server_busy, "the client connected again");
    }
    if (s.connected()) {
        auto& old = peer_of(s);
        metric::taken_over.add();
        // The old connection counts as lost: its will goes out now unless a delay was asked for and the session lives on.
        s.clean_disconnect = false;
        proofs_.erase(s.connection);
        s.detach();
        metric::connected.add(-1);
        old.close(codec::reason::session_taken_over, words(codec::reason::session_taken_over));
        old.session = nullptr;
        if (s.ready) tell_plugins(s, session_event::kind::gone_crash, ready_filter(s), {});
        s.ready = false;
        fanout_.online(s, false);
        if (s.last_will && s.last_will->delay_s == 0) publish_will(s);
    } else if (wills_wait_ && s.last_will && s.last_will->delay_s == 0) {
        publish_will(s);   // it was due, and had to wait for others
    }
    if (ends) end(s);  // a will still there goes out with the session's end
    else s.last_will.reset();  // [MQTT-3.1.3-9]
}

}
