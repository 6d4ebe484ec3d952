#pragma once
// What every broker of a run is given: the same rules, the same certificates.

#include "bench/airmail-bench/swarm.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace airmail::bench {

/// An acl_file of exactly 1,000 rules as a fleet's operator has it: 332 users with three rules each, and four patterns.
/// Users `u0` to `u331` may use `bench/#`, read `devices/+/heartbeat` and write `devices/+/command`; a user `dev-N` is let in
/// by the patterns. So a check looks at three or four rules in any broker that groups them by user.
std::string acl_of_1000_rules();

/// The user name of the n-th client of a throughput scenario.
std::string bench_user(std::size_t n);
/// The client id, user name and certificate name of the n-th device.
std::string device_name(std::size_t n);

/// A certificate authority for one run, in memory; P-256 throughout.
/// Owned by: the run. Keys of devices are made once and used by every round.
class certificates {
public:
    /// Issues for `devices` devices; about half a millisecond each.
    explicit certificates(std::size_t devices);
    ~certificates();
    certificates(certificates const&) = delete;
    certificates& operator=(certificates const&) = delete;

    /// Writes ca.crt, server.crt and server.key into a broker's folder.
    void write(std::string const& dir) const;
    /// TLS 1.3 as a client that verifies the server; borrowed.
    SSL_CTX* context() const { return context_; }
    tls_identity identity(std::size_t n) const { return devices_[n]; }

private:
    std::string ca_pem_, server_pem_, server_key_;
    SSL_CTX* context_ = nullptr;
    std::vector<tls_identity> devices_;
};

}
