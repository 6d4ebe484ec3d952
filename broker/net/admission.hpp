#pragma once
// Who may come in: the caps and the rate of the whole broker (reference/reliability.md section 5). Asked once per accepted
// socket from any shard, so a mutex is cheap enough; no packet passes here.

#include "broker/net/socket.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace airmail::net {

/// 0 = no limit.
struct admission_limits {
    std::uint32_t connections = 0;
    std::uint32_t connections_per_address = 1024;  // loopback is not counted (DECISIONS)
    std::uint32_t unauthenticated = 4096;
    std::uint32_t rate = 2000, burst = 5000;       // new connections a second
};

/// Any thread.
class admission {
public:
    explicit admission(admission_limits l) : limits_{l}, tokens_{static_cast<double>(l.burst)} {}

    enum class answer : std::uint8_t { welcome, connections, listener, address, unauthenticated };

    /// May one more be accepted now? Takes a token. False: leave it in the backlog and ask again a little later.
    bool take_token(std::int64_t now_ms);
    /// Nobody was there to use it.
    void return_token();
    /// Counts a connection in, or says which cap it meets. `listener_count` is the listener's own, `listener_max` 0 = none.
    answer enter(endpoint const& from, std::atomic<std::uint32_t>& listener_count, std::uint32_t listener_max);
    /// It has logged in: no longer unauthenticated.
    void authenticated() { unauthenticated_.fetch_sub(1, std::memory_order_relaxed); }
    /// A proxy has told who it really is: counted with that address from now on. False when that address has its share already;
    /// it then stays counted where it was.
    bool speak_for(endpoint const& proxy, endpoint const& peer);
    /// Counts it out.
    void leave(endpoint const& from, std::atomic<std::uint32_t>& listener_count, bool was_authenticated);
    /// New limits; who is in stays.
    void set(admission_limits l);
    std::uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }
    std::uint32_t unauthenticated() const { return unauthenticated_.load(std::memory_order_relaxed); }

private:
    bool add(endpoint const& from);
    void remove(endpoint const& from);

    mutable std::mutex lock_;
    admission_limits limits_;
    double tokens_;
    std::int64_t filled_at_ = 0;
    std::atomic<std::uint32_t> connections_{0}, unauthenticated_{0};
    std::unordered_map<std::string, std::uint32_t> by_address_;  // 16 raw bytes; an entry dies with its last connection
};

}
