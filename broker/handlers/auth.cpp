// Enhanced authentication: AUTH before CONNACK, and again at the client's wish after it. The built-in method is SCRAM-SHA-256
// against the password file; everything that is not exactly right is refused. [MQTT 5, 4.12]

#include "broker/codec/auth.hpp"
#include "broker/handlers/metrics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/handlers/refusals.hpp"
#include "broker/log/log.hpp"

namespace airmail::handlers {
acl::scram_exchange::look_up mqtt::verifiers_of(peer& from) const {
    return [this, port = from.rules().port](std::string_view user) { return world_.scram(port, user); };
}

void mqtt::begin_proof(peer& from, std::unique_ptr<hello> h, codec::connect_view const& c) {
    auto proof = std::make_unique<acl::scram_exchange>();
    auto const answer = proof->begin(as_text(c.props.auth_data), verifiers_of(from));
    if (answer.empty() || (c.user_name && *c.user_name != proof->user())) {
        metric::proofs_bad.add(), metric::refused_login.add();
        return refuse_connect(from, c.protocol, codec::reason::not_authorized, "SCRAM could not begin");  // [MQTT-4.12.0-4]
    }
    h->who.name = proof->user();
    h->who.how = acl::proof::password;
    auto waiting = std::make_unique<parked>();
    waiting->from = &from;
    waiting->greeting = std::move(h);
    waiting->proof = std::move(proof);
    auto const number = from.connection_number();
    parked_[number] = std::move(waiting);
    if (say_auth(from, codec::reason::continue_authentication, answer)) return;  // [MQTT-4.12.0-2]
    parked_.erase(number);
    from.close(codec::reason::packet_too_large, "AUTH is larger than the client's Maximum Packet Size");
}

bool mqtt::say_auth(peer& from, codec::reason r, std::string_view data) {
    codec::auth_view a{r};
    a.props.add(codec::prop::auth_method), a.props.auth_method = acl::scram_method;  // [MQTT-4.12.0-5]
    a.props.add(codec::prop::auth_data), a.props.auth_data = as_bytes(data);
    auto& out = from.out();
    auto const begin = out.size();
    codec::encode(out, a);
    if (out.size() - begin <= from.packet_bytes_allowed()) return true;
    out.resize(begin);
    return false;
}

bool mqtt::prove(peer& from, parked& waiting, codec::frame const& f) {
    auto const number = from.connection_number();
    auto const refuse = [&](codec::reason r, std::string_view why) {
        metric::proofs_bad.add(), metric::refused_login.add();
        if (refusals.may(shard_.now())) log::info("handlers", {{"conn", number}, {"addr", from.address()}, {"client_id", waiting.greeting->who.client_id}}, "login refused: {}", why);
        parked_.erase(number);
        refuse_connect(from, codec::version::v5, r, why);
        return false;
    };
    if (f.type == codec::packet_type::disconnect) {
        parked_.erase(number);
        from.close(codec::reason::success, "client disconnected");
        return false;
    }
    if (f.type != codec::packet_type::auth) return refuse(codec::reason::protocol_error, "only AUTH or DISCONNECT may follow");  // [MQTT-3.1.2-30]
    auto const p = codec::decode_auth(f.body);
    if (!p) return refuse(p.error(), "AUTH");
    if (p->code != codec::reason::continue_authentication || p->props.auth_method != acl::scram_method)  // [MQTT-4.12.0-3] [MQTT-4.12.0-5]
        return refuse(codec::reason::protocol_error, "AUTH of another kind");
    auto last = waiting.proof->finish(as_text(p->props.auth_data));
    if (last.empty()) return refuse(codec::reason::not_authorized, "SCRAM proof");
    metric::proofs_good.add();
    waiting.proof.reset();
    waiting.greeting->auth_data = std::move(last);
    // A plugin that decides logins decides this one too: both must agree.
    login l;
    l.user = l.identity = waiting.greeting->who.name;
    l.address = from.address();
    l.client_id = waiting.greeting->who.client_id;
    if (world_.gate && world_.gate->authenticate(l, answer_to(number))) return from.pause_reading(true), true;
    decided(number, true, {});
    return true;
}

bool mqtt::on_auth(peer& from, codec::frame const& f) {
    auto const p = codec::decode_auth(f.body);
    if (!p) return bad(from, p.error(), "AUTH");
    auto& s = *from.session;
    if (!s.enhanced) return bad(from, codec::reason::protocol_error, "AUTH without an authentication method in CONNECT");  // [MQTT-4.12.0-7]
    if (p->props.auth_method != acl::scram_method) return bad(from, codec::reason::protocol_error, "AUTH with another method");  // [MQTT-4.12.1-1]
    auto const number = from.connection_number();
    auto const under_way = proofs_.find(number);
    if ((p->code == codec::reason::re_authenticate) == (under_way != proofs_.end()))
        return bad(from, codec::reason::protocol_error, "AUTH out of turn");
    auto const refuse = [&] {
        metric::proofs_bad.add();
        proofs_.erase(number);
        if (refusals.may(shard_.now())) log::info("handlers", {{"conn", number}, {"id", s.name()}}, "re-authentication refused");
        return bad(from, codec::reason::not_authorized, "re-authentication");  // [MQTT-4.12.1-2]
    };
    if (under_way == proofs_.end()) {
        auto& proof = proofs_[number];
        auto const answer = proof.begin(as_text(p->props.auth_data), verifiers_of(from));
        // Somebody else's right password does not make this session theirs.
        if (answer.empty() || proof.user() != s.name()) return refuse();
        return say_auth(from, codec::reason::continue_authentication, answer) || bad(from, codec::reason::packet_too_large, "AUTH");
    }
    auto const last = under_way->second.finish(as_text(p->props.auth_data));
    if (last.empty()) return refuse();
    proofs_.erase(number);
    metric::proofs_good.add();
    return say_auth(from, codec::reason::success, last) || bad(from, codec::reason::packet_too_large, "AUTH");
}

}
