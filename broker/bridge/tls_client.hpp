#pragma once
// The TLS side of a bridge: an SSL_CTX from its bridge_* lines. Inside of this folder only.

#include "broker/config/bridge.hpp"

#include <boost/asio/ssl/context.hpp>
#include <memory>

namespace airmail::bridge {

/// Certificates are verified unless bridge_insecure leaves out the host name; with a pre-shared key there are none.
/// Throws std::runtime_error naming the file.
std::shared_ptr<boost::asio::ssl::context> tls_client(config::bridge const& b);

/// Server name, check of the host name, ALPN of one connection.
void prepare(SSL* ssl, config::bridge const& b, std::string const& host);

}
