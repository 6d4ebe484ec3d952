// DISCONNECT from a peer. [MQTT 5, 3.14]

#include "broker/codec/disconnect.hpp"
#include "broker/handlers/parked.hpp"

namespace airmail::handlers {

bool mqtt::on_disconnect(peer& from, codec::frame const& f) {
    auto const p = codec::decode_disconnect(f.body, from.protocol);
    if (!p) return bad(from, p.error(), "DISCONNECT");
    auto& s = *from.session;
    if (p->props.has(codec::prop::session_expiry)) {
        if (s.expiry_s == 0 && p->props.session_expiry != 0) return bad(from, codec::reason::protocol_error, "session expiry raised from 0");
        s.expiry_s = std::min(p->props.session_expiry, from.rules().session_expiry_max);
    }
    // What a device says about its going, e.g. "reboot": for plugins, so that a planned restart is no crash.
    std::string note;
    byte_view rest = p->props.user_properties;
    for (codec::user_property_view u; p->props.user_property_count && codec::next_user_property(rest, u);)
        if (u.key == "ota") note = u.value.substr(0, 64);
    if (p->code == codec::reason::success) s.last_will.reset();  // [MQTT-3.14.4-3]; 0x04 and failures leave it
    s.clean_disconnect = p->code == codec::reason::success || p->code == codec::reason::disconnect_with_will;
    from.session = nullptr;
    from.welcomed = false;  // nothing more is sent [MQTT-3.14.4-1]
    lost(s, note);
    from.close(codec::reason::success, "client disconnected");
    return false;
}

}
