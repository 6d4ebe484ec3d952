#pragma once
// Who is kept waiting although there is room: addresses that come too fast, addresses and users whose logins fail, clients
// that flap, and everybody while memory runs out. `admission` counts who is in; this remembers how they behaved.
//
//   accept -> admit(address) -> TLS -> CONNECT -> wait(client, user) -> login -> failed(...) | succeeded(...)

#include "broker/net/back_off.hpp"
#include "broker/net/memory_watch.hpp"
#include "broker/net/socket.hpp"

#include <atomic>

namespace airmail::net {

struct front_door_limits {
    back_off_policy login;                                     // failures of one address, of one user
    std::uint32_t address_rate = 100, address_burst = 1024;    // connections a second of one address; 0 = no limit
};

/// How a client is known before it has logged in. `user` is empty when no password will prove it.
struct caller {
    std::string client;   // identity and client id; empty when the broker gives it its id
    std::string user;
};

/// Any thread.
class front_door {
public:
    enum class answer : std::uint8_t { welcome, rate, held, memory };

    /// May this address begin? Before a byte is read or TLS is begun. Loopback has no rate (DECISIONS), but is held off for
    /// failed logins. `guesses` = this listener takes passwords: a certificate cannot be guessed, and one bad device must not
    /// lock out those behind the same address.
    answer admit(endpoint const& from, bool guesses, std::int64_t now);
    /// A CONNECT has come. Milliseconds that this client still has to wait, 0 = go on.
    std::int64_t wait(caller const& who, std::int64_t now) const;
    void failed(endpoint const& from, caller const& who, std::int64_t now);
    /// It has logged in; counted against `flapping` only now, since before anybody could have used its name.
    void succeeded(caller const& who, back_off_policy const& flapping, std::int64_t now);

    void set(front_door_limits const& l);
    void set(memory_level m) { memory_.store(m, std::memory_order_relaxed); }
    memory_level memory() const { return memory_.load(std::memory_order_relaxed); }

private:
    bool in_pace(std::string const& address, std::int64_t now);

    mutable std::mutex lock_;
    front_door_limits limits_;
    // Address -> the time until which its connections so far are paid for (GCRA), in microseconds; passed = not kept.
    std::unordered_map<std::string, std::int64_t> paid_until_;
    std::int64_t swept_at_ = 0;
    back_off addresses_, users_, clients_;
    std::atomic<memory_level> memory_{memory_level::plenty};
};

}
