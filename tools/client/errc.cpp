#include "tools/client/errc.hpp"

#include <openssl/err.h>
#include <string>

namespace airmail::client {
namespace {

class category final : public boost::system::error_category {
public:
    char const* name() const noexcept override { return "client"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::not_connected: return "not connected";
        case errc::already_connected: return "already connected";
        case errc::invalid_argument: return "not a valid topic, filter or text";
        case errc::queue_full: return "outgoing queue full";
        case errc::packet_too_large: return "larger than the server accepts";
        case errc::packet_ids_exhausted: return "no packet identifier is free";
        case errc::connect_timeout: return "no answer to CONNECT in time";
        case errc::ping_timeout: return "no answer to PINGREQ in time";
        case errc::call_timeout: return "no answer in time";
        case errc::refused: return "connection refused by the server";
        case errc::disconnected: return "disconnected by the server";
        case errc::connection_closed: return "connection closed by the server";
        case errc::protocol_violation: return "the server broke the protocol";
        case errc::tls_failed: return "TLS failed";
        }
        return "unknown client error";
    }
};

class openssl final : public boost::system::error_category {
public:
    char const* name() const noexcept override { return "openssl"; }
    std::string message(int value) const override {
        auto const* const words = ERR_reason_error_string(static_cast<unsigned long>(static_cast<unsigned>(value)));
        return words ? words : "OpenSSL error " + std::to_string(value);
    }
};

}

boost::system::error_category const& openssl_category() {
    static openssl const one;
    return one;
}

boost::system::error_code take_openssl_error() {
    auto const e = ERR_get_error();
    ERR_clear_error();
    if (e == 0) return make_error_code(errc::tls_failed);
    return {static_cast<int>(e), openssl_category()};
}

boost::system::error_category const& client_category() {
    static category const one;
    return one;
}

}
