#include "broker/net/errc.hpp"

#include <string>

namespace airmail::net {

std::string_view name(errc e) noexcept {
    switch (e) {
    case errc::tls_failed: return "tls_failed";
    case errc::connect_timeout: return "connect_timeout";
    case errc::handshake_timeout: return "handshake_timeout";
    case errc::not_mqtt: return "not_mqtt";
    case errc::identity_refused: return "identity_refused";
    case errc::proxy_header: return "proxy_header";
    case errc::http_refused: return "http_refused";
    case errc::websocket_text: return "websocket_text";
    case errc::stalled: return "stalled";
    case errc::output_overflow: return "output_overflow";
    case errc::memory: return "memory";
    case errc::keep_alive: return "keep_alive";
    case errc::protocol_error: return "protocol_error";
    case errc::closed_by_peer: return "closed_by_peer";
    case errc::socket_failed: return "socket_failed";
    case errc::shutting_down: return "shutting_down";
    }
    return "unknown";
}

namespace {
class category final : public boost::system::error_category {
public:
    char const* name() const noexcept override { return "airmail.net"; }
    std::string message(int e) const override { return std::string{net::name(static_cast<errc>(e))}; }
};
}

boost::system::error_category const& net_category() noexcept {
    static category const c;
    return c;
}

}
