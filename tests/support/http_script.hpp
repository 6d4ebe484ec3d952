#pragma once
// A plain HTTP server on loopback whose answers the test decides, one connection a request: what a client of ours really sends.

#include <arpa/inet.h>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace airmail::testing {

struct heard {
    std::string verb, target, head, body;
    /// Value of a header (name in lower case), or "".
    std::string header(std::string const& name) const {
        for (std::size_t at = 0; (at = head.find("\r\n", at)) != head.npos; at += 2) {
            auto const end = head.find("\r\n", at + 2);
            auto const line = head.substr(at + 2, end == head.npos ? head.npos : end - at - 2);
            auto const colon = line.find(": ");
            if (colon == line.npos || colon != name.size()) continue;
            bool same = true;
            for (std::size_t i = 0; i < colon; ++i) same = same && std::tolower(static_cast<unsigned char>(line[i])) == name[i];
            if (same) return line.substr(colon + 2);
        }
        return {};
    }
};
struct said { int status = 200; std::string body{}, headers{}; };

/// Owned by: one test. `answer` runs on the server's thread.
class http_script {
public:
    explicit http_script(std::function<said(heard const&)> answer) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof a;
        ::bind(listener_, reinterpret_cast<sockaddr*>(&a), sizeof a);
        ::listen(listener_, 16);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size);
        port_ = ntohs(a.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~http_script() {
        ended_ = true;
        thread_.join();
        ::close(listener_);
    }
    http_script(http_script const&) = delete;
    std::uint16_t port() const { return port_; }
    std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
    std::vector<heard> requests() const {
        std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    static bool readable(int fd, int ms) {
        pollfd p{fd, POLLIN, 0};
        return ::poll(&p, 1, ms) == 1;
    }
    void serve() {
        while (!ended_) {
            if (!readable(listener_, 20)) continue;
            int const peer = ::accept(listener_, nullptr, nullptr);
            if (peer >= 0) one(peer), ::close(peer);
        }
    }
    void one(int peer) {
        std::string in;
        char piece[65536];
        std::size_t head_end = in.npos, length = 0;
        while (head_end == in.npos || in.size() < head_end + 4 + length) {
            if (!readable(peer, 10'000)) return;
            auto const n = ::recv(peer, piece, sizeof piece, 0);
            if (n <= 0) return;
            in.append(piece, static_cast<std::size_t>(n));
            if (head_end != in.npos || (head_end = in.find("\r\n\r\n")) == in.npos) continue;
            auto const at = in.find("Content-Length: ");
            length = at < head_end ? std::strtoull(in.c_str() + at + 16, nullptr, 10) : 0;
        }
        heard h;
        auto const first = in.find(' '), second = in.find(' ', first + 1);
        h.verb = in.substr(0, first), h.target = in.substr(first + 1, second - first - 1), h.head = in.substr(0, head_end), h.body = in.substr(head_end + 4);
        auto const out = answer_(h);
        {
            std::lock_guard lock(mutex_);
            requests_.push_back(h);
        }
        auto const text = "HTTP/1.1 " + std::to_string(out.status) + " .\r\n" + out.headers + "Content-Length: " + std::to_string(out.body.size()) + "\r\nConnection: close\r\n\r\n" + out.body;
        for (std::size_t at = 0; at < text.size();) {
            auto const n = ::send(peer, text.data() + at, text.size() - at, MSG_NOSIGNAL);
            if (n <= 0) return;
            at += static_cast<std::size_t>(n);
        }
        ::shutdown(peer, SHUT_WR);
        while (readable(peer, 1000) && ::recv(peer, piece, sizeof piece, 0) > 0) {}
    }

    std::function<said(heard const&)> answer_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> ended_{false};
    mutable std::mutex mutex_;
    std::vector<heard> requests_;
    std::thread thread_;
};

}
