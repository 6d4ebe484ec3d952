#include "broker/net/newcomer.hpp"

#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/handlers/home.hpp"
#include "broker/log/log.hpp"
#include "broker/net/counters.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>

namespace airmail::net {

newcomer::newcomer(hub& h, descriptor fd, origin_ptr from, endpoint address, std::uint64_t number)
    : hub_{h}, peer_{std::make_unique<arrival>()} {
    peer_->wire = channel{std::move(fd)};
    peer_->from = std::move(from);
    peer_->address = address;
    peer_->number = number;
    peer_->accepted_at = hub_.shard().now();
    count::newcomers.add(1);
}

newcomer::~newcomer() {
    count::newcomers.add(-1);
    if (counted_in_) hub_.others().doors.leave(peer_->address, *peer_->from->count, false);
}

void newcomer::start() {
    auto const& from = *peer_->from;
    int const fd = peer_->wire.fd();
    shard::instant due = peer_->accepted_at + from.limits.connect_timeout;
    if (from.security) {
        security_ = from.security->current();
        ssl_ptr ssl = security_->accept(fd);
        if (!ssl) return drop(errc::tls_failed, "no memory for TLS");
        peer_->wire.attach(std::move(ssl));
        stage_ = stage::handshake;
        handshake_counted_ = true;
        hub_.handshake_began();
        due = std::min(due, peer_->accepted_at + from.limits.handshake_timeout);
    }
    if (!hub_.sockets().add(fd, *this, EPOLLIN)) return drop(errc::socket_failed);
    hub_.shard().timers().arm(deadline_, due);
}

void newcomer::too_late(shard::timer& t) {
    auto& self = static_cast<deadline&>(t).of;
    if (self.stage_ == stage::handshake) {
        count::handshake_timeout.add();
        self.drop(errc::handshake_timeout);
    } else {
        self.drop(errc::connect_timeout);
    }
}

void newcomer::ready(std::uint32_t events) {
    if (stage_ == stage::over) return;
    if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN)) {
        if (stage_ == stage::handshake) count::handshake_closed.add();
        return drop(errc::closed_by_peer);
    }
    stage_ == stage::handshake ? shake() : read();
}

void newcomer::shake() {
    // Not now: the socket stays ready, and the next turn asks again. Those who are connected come first.
    if (!hub_.take_handshake_step()) return count::handshakes_deferred.add();
    auto const r = peer_->wire.handshake();
    switch (r.what) {
    case step_result::wait_read: return hub_.sockets().change(peer_->wire.fd(), *this, EPOLLIN);
    case step_result::wait_write: return hub_.sockets().change(peer_->wire.fd(), *this, EPOLLOUT);
    case step_result::done: return welcome_certificate();
    case step_result::end:
    case step_result::failed: return count_handshake_failure();
    }
}

void newcomer::count_handshake_failure() {
    auto const error = ERR_peek_error();
    int const why = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    if (error == 0) count::handshake_closed.add();
    else if (why == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) count::handshake_no_certificate.add();
    else if (why == SSL_R_CERTIFICATE_VERIFY_FAILED) count::handshake_certificate.add();
    else count::handshake_protocol.add();
    std::string text = take_openssl_error();
    if (why == SSL_R_CERTIFICATE_VERIFY_FAILED)
        text = X509_verify_cert_error_string(SSL_get_verify_result(peer_->wire.ssl()));
    // A client that went away in the middle is no news.
    drop(error == 0 ? errc::closed_by_peer : errc::tls_failed, text);
}

void newcomer::welcome_certificate() {
    SSL* ssl = peer_->wire.ssl();
    hub_.handshake_ended();
    handshake_counted_ = false;
    if (X509 const* presented = SSL_get0_peer_certificate(ssl); presented && peer_->from->read_identity) {
        auto who = std::make_unique<acl::identity>();
        std::string why;
        if (!peer_->from->read_identity(presented, *who, why)) {
            count::handshake_identity.add();
            return drop(errc::identity_refused, why);
        }
        peer_->certificate = std::move(who);
    }
    // use_identity_as_username: a pre-shared key's identity is the user. Without it the key only opens the door.
    if (security_->psk() && peer_->from->rules->username_is_identity) {
        peer_->certificate = std::make_unique<acl::identity>();
        peer_->certificate->name = security_->psk_identity(ssl);
        peer_->certificate->how = acl::proof::psk;
    }
    security_->strip(ssl);
    security_.reset();
    count::handshakes.add();
    stage_ = stage::connect;
    hub_.sockets().change(peer_->wire.fd(), *this, EPOLLIN);
    hub_.shard().timers().arm(deadline_, peer_->accepted_at + peer_->from->limits.connect_timeout);
    // CONNECT may have come in the same flight as the client's Finished.
    read();
}

void newcomer::read() {
    auto const room = hub_.shard().read_buffer();
    auto const r = peer_->wire.read(room.first(hub_.budget().bytes));
    if (r.what == step_result::wait_read) return;
    if (r.what == step_result::wait_write) return;  // a key update waits to leave; the next write takes it along
    if (r.what != step_result::done) return drop(errc::closed_by_peer);
    peer_->read.insert(peer_->read.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(r.bytes));
    look_for_connect();
}

void newcomer::look_for_connect() {
    auto const f = codec::next_frame(peer_->read, codec::version::v5, peer_->from->rules->packet_bytes_max_before_login);
    // What does not begin with a CONNECT gets no answer: it may not even be MQTT. [MQTT-3.1.0-1]
    if (!peer_->read.empty() && peer_->read[0] >> 4 != static_cast<int>(codec::packet_type::connect))
        return drop(errc::not_mqtt, "the first packet is not a CONNECT");
    if (!f) return drop(errc::not_mqtt, codec::name(f.error()));
    if (!f->complete()) return;  // bounded: the packet by its cap, what follows it by one read
    auto const c = codec::decode_connect(f->body);
    if (!c) return refuse(c.error(), codec::answer_version(f->body));
    peer_->connect_bytes = f->size;
    leave_for_home(std::move(peer_), *c);
}

void newcomer::leave_for_home(std::unique_ptr<arrival> a, codec::connect_view const& c) {
    auto const& others = hub_.others();
    if (c.client_id.empty()) a->assigned_id = a->from->rules->auto_id_prefix + others.assign_client_id();  // [MQTT-3.1.3-6]
    auto const id = handlers::client_id_of(*a->from->rules, c, a->assigned_id);
    auto const key = handlers::key_of(*a->from->rules, a->certificate.get(), c, id);
    auto const home = static_cast<unsigned>(others.hash(key) % hub_.shard().count());
    hub_.sockets().remove(a->wire.fd());
    stage_ = stage::over;
    deadline_.cancel();
    counted_in_ = false;
    hub_.ended(*this);
    if (home == hub_.shard().index()) return hub_.adopt(std::move(a));
    count::handed_over.add();
    hub_.shard().post(home, [to = others.hubs[home], a = std::move(a)]() mutable { to->adopt(std::move(a)); });
}

void newcomer::refuse(codec::reason why, codec::version answer_in) {
    // [MQTT-3.1.4-1] and [MQTT-3.1.2-1]: a CONNACK may say why; a malformed CONNECT of 3.x is closed without one.
    bytes answer;
    if (answer_in == codec::version::v5 || why == codec::reason::unsupported_protocol_version ||
        why == codec::reason::client_identifier_not_valid)
        codec::encode(answer, codec::connack_view{.code = why}, answer_in);
    if (!answer.empty()) peer_->wire.write(answer);  // best effort: nobody waits for strangers
    peer_->wire.finish();
    drop(errc::not_mqtt, codec::name(why));
}

void newcomer::drop(errc why, std::string_view text) {
    if (stage_ == stage::over) return;
    stage_ = stage::over;
    deadline_.cancel();
    if (handshake_counted_) hub_.handshake_ended(), handshake_counted_ = false;
    if (why == errc::connect_timeout || why == errc::handshake_timeout) count::cut_connect_timeout.add();
    else if (why == errc::not_mqtt) count::cut_not_mqtt.add();
    if (why != errc::closed_by_peer && hub_.may_log())
        log::info("net", {{"conn", peer_->number}, {"address", peer_->address.text()}, {"listener", peer_->from->rules->name}, {"why", name(why)}},
                  "refused before CONNECT{}{}", text.empty() ? "" : ": ", text);
    hub_.sockets().remove(peer_->wire.fd());
    hub_.ended(*this);
}

}
