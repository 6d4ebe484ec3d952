#include "broker/net/acceptor.hpp"

#include "broker/log/log.hpp"
#include "broker/net/counters.hpp"
#include "broker/net/newcomer.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>

namespace airmail::net {
namespace {

constexpr std::int64_t look_again_ms = 100;

int spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

void count_refusal(admission::answer a) {
    switch (a) {
    case admission::answer::welcome: return;
    case admission::answer::connections: return count::refused_total.add();
    case admission::answer::listener: return count::refused_listener.add();
    case admission::answer::address: return count::refused_address.add();
    case admission::answer::unauthenticated: return count::refused_unauthenticated.add();
    }
}

}

acceptor::acceptor(hub& h, descriptor socket, origin_ptr from, unsigned budget)
    : hub_{h}, socket_{std::move(socket)}, reserve_{spare()}, from_{std::move(from)}, budget_{budget} {}

void acceptor::start() {
    if (!socket_) return;
    hub_.sockets().add(socket_.get(), *this, EPOLLIN);
    hub_.on_handshake_room([this] {
        if (for_handshakes_ && hub_.handshaking() * 4 <= from_->limits.handshakes * 3) resume();
    });
}

void acceptor::stop() {
    again_.cancel();
    for_handshakes_ = false;
    if (!socket_) return;
    hub_.sockets().remove(socket_.get());
    socket_.reset();
}

void acceptor::ready(std::uint32_t) {
    for (unsigned i = 0; i < budget_ && socket_; ++i)
        if (!accept_one()) return;
}

bool acceptor::accept_one() {
    if (paused_) return false;
    if (too_many_handshakes()) {
        count::accept_paused_handshakes.add();
        for_handshakes_ = true;
        return pause(), false;
    }
    if (!hub_.others().doors.take_token(hub_.shard().now())) {
        count::accept_paused_rate.add();
        again_.in(hub_.shard().timers(), look_again_ms, [this] { resume(); });
        return pause(), false;
    }
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    descriptor fd{::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!fd) {
        int const why = errno;
        hub_.others().doors.return_token();
        errno = why;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return out_of_descriptors(), false;
        return errno == ECONNABORTED || errno == EINTR;
    }
    auto const address = peer.ss_family == AF_UNIX ? endpoint::of_local_peer(fd.get()) : endpoint::of(peer);
    if (!welcome(address)) return true;  // closed by going out of scope
    auto const answer = hub_.others().doors.enter(address, *from_->count, from_->limits.connections);
    if (answer != admission::answer::welcome) {
        count_refusal(answer);
        return true;  // closed by going out of scope
    }
    count::accepted.add();
    set_options(fd.get(), from_->socket);
    hub_.admit(*new newcomer{hub_, std::move(fd), from_, address, hub_.next_number()});
    return true;
}

bool acceptor::welcome(endpoint const& from) {
    switch (hub_.others().front.admit(from, !from_->rules->device, hub_.shard().now())) {
    case front_door::answer::welcome: return true;
    case front_door::answer::rate: return count::refused_address_rate.add(), false;
    case front_door::answer::held: return count::refused_held_off.add(), false;
    case front_door::answer::memory: return count::refused_memory.add(), false;
    }
    return true;
}

void acceptor::out_of_descriptors() {
    count::refused_descriptors.add();
    if (hub_.may_log())
        log::warn("net", {{"listener", from_->rules->name}}, "no descriptor for a new connection: {}", std::strerror(errno));
    // The peer would wait in the backlog and the listening socket stay ready for ever: take it in and send it away.
    reserve_.reset();
    descriptor turned_away{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    turned_away.reset();
    reserve_.reset(spare());
    again_.in(hub_.shard().timers(), look_again_ms, [this] { resume(); });
    pause();
}

void acceptor::pause() {
    paused_ = true;
    hub_.sockets().change(socket_.get(), *this, 0);
}

void acceptor::resume() {
    if (!paused_ || !socket_) return;
    paused_ = for_handshakes_ = false;
    hub_.sockets().change(socket_.get(), *this, EPOLLIN);
}

}
