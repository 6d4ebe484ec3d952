#pragma once
// What came on devices/{id}/command, and whether a device may obey it. Pure.

#include "storage/firmware/command_envelope.hpp"
#include "storage/firmware/release_manifest.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::sim {

struct command {
    std::string kind;                       // ota_update, cancel, url, report, config, verify_only ...
    std::string version, url, checksum, campaign_id, command_id, device_id;
    std::string envelope, manifest;         // JSON texts, empty = none
    std::uint64_t size_bytes = 0, seq = 0;
    std::int64_t expires_at = 0;
    std::map<std::string, std::string> settings;

    /// Any JSON object of at most 16 KiB with a member "command"; members we do not know are passed over.
    static std::optional<command> parse(std::string_view payload);
};

/// Whom a device believes. A role without keys is not checked.
struct trust {
    storage::firmware::signers commands, releases;
};

/// What a device remembers that a judgement needs.
struct memory {
    std::string_view serial, model, version;
    std::uint64_t security_counter = 0, last_seq = 0;
    std::string_view known_command_id;      // the one under way, or the last
    std::int64_t now = 0;                   // unix seconds
};

struct verdict {
    bool stale = false;                     // a replay, or not for this device: no answer
    std::string_view reason;                // of the closed list of reference/ota.md 2.4; empty = obey
    std::uint64_t security_counter = 0;     // of the release
};

/// Steps 2 and 3 of reference/ota.md 4.2: the command's signature, device, sequence, expiry; then the manifest's.
verdict judge(command const& c, trust const& t, memory const& m);

}
