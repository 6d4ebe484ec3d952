#include "bench/airmail-bench/material.hpp"

#include "bench/airmail-bench/failure.hpp"
#include "tools/airmailctl/ca.hpp"

#include <fmt/format.h>
#include <fstream>
#include <openssl/pem.h>

namespace airmail::bench {
namespace {

BIO* reading(std::string const& pem) { return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())); }

X509* certificate_of(std::string const& pem) {
    BIO* in = reading(pem);
    X509* c = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    if (!c) throw failure("a certificate just issued cannot be read");
    return c;
}

EVP_PKEY* key_of(std::string const& pem) {
    BIO* in = reading(pem);
    EVP_PKEY* k = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    if (!k) throw failure("a key just made cannot be read");
    return k;
}

}

std::string acl_of_1000_rules() {
    std::string out = "pattern readwrite devices/%u/#\npattern read ota/keys\npattern read ota/%u/#\npattern write fleet/%u/#\n";
    for (int u = 0; u < 332; ++u)
        out += fmt::format("user u{}\ntopic read devices/+/heartbeat\ntopic write devices/+/command\ntopic readwrite bench/#\n", u);
    return out;
}

std::string bench_user(std::size_t n) { return fmt::format("u{}", n % 332); }
std::string device_name(std::size_t n) { return fmt::format("dev-{:06}", n); }

certificates::certificates(std::size_t devices) {
    auto ca = ctl::certificate_authority::in_memory();
    ca_pem_ = ca.certificate_pem();
    auto const server = ca.issue_server({"localhost", "127.0.0.1"});
    server_pem_ = server.certificate_pem;
    server_key_ = server.key_pem;
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    X509* root = certificate_of(ca_pem_);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), root);
    X509_free(root);
    devices_.reserve(devices);
    for (std::size_t i = 0; i < devices; ++i) {
        auto const d = ca.issue_device(device_name(i));
        devices_.push_back({certificate_of(d.certificate_pem), key_of(d.key_pem)});
    }
}

certificates::~certificates() {
    for (auto const& d : devices_) {
        X509_free(d.certificate);
        EVP_PKEY_free(d.key);
    }
    SSL_CTX_free(context_);
}

void certificates::write(std::string const& dir) const {
    std::ofstream(dir + "/ca.crt") << ca_pem_;
    std::ofstream(dir + "/server.crt") << server_pem_;
    std::ofstream(dir + "/server.key") << server_key_;
}

}
