#pragma once
// What goes to devices/{id}/command. Minted when it leaves, never before: fresh URL, sequence and envelope; the row keeps only the
// command_id, which follows from campaign, device and attempt.

#include "plugins/campaign/settings.hpp"
#include "storage/firmware/command_envelope.hpp"
#include "storage/firmware/signed_url.hpp"

#include <optional>
#include <string>
#include <unordered_map>

namespace airmail::plugins::campaign {

/// What a command says of the image; read once per firmware.
struct release_info {
    std::string firmware_id, version, checksum, manifest;      // manifest: the release envelope, JSON; empty = unsigned image
    storage::firmware::digest256 sha256{}, manifest_sha256{};
    std::int64_t size_bytes = 0;
};

struct order {
    std::string_view campaign_id, command_id, serial_no, traceparent;
    std::int64_t life_ms = 3'600'000;
};

/// Owned by: the campaign plugin's lane.
class command_mint {
public:
    /// Loads or makes the URL keys, loads the online key. Throws std::runtime_error in one clear sentence.
    void configure(sdk::context& ctx, settings const& s);
    /// Without a key commands carry no envelope; devices that ask for one refuse them.
    bool signs() const { return key_.has_value(); }

    void send_update(sdk::context& ctx, release_info const& r, order const& o);
    void send_cancel(sdk::context& ctx, order const& o);
    void send_url(sdk::context& ctx, release_info const& r, order const& o);
    void send_report(sdk::context& ctx, std::string_view serial_no);

    /// Cached; nullptr when the firmware is gone.
    release_info const* release(sdk::context& ctx, std::string const& firmware_id);

private:
    std::string url_of(release_info const& r, order const& o, std::int64_t expires_s) const;
    std::uint64_t next_seq(sdk::context& ctx);
    std::string envelope(sdk::context& ctx, char const* command, release_info const* r, order const& o, std::uint64_t seq, std::int64_t issued, std::int64_t expires) const;
    void publish(sdk::context& ctx, order const& o, std::string const& payload);

    std::optional<storage::firmware::url_key_ring> ring_;
    std::optional<storage::firmware::private_key> key_;
    std::unordered_map<std::string, release_info> releases_;
    std::string url_base_;
    std::uint64_t last_seq_ = 0;
};

}
