#include "bench/airmail-bench/swarm.hpp"

#include "bench/airmail-bench/failure.hpp"
#include "broker/codec/acks.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/framer.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/suback.hpp"
#include "broker/codec/subscribe.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace airmail::bench {
namespace {

constexpr std::size_t read_size = 256 * 1024;
constexpr long again = -2, ended = -1;

/// The payload of a PUBLISH body without looking at anything else: a generator trusts its broker's framing.
byte_view payload_of(byte_view body, std::uint8_t qos, codec::version v, std::uint16_t& id) {
    std::size_t at = 2 + (std::size_t{body[0]} << 8 | body[1]);
    if (qos > 0) {
        id = static_cast<std::uint16_t>(body[at] << 8 | body[at + 1]);
        at += 2;
    }
    if (v == codec::version::v5) {
        auto const length = codec::get_varint(body.data() + at, body.size() - at);
        at += length.size + length.value;
    }
    return body.subspan(at);
}

}

swarm::swarm(codec::version v) : version_(v), epoll_(::epoll_create1(EPOLL_CLOEXEC)), room_(read_size) {}

swarm::~swarm() {
    for (auto& p : peers_) hang_up(*p);
    ::close(epoll_);
}

peer& swarm::open(connect_options const& o) {
    auto p = std::make_unique<peer>();
    p->index = static_cast<std::uint32_t>(peers_.size());
    p->how = o;
    ++awaited_;
    peers_.push_back(std::move(p));
    dial(*peers_.back());
    return *peers_.back();
}

/// Without waiting: a full backlog must not hold up the others.
void swarm::dial(peer& p) {
    auto const& o = p.how;
    p.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p.fd < 0) throw failure(fmt::format("socket: {} (raise the descriptor limit?)", std::strerror(errno)));
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(o.port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(p.fd, reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0 && errno != EINPROGRESS) throw failure(fmt::format("connect: {}", std::strerror(errno)));
    int const on = 1;
    ::setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (o.tls) {
        p.ssl = SSL_new(o.tls);
        SSL_use_certificate(p.ssl, o.identity.certificate);
        SSL_use_PrivateKey(p.ssl, o.identity.key);
        SSL_set_fd(p.ssl, p.fd);
        SSL_set_connect_state(p.ssl);
    }
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &p;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, p.fd, &e);
    codec::connect_view c;
    c.protocol = version_;
    c.clean_start = o.clean;
    c.keep_alive = o.keep_alive;
    c.client_id = o.client_id;
    if (!o.user_name.empty()) c.user_name = o.user_name;
    if (!o.clean && version_ == codec::version::v5) {
        c.props.session_expiry = 86400;
        c.props.add(codec::prop::session_expiry);
    }
    codec::encode(p.out, c);
    mark(p);
}

void swarm::hang_up(peer& p) {
    if (p.ssl) SSL_free(p.ssl);
    p.ssl = nullptr;
    if (p.fd < 0) return;
    // RST: thousands of ports in TIME_WAIT would be the next round's trouble.
    linger const now{1, 0};
    ::setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(p.fd);
    p.fd = -1;
}

void swarm::lost(peer& p, std::string const& words) {
    if (!comes_back || p.ready) throw failure(words);
    hang_up(p);
    p.out.clear(), p.rest.clear();
    p.sent = 0, p.waits_to_write = false;
    ++turned_away;
    p.back_at = clock::now() + std::chrono::milliseconds(1000 + p.index * 2654435761u % 1000);
    away_.push_back(&p);
}

void swarm::dial_again() {
    auto const now = clock::now();
    std::erase_if(away_, [&](peer* p) {
        if (p->back_at > now) return false;
        dial(*p);
        return true;
    });
}

void swarm::subscribe(peer& p, std::string_view filter, std::uint8_t qos) {
    bytes filters;
    codec::subscription_view s;
    s.filter = filter;
    s.qos = qos;
    codec::append_filter(filters, s, version_);
    codec::subscribe_view v;
    v.packet_id = 1;
    v.filters = filters;
    v.count = 1;
    codec::encode(p.out, v, version_);
    ++awaited_;
    mark(p);
}

void swarm::settle() { settle_if_over(0); }

void swarm::settle_if_over(std::size_t most) {
    if (most > 0 && awaited_ <= most) return;
    flush();
    for (auto const until = clock::now() + std::chrono::seconds(60); awaited_ > most / 2;) {
        if (clock::now() > until) throw failure(fmt::format("{} answers to CONNECT or SUBSCRIBE missing after 60 s", awaited_));
        turn(std::chrono::milliseconds(20));
    }
}

std::uint16_t swarm::publish(peer& p, std::string_view topic, byte_view payload, std::uint8_t qos) {
    codec::publish_parts parts;
    parts.qos = qos;
    parts.topic = topic;
    parts.payload_size = payload.size();
    if (qos > 0) parts.packet_id = p.last_id = p.last_id == 65535 ? 1 : p.last_id + 1;
    codec::encode_publish_header(p.out, parts, version_);
    p.out.insert(p.out.end(), payload.begin(), payload.end());
    mark(p);
    return parts.packet_id;
}

void swarm::mark(peer& p) {
    if (p.dirty) return;
    p.dirty = true;
    dirty_.push_back(&p);
}

void swarm::flush() {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
        dirty_[i]->dirty = false;
        if (dirty_[i]->fd >= 0) write(*dirty_[i]);
    }
    dirty_.clear();
}

long swarm::put(peer& p, std::uint8_t const* data, std::size_t size) {
    if (!p.ssl) {
        auto const n = ::send(p.fd, data, size, MSG_NOSIGNAL);
        return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? again : ended;
    }
    ERR_clear_error();
    int const n = SSL_write(p.ssl, data, static_cast<int>(size));
    if (n > 0) return n;
    int const why = SSL_get_error(p.ssl, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? again : ended;
}

void swarm::write(peer& p) {
    while (p.sent < p.out.size()) {
        auto const n = put(p, p.out.data() + p.sent, p.out.size() - p.sent);
        if (n == ended) return lost(p, fmt::format("client {} lost while writing: {}", p.index, std::strerror(errno)));
        if (n == again) {
            if (!p.ssl || SSL_want_write(p.ssl)) watch(p, true);
            return;
        }
        p.sent += static_cast<std::size_t>(n);
    }
    p.out.clear();
    p.sent = 0;
    if (p.waits_to_write) watch(p, false);
}

void swarm::watch(peer& p, bool writable) {
    if (p.waits_to_write == writable) return;
    p.waits_to_write = writable;
    epoll_event e{};
    e.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
    e.data.ptr = &p;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, p.fd, &e);
}

long swarm::fill(peer& p) {
    if (!p.ssl) {
        auto const n = ::recv(p.fd, room_.data(), room_.size(), 0);
        return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? again : ended;
    }
    ERR_clear_error();
    int const n = SSL_read(p.ssl, room_.data(), static_cast<int>(room_.size()));
    if (n > 0) return n;
    int const why = SSL_get_error(p.ssl, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        if (!p.out.empty()) mark(p);       // a step of the handshake: CONNECT may go now
        return again;
    }
    return ended;
}

void swarm::read(peer& p) {
    do {
        auto const n = fill(p);
        if (n == again) return;
        if (n == ended) return lost(p, fmt::format("client {} was disconnected by the broker", p.index));
        byte_view const got{room_.data(), static_cast<std::size_t>(n)};
        if (p.rest.empty()) {
            auto const used = take(p, got);
            p.rest.assign(got.begin() + static_cast<std::ptrdiff_t>(used), got.end());
        } else {
            p.rest.insert(p.rest.end(), got.begin(), got.end());
            auto const used = take(p, p.rest);
            p.rest.erase(p.rest.begin(), p.rest.begin() + static_cast<std::ptrdiff_t>(used));
        }
        if (p.rest.empty() && p.rest.capacity() > 4096) bytes().swap(p.rest);
    } while (p.ssl && SSL_pending(p.ssl) > 0);
}

std::size_t swarm::take(peer& p, byte_view in) {
    std::size_t used = 0;
    for (;;) {
        auto const f = codec::next_frame(in.subspan(used), version_);
        if (!f) throw failure(fmt::format("client {} was sent a malformed packet", p.index));
        if (!f->complete()) return used;
        packet(p, f->type, f->flags, f->body);
        used += f->size;
    }
}

void swarm::packet(peer& p, codec::packet_type type, std::uint8_t flags, byte_view body) {
    using codec::packet_type;
    if (type == packet_type::publish) {
        std::uint8_t const qos = flags >> 1 & 3;
        std::uint16_t id = 0;
        auto const payload = payload_of(body, qos, version_, id);
        if (qos == 1) {
            codec::encode_ack(p.out, packet_type::puback, id);
            mark(p);
        }
        if (on_publish) on_publish(p, payload);
    } else if (type == packet_type::puback) {
        auto const ack = codec::decode_ack(type, body, version_);
        if (!ack || codec::failed(ack->code)) throw failure(fmt::format("client {}: a PUBLISH was refused", p.index));
        if (on_puback) on_puback(p, ack->packet_id);
    } else if (type == packet_type::connack) {
        auto const ack = codec::decode_connack(body, version_);
        if (!ack || ack->code != codec::reason::success) throw failure(fmt::format("client {}: CONNECT was refused", p.index));   // a busy broker cuts; this one means it
        p.ready = true;
        --awaited_;
    } else if (type == packet_type::suback) {
        auto const ack = codec::decode_suback(type, body, version_);
        if (!ack || codec::failed(ack->codes[0])) throw failure(fmt::format("client {}: SUBSCRIBE was refused", p.index));
        --awaited_;
    } else if (type == packet_type::disconnect) {
        throw failure(fmt::format("client {} was sent DISCONNECT 0x{:02x}", p.index, body.empty() ? 0 : body[0]));
    }
}

void swarm::turn(std::chrono::nanoseconds wait) {
    dial_again();
    flush();
    epoll_event ready[512];
    timespec const t{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
    int const n = ::epoll_pwait2(epoll_, ready, 512, wait.count() < 0 ? nullptr : &t, nullptr);
    for (int i = 0; i < n; ++i) {
        auto& p = *static_cast<peer*>(ready[i].data.ptr);
        if (ready[i].events & EPOLLOUT) mark(p);
        if (p.fd >= 0 && ready[i].events & ~EPOLLOUT) read(p);
    }
    flush();
}

}
