#include "broker/net/newcomer.hpp"

#include "broker/log/log.hpp"
#include "broker/net/counters.hpp"
#include "broker/net/greeting.hpp"
#include "broker/net/websocket.hpp"

#include <ctime>
#include <openssl/err.h>
#include <openssl/sslerr.h>

namespace airmail::net {
namespace { constexpr double expiring_days = 30; }

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
    if (self_) *self_ = nullptr;
    count::newcomers.add(-1);
    if (counted_in_) hub_.others().doors.leave(peer_->address, *peer_->from->count, false);
}

void newcomer::start() {
    auto const& from = *peer_->from;
    if (!hub_.sockets().add(peer_->wire.fd(), *this, EPOLLIN)) return drop(errc::socket_failed);
    hub_.shard().timers().arm(deadline_, peer_->accepted_at + from.limits.connect_timeout);
    if (from.proxy && from.proxy->expected_from(peer_->address)) {
        stage_ = stage::proxy;
        return;
    }
    from.security ? begin_tls() : begin_mqtt();
}

void newcomer::begin_tls() {
    security_ = peer_->from->security->current();
    ssl_ptr ssl = security_->accept(peer_->wire.fd());
    if (!ssl) return drop(errc::tls_failed, "no memory for TLS");
    peer_->wire.attach(std::move(ssl));
    stage_ = stage::handshake;
    handshake_counted_ = true;
    hub_.handshake_began();
    auto const& limits = peer_->from->limits;
    hub_.shard().timers().arm(deadline_, peer_->accepted_at + std::min(limits.connect_timeout, limits.handshake_timeout));
}

void newcomer::begin_mqtt() {
    stage_ = stage::connect;
    // A device is who its certificate says, and nobody without one.
    if (peer_->from->rules->device && !peer_->certificate) return drop(errc::identity_refused, "no certificate");
    if (peer_->from->websocket) begin_websocket(hub_, let_go());
}

void newcomer::too_late(shard::timer& t) {
    auto& self = static_cast<deadline&>(t).of;
    if (self.stage_ == stage::handshake) {
        count::handshake_timeout.add();
        self.drop(errc::handshake_timeout);
    } else if (self.stage_ == stage::proxy) {
        self.drop(errc::proxy_header, "no PROXY header in time");
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
    switch (stage_) {
    case stage::proxy: return read_proxy_header();
    case stage::handshake: return shake();
    case stage::authority: return;
    case stage::connect: return read();
    case stage::over: return;
    }
}

void newcomer::read_proxy_header() {
    auto& read = peer_->read;
    for (;;) {
        auto const h = parse_proxy_header(read, peer_->from->proxy->version);
        if (h.is == proxy_header::verdict::malformed) return drop(errc::proxy_header, h.why);
        if (h.is == proxy_header::verdict::whole) return read.clear(), believe(h.peer);
        auto const room = hub_.shard().read_buffer().first(h.more);
        auto const r = peer_->wire.read(room);  // plain still: TLS begins behind the header
        if (r.what == step_result::wait_read) return;
        if (r.what != step_result::done) return drop(errc::proxy_header, "closed before its PROXY header was whole");
        read.insert(read.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(r.bytes));
    }
}

void newcomer::believe(proxied const& told) {
    auto const& from = *peer_->from;
    if (from.proxy->require_tls && !told.tls) return drop(errc::proxy_header, "the proxy did not receive it by TLS");
    if (told.spoken_for) {
        if (!hub_.others().doors.speak_for(peer_->address, told.source)) {
            count::refused_address.add();
            return drop(errc::proxy_header, "too many connections from the address it speaks for");
        }
        count::proxied.add();
        peer_->address = told.source;
    }
    if (told.certificate && from.read_common_name) {
        auto who = std::make_unique<acl::identity>();
        std::string why;
        if (!from.read_common_name(told.common_name, *who, why)) {
            count::handshake_identity.add();
            return drop(errc::identity_refused, why);
        }
        peer_->certificate = std::move(who);
    }
    from.security ? begin_tls() : begin_mqtt();
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
    if (why == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        auto const result = SSL_get_verify_result(peer_->wire.ssl());
        text = result == X509_V_ERR_APPLICATION_VERIFICATION ? "a key in its chain is too large" : X509_verify_cert_error_string(result);
    }
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
        note_days_left(*who);
        peer_->certificate = std::move(who);
    }
    // use_identity_as_username: a pre-shared key's identity is the user. Without it the key only opens the door.
    if (security_->psk() && peer_->from->rules->username_is_identity) {
        peer_->certificate = std::make_unique<acl::identity>();
        peer_->certificate->name = security_->psk_identity(ssl);
        peer_->certificate->how = acl::proof::psk;
    }
    auto question = peer_->from->ocsp ? security_->question_about_peer(ssl) : nullptr;
    security_->strip(ssl);
    security_.reset();
    count::handshakes.add();
    hub_.shard().timers().arm(deadline_, peer_->accepted_at + peer_->from->limits.connect_timeout);
    question ? ask_authority(std::move(question)) : read_connect();
}

void newcomer::ask_authority(std::shared_ptr<acl::ocsp_question const> about) {
    self_ = std::make_shared<newcomer*>(this);
    // Its CONNECT waits in the kernel meanwhile; what the deadline and the caps say of newcomers holds for it.
    auto later = [self = self_, to = &hub_.shard()](ocsp_desk::word said) {
        to->post_external([self, said] {
            if (*self) (*self)->heed_authority(said);
        });
    };
    auto const known = hub_.others().ocsp->ask(std::move(about), peer_->from->ocsp, peer_->standing, std::move(later));
    if (known) return heed_authority(*known);
    stage_ = stage::authority;
    hub_.sockets().change(peer_->wire.fd(), *this, 0);
}

void newcomer::heed_authority(ocsp_desk::word said) {
    if (stage_ == stage::over) return;
    using enum ocsp_desk::word;
    bool const hard = peer_->from->ocsp->policy == ocsp_policy::hard;
    // It is told in its CONNACK: a device can tell a certificate that was taken back from a door that is shut for a while.
    if (said == revoked) peer_->refusal = codec::reason::not_authorized, peer_->refused_for = "its authority has revoked the certificate";
    else if (hard && said == unknown) peer_->refusal = codec::reason::not_authorized, peer_->refused_for = "its authority does not know the certificate";
    else if (hard && said == silent) peer_->refusal = codec::reason::server_unavailable, peer_->refused_for = "the certificate's authority does not answer";
    if (peer_->refusal != codec::reason::success) count::ocsp_refused.add();
    else if (said != good) count::ocsp_let_in.add();
    read_connect();
}

void newcomer::read_connect() {
    hub_.sockets().change(peer_->wire.fd(), *this, EPOLLIN);
    begin_mqtt();
    // CONNECT may have come in the same flight as the client's Finished.
    if (stage_ == stage::connect) read();
}

void newcomer::note_days_left(acl::identity const& who) {
    if (!who.not_after) return;
    auto const left = static_cast<double>(who.not_after - ::time(nullptr)), days = left / 86400;
    count::certificate_left.observe(left);
    if (days >= expiring_days) return;
    count::certificates_expiring.add();
    if (hub_.may_log())
        log::info("net", {{"conn", peer_->number}, {"id", who.name}, {"serial", who.certificate_serial}, {"days_left", days}}, "a client certificate expires soon");
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
    // Bounded: the packet by its cap, what follows it by one read.
    auto const g = greet(peer_->read, peer_->from->rules->packet_bytes_max_before_login);
    if (g.is == greeting::verdict::more) return;
    if (g.is == greeting::verdict::refused) {
        if (!g.answer.empty()) peer_->wire.write(g.answer);  // best effort: nobody waits for strangers
        peer_->wire.finish();
        return drop(errc::not_mqtt, g.why);
    }
    peer_->connect_bytes = g.size;
    auto const home = home_of(hub_, *peer_, g.connect);
    send_home(hub_, home, let_go());
}

std::unique_ptr<arrival> newcomer::let_go() {
    hub_.sockets().remove(peer_->wire.fd());
    stage_ = stage::over;
    deadline_.cancel();
    counted_in_ = false;
    hub_.ended(*this);
    return std::move(peer_);
}

void newcomer::drop(errc why, std::string_view text) {
    if (stage_ == stage::over) return;
    stage_ = stage::over;
    deadline_.cancel();
    if (handshake_counted_) hub_.handshake_ended(), handshake_counted_ = false;
    if (why == errc::connect_timeout || why == errc::handshake_timeout) count::cut_connect_timeout.add();
    else if (why == errc::not_mqtt) count::cut_not_mqtt.add();
    else if (why == errc::proxy_header) count::proxy_refused.add();
    if (why != errc::closed_by_peer && hub_.may_log())
        log::info("net", {{"conn", peer_->number}, {"address", peer_->address.text()}, {"listener", peer_->from->rules->name}, {"why", name(why)}},
                  "refused before CONNECT{}{}", text.empty() ? "" : ": ", text);
    hub_.sockets().remove(peer_->wire.fd());
    hub_.ended(*this);
}

}
