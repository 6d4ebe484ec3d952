#include "broker/bridge/tls_client.hpp"

#include "broker/bridge/transport.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace airmail::bridge {
namespace {

[[noreturn]] void bad(char const* directive, std::string const& value) {
    char const* reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    throw std::runtime_error(fmt::format("{} {}: {}", directive, value, reason ? reason : "cannot be used"));
}

/// The key of this bridge; what it needs lives as long as the context.
struct shared_key {
    std::string identity;
    std::vector<unsigned char> key;
};

int key_slot() {
    static int const slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, [](void*, void* p, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<shared_key*>(p); });
    return slot;
}

unsigned give_key(SSL* ssl, char const*, char* identity, unsigned identity_max, unsigned char* key, unsigned key_max) {
    auto const* k = static_cast<shared_key*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), key_slot()));
    if (!k || k->identity.size() + 1 > identity_max || k->key.size() > key_max) return 0;
    std::memcpy(identity, k->identity.c_str(), k->identity.size() + 1);
    std::memcpy(key, k->key.data(), k->key.size());
    return static_cast<unsigned>(k->key.size());
}

void use_key(SSL_CTX* ctx, config::bridge const& b) {
    auto k = std::make_unique<shared_key>();
    k->identity = b.psk_identity;
    for (std::size_t i = 0; i + 1 < b.psk.size(); i += 2) k->key.push_back(static_cast<unsigned char>(std::stoi(b.psk.substr(i, 2), nullptr, 16)));
    SSL_CTX_set_ex_data(ctx, key_slot(), k.release());
    SSL_CTX_set_psk_client_callback(ctx, give_key);
    if (SSL_CTX_set_cipher_list(ctx, b.ciphers.empty() ? "kECDHEPSK:kDHEPSK:kPSK:!eNULL:!aNULL" : b.ciphers.c_str()) != 1) bad("bridge_ciphers", b.ciphers);
}

}

std::shared_ptr<boost::asio::ssl::context> tls_client(config::bridge const& b) {
    ERR_clear_error();
    auto made = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
    SSL_CTX* ctx = made->native_handle();
    SSL_CTX_set_min_proto_version(ctx, b.tls_version == "tlsv1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (!b.ciphers_tls13.empty() && SSL_CTX_set_ciphersuites(ctx, b.ciphers_tls13.c_str()) != 1) bad("bridge_ciphers_tls1.3", b.ciphers_tls13);
    if (!b.psk.empty()) return use_key(ctx, b), made;
    if (!b.ciphers.empty() && SSL_CTX_set_cipher_list(ctx, b.ciphers.c_str()) != 1) bad("bridge_ciphers", b.ciphers);
    if (!b.ca_file.empty() && SSL_CTX_load_verify_file(ctx, b.ca_file.c_str()) != 1) bad("bridge_cafile", b.ca_file);
    if (!b.ca_path.empty() && SSL_CTX_load_verify_dir(ctx, b.ca_path.c_str()) != 1) bad("bridge_capath", b.ca_path);
    if (b.use_os_certs) SSL_CTX_set_default_verify_paths(ctx);
    if (!b.certificate_file.empty()) {
        if (SSL_CTX_use_certificate_chain_file(ctx, b.certificate_file.c_str()) != 1) bad("bridge_certfile", b.certificate_file);
        if (SSL_CTX_use_PrivateKey_file(ctx, b.key_file.c_str(), SSL_FILETYPE_PEM) != 1) bad("bridge_keyfile", b.key_file);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
    return made;
}

void prepare(SSL* ssl, config::bridge const& b, std::string const& host) {
    in6_addr any{};
    bool const address = ::inet_pton(AF_INET, host.c_str(), &any) == 1 || ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
    if (!address) SSL_set_tlsext_host_name(ssl, host.c_str());
    if (b.psk.empty() && !b.insecure) {
        if (address) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
        else SSL_set1_host(ssl, host.c_str());
    }
    if (!b.alpn.empty()) {
        std::string const wire = static_cast<char>(b.alpn.size()) + b.alpn;
        SSL_set_alpn_protos(ssl, reinterpret_cast<unsigned char const*>(wire.data()), static_cast<unsigned>(wire.size()));
    }
}

std::string check_tls(config::bridge const& b) {
    if (!b.tls()) return {};
    try {
        (void)tls_client(b);
        return {};
    } catch (std::exception const& e) {
        return e.what();
    }
}

}
