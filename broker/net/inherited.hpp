#pragma once
// Sockets that the service manager has bound for us: systemd's socket activation (sd_listen_fds(3)), LISTEN_PID and
// LISTEN_FDS. A listener whose address is among them takes that socket instead of binding its own.

#include "broker/net/socket.hpp"

namespace airmail::net {

/// A socket listening at this address, as another descriptor of it; empty when there is none. Start-up only.
descriptor inherited_socket(sockaddr const* at, socklen_t size);

}
