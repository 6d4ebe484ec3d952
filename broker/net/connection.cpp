#include "broker/net/connection.hpp"

#include "broker/codec/connect.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/within.hpp"
#include "broker/handlers/retry_after.hpp"
#include "broker/handlers/words.hpp"
#include "broker/log/log.hpp"
#include "broker/net/counters.hpp"
#include "broker/session/session.hpp"

#include <algorithm>
#include <array>

namespace airmail::net {
namespace {

/// How long a connection may take to take our last words, and then to close its side.
constexpr std::int64_t farewell_ms = 5000;
/// CONNACK may wait for a store; but not for ever.
constexpr std::int64_t login_ms = 30000;
/// A timer that fires so late was held up by us: the process stood still, or the machine did. Two ticks of the wheel are usual.
constexpr std::int64_t late_ms = 300;
/// What everybody has then to be heard.
constexpr std::int64_t forgiven_ms = 1000;
/// Longer texts are cut: they are clauses of ours, not of a peer's making.
constexpr std::size_t reason_string_max = 512;

void count_cut(errc why) {
    switch (why) {
    case errc::connect_timeout: return count::cut_connect_timeout.add();
    case errc::stalled: return count::cut_stalled.add();
    case errc::memory: return count::cut_memory.add();
    case errc::output_overflow: return count::cut_output_overflow.add();
    case errc::keep_alive: return count::cut_keep_alive.add();
    case errc::protocol_error: return count::cut_protocol_error.add();
    default: return count::lost.add();
    }
}

}

connection::connection(hub& h, arrival& a)
    : hub_{h}, wire_{std::move(a.wire)}, from_{std::move(a.from)}, number_{a.number}, heard_at_{h.shard().now()},
      certificate_{std::move(a.certificate)}, standing_{std::move(a.standing)}, address_{a.address} {
    count::connections.add(1);
}

connection::~connection() {
    count::connections.add(-1);
    if (paused_) count::paused.add(-1);
    inbox_.clear(hub_.pool());
    queue_.clear(hub_.pool());
    hub_.others().doors.leave(address_, *from_->count, logged_in_);
}

bool connection::revoked() const {
    if (standing_ && standing_->revoked()) return true;
    if (!certificate_ || !from_->security) return false;
    auto const now = from_->security->current();
    return now->revocations() && now->revocations()->revoked(*certificate_);
}

void connection::start(arrival const& a) {
    byte_view const read{a.read};
    if (!begin_watching()) return end(errc::socket_failed);
    auto const frame = codec::next_frame(byte_view{a.read}.first(a.connect_bytes));
    auto const c = codec::decode_connect(frame->body);
    if (a.refusal != codec::reason::success) return protocol = c->protocol, turn_away(a.refusal, a.refused_for, c->client_id);
    // A list may have come between its handshake and this shard; cut_revoked() sees only those who are here.
    if (revoked()) return count::cut_revoked.add(), end(errc::identity_refused);
    hub_.shard().timers().arm(clock_, heard_at_ + login_ms);
    // What followed the CONNECT waits until the CONNACK is out: [MQTT-3.1.4-5] lets clients send early.
    if (auto rest = read.subspan(a.connect_bytes); !rest.empty()) inbox_.append(rest, hub_.pool());
    protocol = c->protocol;
    count::packets_in.add();
    count::bytes_in.add(read.size());
    if (!held_off(*c, a.assigned_id)) hub_.protocol().connect(*this, *c, a.assigned_id);
}

std::string_view connection::address() const {
    thread_local std::array<std::string, 4> texts;
    thread_local unsigned next = 0;
    return texts[next++ % texts.size()] = address_.text();
}

void connection::close(codec::reason r, std::string_view why) {
    if (!alive()) return;
    look_for_connack();
    using codec::reason;
    if (!logged_in_ && (r == reason::bad_user_name_or_password || r == reason::not_authorized)) login_failed();
    // Only a client that got a CONNACK of success can be sent a DISCONNECT. [MQTT-3.14.0-1]
    if (logged_in_ && protocol == codec::version::v5 && r != codec::reason::success) {
        codec::disconnect_view d{.code = r};
        bytes later;
        if (!why.empty()) d.props.explain(why.substr(0, reason_string_max));
        if (r == codec::reason::server_shutting_down && !rules().server_reference.empty()) {
            d.code = codec::reason::use_another_server;
            d.props.add(codec::prop::server_reference), d.props.server_reference = rules().server_reference;
        } else if (handlers::comes_again(r)) {
            handlers::tell_retry_after(d.props, later, rules().retry_after_s, session ? session->client_id() : std::string_view{});
        }
        codec::encode_within(queue_.tail(hub_.pool()), d, protocol, packet_bytes_allowed());  // [MQTT-3.14.2-3]
    }
    if (codec::failed(r)) {
        r == codec::reason::keep_alive_timeout ? count::cut_keep_alive.add() : count::closed_by_handler.add();
        if (logged_in_ ? rules().connection_messages : hub_.may_log())
            log::info("net", {{"conn", number_}, {"address", address()}, {"listener", rules().name}, {"reason", codec::name(r)}},
                      "closed: {}", why);
    }
    state_ = state::closing;
    hub_.shard().timers().arm_in(clock_, farewell_ms);
    if (!dirty_) dirty_ = true, hub_.dirty(*this);
    if (!ending_) ending_ = true, hub_.ended(*this);
}

void connection::end(errc why) {
    if (state_ == state::dead) return;
    bool const was_alive = alive();
    if (was_alive) {
        count_cut(why);
        bool const news = why != errc::closed_by_peer && why != errc::socket_failed;
        if (news && (logged_in_ ? rules().connection_messages : hub_.may_log()))
            log::info("net", {{"conn", number_}, {"address", address()}, {"client_id", session ? session->client_id() : std::string_view{}},
                              {"listener", rules().name}, {"why", name(why)}, {"waiting_bytes", queue_.bytes_waiting()}}, "cut");
    }
    state_ = state::dead;
    clock_.cancel();
    if (auto* t = wire_.mail()) t->watch(nullptr, 0);
    else hub_.sockets().remove(wire_.fd());
    if (!ending_) ending_ = true, hub_.ended(*this);
}

void connection::on_timer() {
    auto const now = hub_.shard().now();
    switch (state_) {
    case state::dead: return;
    case state::closing:
    case state::lingering: return end(errc::stalled);
    case state::login: return end(errc::connect_timeout);
    case state::running: break;
    }
    auto const allowed = hub_.protocol().silence_allowed_ms(*this);
    forgive_pause(allowed);
    if (blocked_ && now - progress_at_ >= from_->limits.stalled_writer) return end(errc::stalled);
    // Whom we do not read cannot be heard: a pause of ours is not the peer's silence.
    if (paused_ || hub_.shard().congested()) heard_at_ = now;
    // One and a half times the keep alive without a whole packet. [MQTT-3.1.2-22]
    if (allowed && now - heard_at_ >= allowed) return close(codec::reason::keep_alive_timeout, handlers::words(codec::reason::keep_alive_timeout));
    arm_timer();
}

shard::instant connection::due(std::int64_t allowed) const {
    shard::instant due = shard::timer_wheel::never;
    if (allowed) due = heard_at_ + allowed;
    if (blocked_) due = std::min(due, progress_at_ + from_->limits.stalled_writer);
    return due;
}

void connection::forgive_pause(std::int64_t allowed) {
    // What came meanwhile waits in the kernel, perhaps behind thousands of others: everybody has a second to be heard.
    auto const now = hub_.shard().now();
    if (now - late_ms < due(allowed)) return;
    count::forgiven.add();
    if (allowed) heard_at_ = std::max(heard_at_, now + forgiven_ms - allowed);
    if (blocked_) progress_at_ = std::max(progress_at_, now + forgiven_ms - from_->limits.stalled_writer);
}

void connection::arm_timer() {
    // Armed for the earliest that could be due. Packets only move heard_at_; the timer finds out when it fires.
    auto const due = this->due(hub_.protocol().silence_allowed_ms(*this));
    if (due == shard::timer_wheel::never) clock_.cancel();
    else hub_.shard().timers().arm(clock_, due);
}

}
