#pragma once
// The door: one SO_REUSEPORT socket per shard (one only when there is one shard), so the kernel spreads newcomers and no
// shard waits for another. Accepting pauses, leaving newcomers in the backlog, while the rate's bucket is empty or too many
// handshakes are under way; it refuses (accept and close) at a cap.

#include "broker/net/hub.hpp"

#include <boost/system/result.hpp>
#include <stdexcept>

namespace airmail::net {

struct listener_options {
    std::string address;              // an address or a name (all it stands for); empty = all, IPv6 and IPv4
    std::uint16_t port = 8883;        // 0 = the system chooses (tests)
    std::string unix_path;            // instead of address and port
    unsigned unix_mode = 0660;        // of the socket's file
    std::string device;               // bind_interface: only what comes in by this network interface
    enum class family : std::uint8_t { any, ipv4, ipv6 } only = family::any;
    int backlog = 4096;
    unsigned accept_budget = 64;      // each turn
    origin from;
};

/// Why it could not listen, in one line: "127.0.0.1:1883: Address already in use". `code` is errno.
struct listen_error {
    int code = 0;
    std::string text;
};
[[noreturn]] inline void throw_exception_from_error(listen_error const& e, boost::source_location const&) {
    throw std::runtime_error(e.text);
}

class acceptor;
class unix_path;

/// Owned by: network. Made and told from the broker's main thread, acts on the shards.
class listener {
public:
    /// Binds all sockets. Nothing is accepted before start().
    static boost::system::result<std::unique_ptr<listener>, listen_error> open(listener_options o, neighbours const& n);
    ~listener();

    /// Begins to accept; any thread, once.
    void start();
    /// New rules, limits and TLS for whoever comes from now on; address and port stay. Any thread.
    void reload(origin from);
    /// Stops accepting, closes the sockets and removes a unix socket's file; those in the backlog are reset. Any thread.
    void stop();
    std::uint16_t port() const { return port_; }

private:
    listener() = default;
    listen_error open_doors(listener_options const& o, std::shared_ptr<origin const> const& from, neighbours const& n);
    listen_error open_unix(listener_options const& o, std::shared_ptr<origin const> const& from, neighbours const& n);

    std::uint16_t port_ = 0;
    std::vector<std::shared_ptr<acceptor>> doors_;   // of each address and shard; shared with the mail that starts and stops them
    std::unique_ptr<unix_path> file_;
    std::shared_ptr<std::atomic<std::uint32_t>> count_;
};

}
