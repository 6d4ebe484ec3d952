#pragma once
// TLS settings shared by any number of clients: one SSL_CTX, made once.

#include "tools/client/errc.hpp"

#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace airmail::client {

/// Where certificates and keys come from. Each value is a PEM text when it begins with "-----", otherwise a file name.
struct tls_options {
    std::string ca;           // whom to trust; empty = the system's
    std::string certificate;  // our chain, leaf first; empty = none
    std::string key;
    bool verify = true;       // false: accept any server. For tests of servers only
    bool allow_tls12 = false; // otherwise 1.3 only
};

/// An immutable SSL_CTX: buffers are released when idle, nothing is cached. Any thread may share it.
class tls_context {
public:
    /// @return the context, or an OpenSSL error (unreadable file, bad PEM, key that does not match)
    static result<std::shared_ptr<tls_context const>> make(tls_options const& o);
    ~tls_context();
    tls_context(tls_context const&) = delete;
    tls_context& operator=(tls_context const&) = delete;

    SSL_CTX* native() const { return ctx_; }

private:
    explicit tls_context(SSL_CTX* ctx) : ctx_(ctx) {}
    SSL_CTX* ctx_;
};

}
