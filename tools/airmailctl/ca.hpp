#pragma once
// A certificate authority in a directory: `airmailctl ca`. P-256 throughout. No daemon: each call opens, locks, does, and closes.
//
//   DIR/ca.key  0600   DIR/ca.crt   DIR/ca.crl   DIR/index.jsonl (what was issued and revoked, append-only)   DIR/issued/<serial>.crt
//
// A device certificate: CN = id, SAN URI urn:airmail:device:<id>, and SAN DNS id when it is a host name; clientAuth only.
// A server certificate: the names asked for as SANs; serverAuth only. Private keys of devices and servers are never kept here.
// All functions throw ctl::failure.

#include "tools/airmailctl/failure.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::ctl {

struct ca_options {
    std::string common_name = "Airmail CA";
    int days = 7300;
    std::function<std::int64_t()> now;      // unix seconds; empty = the system's clock
};

/// Freshly issued: PEM texts, and the serial number in lower-case hex.
struct issued {
    std::string id, serial, key_pem, certificate_pem;
    std::int64_t not_after = 0;             // unix seconds
};

enum class certificate_kind { server, device };

struct index_entry {
    std::string serial, id;                 // id: the device, or the server's first name
    certificate_kind kind = certificate_kind::device;
    std::int64_t issued_at = 0, not_after = 0;
    std::optional<std::int64_t> revoked_at;
};

class certificate_authority {
public:
    /// A new one in a new or empty directory (0700). Refused when there is one already.
    static certificate_authority create(std::string const& directory, ca_options const& o = {});
    /// An existing one. Refused when the key is readable by others or does not fit the certificate.
    static certificate_authority open(std::string const& directory, std::function<std::int64_t()> now = {});
    /// One that keeps nothing on disk: for tests, and for thousands of simulated devices.
    static certificate_authority in_memory(ca_options const& o = {});
    ~certificate_authority();
    certificate_authority(certificate_authority&&) noexcept;

    std::string certificate_pem() const;

    /// @param names host names (also "*.example.com") and IP addresses, at least one; the first is the CN
    issued issue_server(std::vector<std::string> const& names, int days = 825);
    /// @param id 1-64 of [A-Za-z0-9._:-]. The same id may be issued again (renewal).
    issued issue_device(std::string_view id, int days = 3650);
    /// For a device that made its own key: a PEM request; only its public key is used, all else is ours. key_pem stays empty.
    issued issue_device_for_request(std::string_view id, std::string_view request_pem, int days = 3650);

    /// By serial, or all living certificates of an id. @return how many; refused when none. Writes the CRL anew.
    std::size_t revoke(std::string_view serial_or_id);
    /// Signs the list of revoked certificates (PEM), valid for `days`; with a directory also writes DIR/ca.crl.
    std::string make_crl(int days = 7);
    /// Everything ever issued, oldest first.
    std::vector<index_entry> list() const;

private:
    struct impl;
    explicit certificate_authority(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// Writes `<stem>.key` (0600, never over an existing file) and `<stem>.crt` (0644). With `chain` appended to the certificate.
void write_issued(issued const& i, std::string const& stem, std::string_view chain = {});

}
