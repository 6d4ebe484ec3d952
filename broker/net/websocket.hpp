#pragma once
// MQTT over WebSocket [MQTT 5, 6]. The socket stays on the shard that accepted it: HTTP request, WebSocket frames and TLS are
// dealt with here; whole MQTT packets go to the session's shard, and what it sends comes back (tunnel.hpp).
//
//   request (path, origin, subprotocol `mqtt`) -> 101 -> frames -> CONNECT -> home --tunnel--> connection
//
// Only websocket.cpp includes Beast.

#include "broker/net/newcomer.hpp"

namespace airmail::net {

/// Takes over a peer of a WebSocket listener, TLS done, nothing of HTTP read yet. On `h`'s shard.
void begin_websocket(hub& h, std::unique_ptr<arrival> a);

}
