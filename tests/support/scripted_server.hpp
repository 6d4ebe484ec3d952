#pragma once
// A server that plays a script on one loopback port, in packet notation, to see exactly what a client sends.

#include "tests/support/packet_bytes.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace airmail::test {

/// One step: a connection is accepted, bytes are awaited, bytes are sent, the connection is closed (which waits for the
/// client's own end first, so that nothing on the way is lost).
struct step {
    enum kind { accept, expect, send, close } what;
    std::string notation{};
};

/// Plays from construction; wait() says what went wrong, or nothing. Gives up after ten seconds without progress.
class scripted_server {
public:
    explicit scripted_server(std::vector<step> script) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof a;
        ::bind(listener_, reinterpret_cast<sockaddr*>(&a), sizeof a);
        ::listen(listener_, 8);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size);
        port_ = ntohs(a.sin_port);
        thread_ = std::thread([this, script = std::move(script)] { play(script); });
    }
    ~scripted_server() { wait(); }

    std::uint16_t port() const { return port_; }
    /// Waits for the script's end. Empty = it went as written.
    std::string wait() {
        if (thread_.joinable()) thread_.join();
        if (listener_ >= 0) ::close(listener_);
        listener_ = -1;
        if (peer_ >= 0) left_open_.push_back(peer_);
        peer_ = -1;
        for (int fd : left_open_) ::close(fd);
        left_open_.clear();
        return trouble_;
    }

private:
    static bool readable(int fd) {
        pollfd p{fd, POLLIN, 0};
        return ::poll(&p, 1, 10'000) == 1;
    }
    void play(std::vector<step> const& script) {
        for (auto const& s : script) {
            if (!one(s)) break;
        }
    }
    bool one(step const& s) {
        switch (s.what) {
        case step::accept:
            if (!readable(listener_)) return fail("nobody connected");
            if (peer_ >= 0) left_open_.push_back(peer_);
            peer_ = ::accept(listener_, nullptr, nullptr);
            return true;
        case step::send: {
            auto const b = packet(s.notation);
            return ::send(peer_, b.data(), b.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(b.size()) || fail("could not send " + s.notation);
        }
        case step::expect: return expect(s.notation);
        case step::close:
            ::shutdown(peer_, SHUT_WR);
            for (char rest[256]; readable(peer_) && ::recv(peer_, rest, sizeof rest, 0) > 0;) {}
            ::close(peer_);
            peer_ = -1;
            return true;
        }
        return false;
    }
    bool expect(std::string const& notation) {
        auto const wanted = packet(notation);
        bytes got(wanted.size());
        for (std::size_t size = 0; size < got.size();) {
            auto const n = readable(peer_) ? ::recv(peer_, got.data() + size, got.size() - size, 0) : 0;
            if (n <= 0) return fail("expected " + notation + ", got only " + std::to_string(size) + " bytes");
            size += static_cast<std::size_t>(n);
        }
        return got == wanted || fail("expected " + notation + ", got " + hex(got));
    }
    static std::string hex(bytes const& b) {
        std::string out;
        for (auto c : b) (out += "0123456789ABCDEF"[c >> 4]) += "0123456789ABCDEF"[c & 15];
        return out;
    }
    bool fail(std::string why) {
        trouble_ = std::move(why);
        return false;
    }

    int listener_ = -1, peer_ = -1;
    std::uint16_t port_ = 0;
    std::vector<int> left_open_;  // connections that no step closed live as long as the server
    std::string trouble_;
    std::thread thread_;
};

}
