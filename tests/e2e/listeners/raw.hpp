#pragma once
// Peers made of bytes: a socket with or without TLS, and a WebSocket written by hand, so that it can also be wrong.

#include "broker/codec/acks.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/framer.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/subscribe.hpp"
#include "tests/e2e/broker/house.hpp"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/un.h>

namespace airmail::testing {

/// A blocking socket with ten seconds of patience.
class raw_socket {
public:
    raw_socket() = default;
    raw_socket(raw_socket const&) = delete;
    ~raw_socket() { close(); }

    bool connect(std::uint16_t port, char const* address = "127.0.0.1") {
        sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
        ::inet_pton(AF_INET, address, &to.sin_addr);
        return open(AF_INET) && ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    bool connect_unix(std::string const& path) {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        path.copy(to.sun_path, sizeof to.sun_path - 1);
        return open(AF_UNIX) && ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    /// TLS over what is connected; empty files: no client certificate.
    bool secure(cert_files const& mine) {
        ctx_ = SSL_CTX_new(TLS_client_method());
        if (!mine.certificate.empty() && (SSL_CTX_use_certificate_file(ctx_, mine.certificate.c_str(), SSL_FILETYPE_PEM) != 1 ||
                                          SSL_CTX_use_PrivateKey_file(ctx_, mine.key.c_str(), SSL_FILETYPE_PEM) != 1))
            return false;
        ssl_ = SSL_new(ctx_);
        SSL_set_fd(ssl_, fd_);
        return SSL_connect(ssl_) == 1;
    }
    bool send(byte_view b) {
        while (!b.empty()) {
            auto const n = ssl_ ? SSL_write(ssl_, b.data(), static_cast<int>(b.size())) : static_cast<int>(::send(fd_, b.data(), b.size(), MSG_NOSIGNAL));
            if (n <= 0) return false;
            b = b.subspan(static_cast<std::size_t>(n));
        }
        return true;
    }
    bool send(std::string_view s) { return send(byte_view{reinterpret_cast<std::uint8_t const*>(s.data()), s.size()}); }
    /// Up to `n` bytes; 0 = closed or nothing in time.
    std::size_t some(std::uint8_t* to, std::size_t n) {
        auto const got = ssl_ ? SSL_read(ssl_, to, static_cast<int>(n)) : static_cast<int>(::recv(fd_, to, n, 0));
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    bytes read(std::size_t n) {
        bytes out(n);
        std::size_t at = 0;
        for (std::size_t got; at < n && (got = some(out.data() + at, n - at)) > 0;) at += got;
        out.resize(at);
        return out;
    }
    bool closed() { return read(1).empty(); }
    void close() {
        if (ssl_) SSL_free(ssl_), ssl_ = nullptr;
        if (ctx_) SSL_CTX_free(ctx_), ctx_ = nullptr;
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    int fd() const { return fd_; }

private:
    bool open(int family) {
        close();
        fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        timeval const limit{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        return fd_ >= 0;
    }
    int fd_ = -1;
    SSL_CTX* ctx_ = nullptr;
    SSL* ssl_ = nullptr;
};

inline bytes connect_packet(std::string_view id, codec::connect_view c = {}) {
    bytes b;
    c.client_id = id;
    codec::encode(b, c);
    return b;
}

/// One MQTT packet, kept.
struct packet {
    codec::packet_type type{};
    std::uint8_t flags = 0;
    bytes body;
};

/// A client WebSocket of RFC 6455, by hand.
class raw_websocket : public raw_socket {
public:
    /// The request; returns the status, 0 when nobody answered. `headers` replaces the subprotocol and adds.
    int upgrade(std::string const& path = "/mqtt", std::string const& headers = "Sec-WebSocket-Protocol: mqtt\r\n") {
        send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + headers + "\r\n");
        head.clear();
        while (head.find("\r\n\r\n") == head.npos && head.size() < 4096) {
            auto const b = read(1);
            if (b.empty()) break;
            head += static_cast<char>(b[0]);
        }
        return head.starts_with("HTTP/1.1 ") ? std::atoi(head.c_str() + 9) : 0;
    }
    std::string head;   // of the answer

    /// One masked frame.
    bool frame(std::uint8_t opcode, byte_view payload, bool fin = true, bool masked = true) {
        bytes b{static_cast<std::uint8_t>((fin ? 0x80 : 0) | opcode)};
        std::uint8_t const mask = masked ? 0x80 : 0;
        if (payload.size() < 126) b.push_back(mask | static_cast<std::uint8_t>(payload.size()));
        else if (payload.size() < 65536) b.insert(b.end(), {static_cast<std::uint8_t>(mask | 126), static_cast<std::uint8_t>(payload.size() >> 8), static_cast<std::uint8_t>(payload.size())});
        else {
            b.push_back(mask | 127);
            for (int shift = 56; shift >= 0; shift -= 8) b.push_back(static_cast<std::uint8_t>(std::uint64_t{payload.size()} >> shift));
        }
        constexpr std::uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
        if (masked) b.insert(b.end(), key, key + 4);
        for (std::size_t i = 0; i < payload.size(); ++i) b.push_back(masked ? payload[i] ^ key[i % 4] : payload[i]);
        return send(b);
    }
    bool binary(byte_view payload) { return frame(2, payload); }
    /// As a message of frames of `each` bytes.
    bool in_pieces(byte_view payload, std::size_t each) {
        for (std::size_t at = 0; at < payload.size(); at += each)
            if (!frame(at ? 0 : 2, payload.subspan(at, std::min(each, payload.size() - at)), at + each >= payload.size())) return false;
        return true;
    }

    /// The next whole MQTT packet out of binary frames; nothing when the server closed. Control frames are kept aside.
    std::optional<packet> next() {
        for (;;) {
            if (auto const f = codec::next_frame(stream_); f && f->complete()) {
                packet p{f->type, f->flags, {f->body.begin(), f->body.end()}};
                stream_.erase(stream_.begin(), stream_.begin() + static_cast<long>(f->size));
                return p;
            }
            if (!take_frame()) return {};
        }
    }
    /// Reads until the close frame (its code), or until nothing comes any more (0).
    int close_code() {
        while (code_ == 0 && take_frame()) {}
        return code_;
    }
    std::vector<bytes> pongs;

private:
    bool take_frame() {
        auto const head = read(2);
        if (head.size() < 2) return false;
        CHECK((head[1] & 0x80) == 0);   // a server does not mask
        std::size_t size = head[1] & 0x7F;
        if (size >= 126) {
            auto const more = read(size == 126 ? 2 : 8);
            size = 0;
            for (auto const b : more) size = size << 8 | b;
        }
        auto body = read(size);
        if (body.size() < size) return false;
        switch (head[0] & 0xF) {
        case 0:
        case 2: stream_.insert(stream_.end(), body.begin(), body.end()); break;
        case 8: code_ = body.size() >= 2 ? body[0] << 8 | body[1] : 1005; return false;
        case 10: pongs.push_back(std::move(body)); break;
        default: FAIL("an unexpected opcode " << (head[0] & 0xF));
        }
        return true;
    }
    bytes stream_;
    int code_ = 0;
};

}
