#pragma once
// What goes to devices/{id}/command. Minted when it leaves, never before: fresh URL, sequence and envelope; the row keeps only the
// command_id, which follows from campaign, device and attempt.

#include "plugins/campaign/crew.hpp"
#include "plugins/campaign/settings.hpp"
#include "storage/firmware/command_envelope.hpp"
#include "storage/firmware/signed_url.hpp"
#include "storage/firmware/sigv4.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace airmail::plugins::campaign {

/// What a command says of the image; read once per firmware.
struct release_info {
    std::string firmware_id, version, checksum, manifest;      // manifest: the release envelope, JSON; empty = unsigned image
    storage::firmware::digest256 sha256{}, manifest_sha256{};
    std::int64_t size_bytes = 0;
    bool in_object_store = false;      // then its URLs lead there; an image never leaves the store while its row stands
};

struct order {
    std::string_view campaign_id, command_id, serial_no, traceparent;
    std::int64_t life_ms = 3'600'000;
};

/// A command that is being made: what it depends on is fixed on the lane, the text may be made on any thread.
struct letter {
    std::string campaign_id, command_id, serial_no, traceparent;
    bool cancels = false;                      // cancel instead of ota_update
    std::int64_t life_ms = 0, issued = 0;      // issued: unix seconds
    std::uint64_t seq = 0;
    std::string payload, trouble;              // trouble: why there is no payload, or no envelope in it
    bool wanted = false;                       // its row has been written: it may leave
};

/// A command of no campaign. `fault` is what `airmailctl device certify` wants wrong with it: duplicate, bad_hash, bad_signature, expired_url.
struct custom_command {
    std::string command, serial_no, campaign_id, command_id, params, fault;      // params: a JSON object, under the signature; may be empty
    std::int64_t life_s = 3600;
    release_info const* release = nullptr;
};

/// Owned by: the campaign plugin's lane.
class command_mint {
public:
    /// Loads or makes the URL keys, loads the online key. Throws std::runtime_error in one clear sentence.
    void configure(sdk::context& ctx, settings const& s);
    /// Without a key commands carry no envelope; devices that ask for one refuse them.
    bool signs() const { return key_.has_value(); }

    void send_update(sdk::context& ctx, release_info const& r, order const& o);
    /// Many at once: begin() signs on two threads while the caller writes the rows and marks the letters that shall leave;
    /// post() waits and publishes those. Both arguments stay where they are in between.
    /// @param r may be null when all of them cancel
    void begin(sdk::context& ctx, release_info const* r, std::vector<letter>& letters);
    void post(sdk::context& ctx, std::vector<letter> const& letters);
    /// When the hook fails in between: nobody works on the letters any more.
    void abandon() { crew_.finish(); }
    void send_cancel(sdk::context& ctx, order const& o);
    void send_url(sdk::context& ctx, release_info const& r, order const& o);
    void send_report(sdk::context& ctx, std::string_view serial_no);
    /// Signed like an update, with a sequence of the same row. Throws std::runtime_error.
    void send_custom(sdk::context& ctx, custom_command const& c);

    /// Cached; nullptr when the firmware is gone.
    release_info const* release(sdk::context& ctx, std::string const& firmware_id);

private:
    std::string url_of(release_info const& r, order const& o, std::int64_t expires_s) const;
    bool is_object(sdk::context& ctx, std::string const& firmware_id) const;
    void refresh_keys(sdk::context& ctx);
    std::uint64_t next_seq(sdk::context& ctx);
    std::string compose(sdk::context& ctx, custom_command const& c);
    /// Thread-safe: reads keys only.
    void write(release_info const* r, letter& l) const;
    std::string envelope(char const* command, release_info const* r, order const& o, std::uint64_t seq, std::int64_t issued, std::int64_t expires,
                         std::string& trouble) const;
    void send_one(sdk::context& ctx, release_info const* r, order const& o);
    void publish(sdk::context& ctx, order const& o, std::string const& payload);

    std::optional<storage::firmware::url_key_ring> ring_;
    std::optional<storage::firmware::private_key> key_;
    std::unordered_map<std::string, release_info> releases_;
    std::string url_base_, object_place_, object_keys_file_;
    std::optional<storage::firmware::object_place> objects_;
    storage::firmware::object_keys object_keys_;
    std::int64_t object_keys_read_ = 0;        // wall, ms
    std::uint64_t last_seq_ = 0;
    crew crew_;                                // last: its thread reads what is above
};

}
