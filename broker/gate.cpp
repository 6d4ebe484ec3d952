#include "broker/gate.hpp"

namespace airmail {

handlers::wanted gate::wanted_by(std::string_view topic) const {
    auto const who = host_.topics(topic);
    return {who.consumers, who.durable, who.loose};
}

void gate::on_session(handlers::session_event const& e) {
    host::session_event out;
    out.change = static_cast<sdk::session_change>(e.what);  // the same four, in the same order, in the C ABI
    out.identity = std::string(e.identity);
    out.client_id = std::string(e.client_id);
    out.topic = std::string(e.topic);
    out.note = std::string(e.note);
    out.connection = e.connection;
    out.at_ms = e.at_ms;
    host_.post(std::move(out));
}

bool gate::authenticate(handlers::login const& l, handlers::login_done done) {
    if (!host_.decides_logins()) return false;
    host_.connect(l.identity, l.user, l.password, l.address, [done = std::move(done)](sdk::verdict v, std::string role) { done(v == sdk::verdict::ok, std::move(role)); });
    return true;
}

}
