#pragma once
// The signed command, ota.command.v1: what *this* device shall install now. Signed by the online key (role "command"). It can
// only choose among releases; the URL is not part of it, since it is renewed while size and hash stay.

#include "storage/firmware/envelope.hpp"

namespace airmail::storage::firmware {

struct signed_command {
    std::string command = "ota_update";        // ota_update, cancel, verify_only ...
    std::string device_id;                     // the one it is for
    std::uint64_t seq = 0;                     // grows per device; a device refuses what is not newer
    std::int64_t issued_at = 0, expires_at = 0;    // unix seconds
    std::string campaign_id, command_id;
    std::string version;
    digest256 sha256{};                        // whole file: the command's checksum
    std::uint64_t size_bytes = 0;
    digest256 manifest_sha256{};               // manifest_digest(); zero = none
    std::string params;                        // of an operator's own command: a JSON object as text; empty = none
    bool force = false;
    std::uint64_t min_rate_bytes_s = 0;

    std::string to_json() const;
    static result<signed_command> parse(std::string_view json);
};

result<envelope> make_command(signed_command const& c, private_key const& online_key);

struct command_checks {
    std::string_view device_id;
    std::uint64_t last_seq = 0;                // newest seq ever accepted
    std::int64_t now = 0;                      // unix seconds, 0 = no clock: expiry is then left to issued_at of the next command
    std::string_view known_command_id;         // the one under way: the same id with the same seq is a repeat, and fine
};
/// At most 16 KiB. errc::bad_signature, wrong_type, bad_format, not_for_us, replayed, expired, too_large.
result<signed_command> verify_command(std::string_view envelope_json, signers const& who, command_checks const& c);

}
