#pragma once
// May this HTTP request become a WebSocket? Pure, so that it is tested without a socket. [MQTT 5, 6]

#include "broker/net/origin.hpp"

#include <string_view>

namespace airmail::net {

/// What matters of the request. Views die with it.
struct request_view {
    std::string_view target;          // path and query
    std::string_view origin;
    bool has_origin = false;
    std::string_view subprotocols;    // Sec-WebSocket-Protocol, as sent
    bool is_upgrade = false;
};

struct request_verdict {
    unsigned status = 0;              // 0 = yes, else the HTTP status of the refusal
    std::string_view why = {};        // static storage
    std::string_view subprotocol = {};   // the one chosen
};

/// The order: path (404), upgrade (426), origin (403), subprotocol (400).
request_verdict judge(request_view const& r, websocket_rules const& rules);

}
