// ota_*: every timer of reference/ota.md 2.4, and what a campaign does unless it says otherwise.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;

constexpr directive time(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = duration, .standard = standard, .doc = doc, .unit = "seconds", .reloadable = true};
}
constexpr directive n(std::string_view name, std::string_view standard, std::int64_t most, std::string_view doc) {
    return {.name = name, .kind = count, .standard = standard, .doc = doc, .reloadable = true, .most = most};
}
constexpr directive part(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = percent, .standard = standard, .doc = doc, .unit = "percent", .reloadable = true};
}
constexpr directive rate(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = size, .standard = standard, .doc = doc, .unit = "bytes/s", .reloadable = true};
}

constexpr directive rows[] = {
    {.name = "ota_registration", .kind = choice, .standard = "allow", .doc = "An unknown device with a good certificate: is registered, waits for acceptance, or is refused.", .choices = "allow quarantine deny", .reloadable = true},
    {.name = "ota_online_key", .kind = path, .standard = "", .doc = "Ed25519 private key that signs commands."},
    {.name = "ota_release_keys", .kind = path, .standard = "", .doc = "Ed25519 public keys that may sign releases; one file a line.", .reloadable = true, .repeats = true},
    {.name = "ota_root_keys", .kind = path, .standard = "", .doc = "Root-signed key list that is published at ota/keys.", .reloadable = true},
    {.name = "ota_url_base", .standard = "", .doc = "Beginning of download URLs as devices see them; empty means https://HOSTNAME:http_port.", .reloadable = true},
    time("ota_url_life", "1h", "Life of a download URL."),
    time("ota_url_life_refreshing", "15m", "Life of a download URL for devices that have shown they ask for a new one."),

    time("ota_ack_timeout", "30s", "A command without PUBACK from a connected device is sent again."),
    time("ota_no_response_timeout", "5m", "A command without status from a connected device is sent again."),
    n("ota_no_response_resends", "3", 100, "So many times; then the update has failed with no_response."),
    time("ota_stall_timeout", "10m", "A download without progress while connected has stalled."),
    time("ota_download_timeout", "30m", "Least time a download may take in all; a large image gets size / ota_min_rate."),
    rate("ota_min_rate", "16KiB/s", "Slowest download that is waited for."),
    time("ota_install_timeout", "30m", "Installing and rebooting, wall clock; evidence that comes later still counts."),
    time("ota_probation", "10m", "From the first heartbeat with the new version to completed; 0 completes at once."),
    n("ota_probation_heartbeats", "2", 1000, "Heartbeats with the new version that probation needs."),
    time("ota_rollback_grace", "60s", "From the old version seen after an install to a rollback that is inferred."),
    time("ota_rollback_window", "24h", "A completed device seen with its old version within this time has rolled back."),
    n("ota_retry_max", "3", 100, "Further attempts after a failure that may pass."),
    time("ota_retry_backoff", "1m", "Wait before the second attempt; four times as long before each further one."),
    n("ota_checksum_retries", "1", 100, "Further attempts after a checksum mismatch."),
    n("ota_signature_stop", "2", 1'000'000, "Distinct devices that refuse a signature before the campaign is paused."),
    n("ota_boot_loop_connects", "4", 1000, "Connects within ota_boot_loop_window that make a boot loop of an update."),
    time("ota_boot_loop_window", "10m", "See ota_boot_loop_connects."),
    time("ota_cancel_deadline", "5m", "A cancelled device that does not answer in this time counts as cancelled."),

    {.name = "ota_phases", .standard = "1,10,50,100", .doc = "Shares of the targets, percent, that a campaign without phases goes through.", .reloadable = true},
    part("ota_phase_success", "95%", "Share of finished devices that must have succeeded before the next phase."),
    time("ota_phase_soak", "10m", "Wait after a phase has succeeded."),
    part("ota_failure_acceptable", "2%", "Failure rate that is lived with (p0 of the stopping rule)."),
    part("ota_failure_unacceptable", "10%", "Failure rate that must stop a campaign (p1 of the stopping rule)."),
    {.name = "ota_failure_threshold", .standard = "9.2", .doc = "h of the stopping rule: larger stops later and more surely.", .reloadable = true},
    n("ota_inflight_max", "10000", 100'000'000, "Devices under way in one campaign."),
    n("ota_downloads_max", "1000", 1'000'000, "Downloads from this node at once."),
    rate("ota_transfer_rate", "0", "Bytes a second of one download; 0 means no limit."),
    rate("ota_bandwidth", "0", "Bytes a second of all downloads from this node; 0 means no limit."),

    time("ota_heartbeat_interval", "300s", "Rhythm of a device whose own is not learnt yet."),
    time("ota_heartbeat_write", "60s", "An unchanged heartbeat is written down at most once in this time."),
    {.name = "ota_offline_factor", .kind = count, .standard = "3", .doc = "A device is offline after so many times its rhythm.", .reloadable = true, .least = 1, .most = 1000},
    part("ota_alert_offline", "5%", "Share of offline devices that raises an alert."),
    part("ota_alert_failure", "10%", "Share of failed updates that raises an alert."),
    {.name = "ota_alert_webhook", .standard = "", .doc = "URL that alerts are posted to.", .reloadable = true, .status = standing::later},
};

}

std::span<directive const> updates() { return rows; }

}
