#pragma once
// A TCP relay on loopback that misbehaves when told to: hangs, resets, delivers slowly, or cuts a connection in the middle of
// an exchange that contains given words (a COMMIT), before or after the server has seen them.

#include "tests/support/program.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace airmail::testing {

class fault_proxy {
public:
    enum class mode { pass, hang, slow, refuse };

    explicit fault_proxy(std::uint16_t upstream) : upstream_(upstream) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto a = address(0);
        socklen_t size = sizeof a;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(listener_, 16) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size) != 0)
            throw std::runtime_error("fault_proxy");
        port_ = ntohs(a.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~fault_proxy() {
        stop_ = true;
        thread_.join();
        for (auto& p : pairs_) drop(p, false);
        ::close(listener_);
    }
    std::uint16_t port() const { return port_; }
    void set(mode m) { mode_ = m; }
    /// RST to everyone connected.
    void reset() { reset_ = true; }
    /// The next time a client's bytes contain `words`, both sides are reset: after the server got them, or before.
    void cut_at(std::string words, bool delivered) {
        std::lock_guard hold(mutex_);
        words_ = std::move(words), delivered_ = delivered;
    }
    int cuts() const { return cuts_; }
    int accepted() const { return accepted_; }

private:
    struct pair { int client, server; };
    static sockaddr_in address(std::uint16_t port) {
        sockaddr_in a{};
        a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK), a.sin_port = htons(port);
        return a;
    }
    static void drop(pair const& p, bool rst) {
        linger l{1, 0};
        for (int fd : {p.client, p.server}) {
            if (rst) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
            ::close(fd);
        }
    }
    void take() {
        int const client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        ++accepted_;
        int const server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto a = address(upstream_);
        if (mode_ == mode::refuse || ::connect(server, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) return drop({client, server}, true);
        pairs_.push_back({client, server});
    }
    /// False = the pair is over.
    bool relay(pair const& p, bool up) {
        char piece[16384];
        std::size_t const most = mode_ == mode::slow ? 512 : sizeof piece;
        auto const n = ::read(up ? p.client : p.server, piece, most);
        if (n <= 0) return false;
        bool cut = false, give = true;
        if (up) {
            std::lock_guard hold(mutex_);
            if (!words_.empty() && std::search(piece, piece + n, words_.begin(), words_.end()) != piece + n) cut = true, give = delivered_, words_.clear(), ++cuts_;
        }
        for (ssize_t at = 0; give && at < n;) {
            auto const m = ::write(up ? p.server : p.client, piece + at, static_cast<std::size_t>(n - at));
            if (m <= 0) return false;
            at += m;
        }
        if (cut && give) {      // the server has it and answers; nobody hears the answer
            pollfd f{p.server, POLLIN, 0};
            ::poll(&f, 1, 2000);
        }
        return !cut;
    }
    void run() {
        ::signal(SIGPIPE, SIG_IGN);
        while (!stop_) {
            std::vector<pollfd> f{{listener_, POLLIN, 0}};
            bool const hangs = mode_ == mode::hang;
            for (auto const& p : pairs_) f.push_back({p.client, short(hangs ? 0 : POLLIN), 0}), f.push_back({p.server, short(hangs ? 0 : POLLIN), 0});
            ::poll(f.data(), f.size(), 10);
            auto const before = pairs_;
            if (reset_.exchange(false)) {
                for (auto const& p : pairs_) drop(p, true);
                pairs_.clear();
                continue;
            }
            std::vector<pair> left;
            for (std::size_t i = 0; i < before.size(); ++i) {
                bool const good = hangs || ((!(f[1 + 2 * i].revents) || relay(before[i], true)) && (!(f[2 + 2 * i].revents) || relay(before[i], false)));
                if (good) left.push_back(before[i]);
                else drop(before[i], true);
            }
            pairs_ = left;
            if (f[0].revents) take();
            if (mode_ == mode::slow) ::poll(nullptr, 0, 2);
        }
    }

    std::uint16_t const upstream_;
    std::uint16_t port_ = 0;
    int listener_ = -1;
    std::atomic<mode> mode_{mode::pass};
    std::atomic<bool> stop_{false}, reset_{false};
    std::atomic<int> cuts_{0}, accepted_{0};
    std::mutex mutex_;
    std::string words_;
    bool delivered_ = false;
    std::vector<pair> pairs_;
    std::thread thread_;
};

}
