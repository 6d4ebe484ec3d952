#pragma once
// Rows of campaigns and campaign_devices as structs, and the only SQL that reads and writes them one by one.

#include "plugins/campaign/device_state.hpp"
#include "plugins/campaign/phases.hpp"
#include "plugins/campaign/window.hpp"
#include "plugins/sdk/plugin.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::plugins::campaign {

/// Rows per public status, and what gates and operators ask. Kept in the campaign's row, changed in the transaction of the device's.
struct counters {
    std::int64_t total = 0, finished = 0, not_counting = 0, in_flight = 0;
    std::int64_t by_status[6] = {0, 0, 0, 0, 0, 0};

    void add(device_row const& r, std::int64_t sign);
    std::int64_t of(status s) const { return by_status[static_cast<int>(s)]; }
    /// Finished rows that say something about the firmware.
    std::int64_t counted() const { return finished - not_counting; }
    bool operator==(counters const&) const = default;
};

struct campaign_row {
    std::string id, name, firmware_id, target_criteria, status, stage, reason, created_by, to_version, phases_text, traceparent;
    std::int64_t created_at = 0, updated_at = 0, started_at = 0, completed_at = 0, start_at = 0, expires_at = 0;   // unix ms
    std::int64_t phase = 0, phase_since = 0, salt = 0, max_in_flight = 0, rate_per_min = 0, seq = 0;
    bool dynamic = false, allow_downgrade = false, supersedes = false, auto_stop = true;
    double stop_score = 0;                            // worst() of its stop_scores when a device last failed
    std::int64_t priority = 500, rate_bytes_s = 0;    // 0 to 1000, the larger first; bytes of images admitted a second, 0 = no limit
    std::string windows_text, zone, approved_by, reverts;      // zone: minutes east of UTC where the device has no utc_offset
    std::vector<window> windows;
    counters n;
    std::vector<campaign::phase> phases;

    bool running() const { return status == "active" && stage == "running"; }
    bool open() const { return status == "active"; }
    campaign::phase const& current() const { return phases[static_cast<std::size_t>(phase)]; }
    bool last_phase() const { return static_cast<std::size_t>(phase) + 1 >= phases.size(); }
};

struct device_entry {
    std::int64_t rowid = 0;
    std::string campaign_id, device_id, serial_no, command_id, from_version, to_version, error_message, failed_version, traceparent;
    std::int64_t bucket = 0, started_at = 0, updated_at = 0, completed_at = 0;
    device_row row;
    // Of the device, when it is registered.
    std::string current_version, model, registration;
};

std::optional<campaign_row> load_campaign(sdk::context& ctx, std::string_view id);
/// Everything that may change after create.
void save_campaign(sdk::context& ctx, campaign_row const& c);
void insert_campaign(sdk::context& ctx, campaign_row const& c);

/// `where` is SQL after WHERE on campaign_devices c (joined with devices d), with its own parameters.
std::vector<device_entry> load_devices(sdk::context& ctx, std::string_view where, std::vector<sdk::sql_value> const& params);
std::optional<device_entry> load_device(sdk::context& ctx, std::string_view campaign_id, std::string_view serial_no);
void save_device(sdk::context& ctx, device_entry const& d);

/// Counts all rows anew: what the stored counters must equal.
counters recount(sdk::context& ctx, std::string_view campaign_id);

}
