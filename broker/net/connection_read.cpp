// Reading: readiness, the shard's buffer, whole packets, and what is left over.

#include "broker/handlers/words.hpp"
#include "broker/log/log.hpp"
#include "broker/net/connection.hpp"
#include "broker/net/counters.hpp"

#include <algorithm>

namespace airmail::net {

void connection::ready(std::uint32_t events) {
    if (state_ == state::dead) return;
    if (events & EPOLLOUT) {
        // Written at the turn's end, together with what this turn still adds.
        blocked_ = false;
        if (!dirty_) dirty_ = true, hub_.dirty(*this);
    }
    if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN)) return end(errc::socket_failed);
    if (!(events & EPOLLIN)) return;
    if (listens()) read();
    else if (state_ == state::lingering) linger();
}

void connection::read() {
    // Whole packets still wait in the inbox: they come first, at the turn's end, or the inbox would grow without bound.
    if (again_) return;
    auto const room = hub_.shard().read_buffer();
    std::size_t const kept = inbox_.move_to(room, hub_.pool());
    auto const r = wire_.read(room.subspan(kept, std::min(hub_.budget().bytes, room.size() - kept)));
    if (r.what == step_result::end) return end(errc::closed_by_peer);
    if (r.what == step_result::failed) return end(errc::socket_failed);
    count::bytes_in.add(r.bytes);
    byte_view const fresh{room.data(), kept + r.bytes};
    if (inbox_.empty()) return keep(fresh, false, consume(fresh));
    // A large packet is under way: it grows where it is.
    inbox_.append(fresh, hub_.pool());
    keep(inbox_.view(), true, consume(inbox_.view()));
}

std::size_t connection::consume(byte_view data) {
    std::size_t at = 0;
    unsigned packets = 0;
    while (listens() && packets < hub_.budget().packets) {
        auto const most = state_ == state::login ? rules().packet_bytes_max_before_login : rules().packet_bytes_max;
        auto const f = codec::next_frame(data.subspan(at), protocol, most);
        if (!f) {
            count::cut_protocol_error.add();
            close(f.error(), handlers::words(f.error()));
            break;
        }
        if (!f->complete()) break;
        at += f->size;
        ++packets;
        heard_at_ = hub_.shard().now();  // a whole packet, not a trickle of bytes [MQTT-3.1.2-22]
        if (!hub_.protocol().packet(*this, *f)) break;
    }
    count::packets_in.add(packets);
    return at;
}

void connection::keep(byte_view data, bool in_inbox, std::size_t consumed) {
    if (!alive()) return inbox_.clear(hub_.pool());
    if (in_inbox) inbox_.drop(consumed, hub_.pool());
    else if (consumed < data.size()) inbox_.append(data.subspan(consumed), hub_.pool());
    if (paused_) return;
    // Whole packets may be left when the budget ended the loop, and decrypted bytes inside OpenSSL: nobody will wake us.
    bool const more = wire_.has_pending() || (!inbox_.empty() && [&] {
        auto const f = codec::next_frame(inbox_.view(), protocol, rules().packet_bytes_max);
        return !f || f->complete();
    }());
    if (more && !again_) again_ = true, hub_.read_again(*this);
}

void connection::read_again() {
    if (!listens()) return;
    if (!inbox_.empty()) {
        auto const whole = consume(inbox_.view());
        // The rest of this packet lies in the wire: it has to be read, or we would come back for ever.
        if (whole == 0 && listens() && wire_.has_pending()) return read();
        keep(inbox_.view(), true, whole);
    }
    if (listens() && !again_ && wire_.has_pending()) read();
}

void connection::pause_reading(bool on) {
    if (on == paused_) return;
    paused_ = on;
    count::paused.add(on ? 1 : -1);
    if (!alive()) return;
    watch();
    if (on) return;
    heard_at_ = hub_.shard().now();
    if (!again_ && listens()) again_ = true, hub_.read_again(*this);
}

void connection::linger() {
    // Said goodbye; the peer's remaining bytes are taken and thrown away, so that closing does not reset what we sent.
    auto const room = hub_.shard().read_buffer();
    auto const r = wire_.read(room.first(hub_.budget().bytes));
    if (r.what == step_result::end || r.what == step_result::failed) end(errc::closed_by_peer);
}

}
