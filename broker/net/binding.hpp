#pragma once
// From what a listener is told ("1883 localhost", "0 /run/x.sock") to sockets that listen.

#include "broker/net/listener.hpp"

#include <sys/types.h>
#include <vector>

namespace airmail::net {

struct bind_address {
    sockaddr_storage storage{};
    socklen_t size = 0;
    bool all = false;   // every address of the machine: may fall back to IPv4
};

/// The addresses that `o.address` stands for, with `o.port`; a name is resolved (this waits: start-up). Empty with `why`.
std::vector<bind_address> addresses_of(listener_options const& o, std::string& why);

/// A bound, listening, non-blocking socket; empty with errno. `shared` asks for SO_REUSEPORT.
descriptor listen_on(bind_address const& at, listener_options const& o, bool shared);
/// The port a socket got.
std::uint16_t port_of(int fd);

/// A unix socket that listens, and its file. Dies: the file goes, if it is still ours.
class unix_path {
public:
    /// A socket that nobody listens on any more is replaced (a broker that was killed left it); anything else is EADDRINUSE.
    /// Null with errno.
    static std::unique_ptr<unix_path> bind(listener_options const& o);
    ~unix_path();
    unix_path(unix_path const&) = delete;
    /// The listening socket once more, for another shard.
    descriptor share() const;

private:
    unix_path() = default;
    std::string path_;
    descriptor socket_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}
