// ota_*: every timer of reference/ota.md 2.4, and what a campaign does unless it says otherwise.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;

constexpr directive time(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = duration, .standard = standard, .doc = doc, .unit = "seconds"};
}
constexpr directive n(std::string_view name, std::string_view standard, std::int64_t most, std::string_view doc) {
    return {.name = name, .kind = count, .standard = standard, .doc = doc, .most = most};
}
constexpr directive percent_of(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = count, .standard = standard, .doc = doc, .unit = "percent", .most = 100};
}

constexpr directive rate(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = size, .standard = standard, .doc = doc, .unit = "bytes/s"};
}

constexpr directive rows[] = {
    {.name = "ota_registration", .kind = choice, .standard = "allow", .doc = "An unknown device with a good certificate: is registered, waits for acceptance, or is refused.", .choices = "allow quarantine deny"},
    {.name = "ota_command_key", .kind = path, .standard = "", .doc = "Ed25519 private key that signs commands (the online key); without it commands carry no envelope."},
    {.name = "ota_release_keys", .kind = path, .standard = "", .doc = "Public keys that may sign releases; one file a line.", .repeats = true},
    {.name = "ota_release_threshold", .kind = count, .standard = "1", .doc = "So many of them must have signed a release.", .least = 1, .most = 16},
    {.name = "ota_unsigned_firmware", .kind = choice, .standard = "refuse", .doc = "Whether a firmware without a signed release manifest may be uploaded.", .choices = "refuse allow"},
    {.name = "ota_url_keys", .kind = path, .standard = "", .doc = "File with the keys of download URLs, made when it is not there; empty means url.keys in store_path."},
    {.name = "ota_url_base", .standard = "", .doc = "Beginning of download URLs as devices see them; empty means https://localhost:8443."},
    time("ota_url_life", "1h", "Life of a download URL."),
    time("ota_url_life_renewable", "15m", "Life of a download URL for devices that have shown they ask for a new one."),

    {.name = "ota_firmware_key", .kind = path, .standard = "", .doc = "Images are kept encrypted (AES-256-GCM) with this key: a file (0600) with 64 hex digits (openssl rand -hex 32), or credential:NAME of systemd. The first line's key encrypts, all can decrypt; images that lie there in plain stay as they are.", .repeats = true},
    {.name = "ota_object_store_url", .standard = "", .doc = "S3-compatible object store that gives images to devices: https://s3.eu-central-1.amazonaws.com, https://storage.googleapis.com, https://minio.example:9000. Empty: only this broker does."},
    {.name = "ota_object_store_bucket", .standard = "", .doc = "Its bucket; it must exist."},
    {.name = "ota_object_store_region", .standard = "us-east-1", .doc = "Region in signatures; auto for Google Cloud Storage."},
    {.name = "ota_object_store_prefix", .standard = "firmware/", .doc = "Before the SHA-256 in an object's name."},
    {.name = "ota_object_store_keys", .kind = path, .standard = "", .doc = "File (0600) in AWS's credentials format; read again while running, so temporary keys may be replaced. GCS: an HMAC key."},
    {.name = "ota_object_store_bucket_in_host", .kind = flag, .standard = "false", .doc = "URLs begin https://BUCKET.HOST/ instead of https://HOST/BUCKET/; new buckets of AWS want it."},
    {.name = "ota_object_store_base_url", .standard = "", .doc = "Beginning of URLs as devices see them (firmware_base_url): a CDN that passes path and query on to the object store, under the store's own Host."},
    {.name = "ota_object_store_sse", .kind = choice, .standard = "none", .doc = "Encryption at rest that is asked of the object store with each image.", .choices = "none AES256 aws:kms"},
    {.name = "ota_object_store_kms_key", .standard = "", .doc = "Key id for ota_object_store_sse aws:kms; empty means the account's own key."},
    {.name = "ota_object_store_cafile", .kind = path, .standard = "", .doc = "CA certificates of the object store; empty means the system's."},
    {.name = "ota_object_store_part_size", .kind = size, .standard = "16MiB", .doc = "Images above this go up in parts of this size, 5MiB to 5GiB.", .unit = "bytes"},
    time("ota_object_store_timeout", "30s", "An upload without a byte of progress is given up and tried again."),

    time("ota_ack_timeout", "30s", "A command without PUBACK from a connected device is sent again."),
    time("ota_start_timeout", "5m", "A command without status from a connected device is sent again."),
    n("ota_resends", "3", 100, "So many times; then the update has failed with no_response."),
    time("ota_stall_timeout", "10m", "A download without progress while connected has stalled."),
    time("ota_install_timeout", "30m", "Installing and rebooting, wall clock; evidence that comes later still counts."),
    time("ota_probation", "10m", "From the first heartbeat with the new version to completed; 0 completes at once."),
    n("ota_probation_heartbeats", "2", 100, "Heartbeats with the new version that probation needs."),
    time("ota_rollback_grace", "60s", "From the old version seen after an install to a rollback that is inferred."),
    time("ota_rollback_window", "24h", "A completed device seen with its old version within this time has rolled back."),
    time("ota_retry_backoff", "1m", "Wait before the second attempt; four times as long before each further one."),
    n("ota_boot_loop_connects", "4", 200, "Connects within ota_boot_loop_window that make a boot loop of an update."),
    time("ota_boot_loop_window", "10m", "See ota_boot_loop_connects."),
    time("ota_cancel_timeout", "30s", "A cancelled device that does not answer in this time counts as cancelled."),

    time("ota_phase_soak", "10m", "Wait after a phase of a campaign has succeeded (phases: 1, 10, 50, 100 % unless the campaign says otherwise)."),
    percent_of("ota_phase_success", "95", "Share of finished devices that must have succeeded before the next phase."),
    n("ota_phase_min", "1", 1'000'000, "Devices of a phase that must have finished before its gate is looked at."),
    n("ota_stop_good_percent", "2", 99, "Share of failed updates that is acceptable: a campaign that fails so often goes on."),
    n("ota_stop_bad_percent", "10", 99, "Share of failed updates at which a campaign stops itself, after about ten failures; 0 means never."),
    n("ota_stop_signatures", "2", 1'000'000, "Devices with signature_invalid that stop a campaign; 0 means never."),
    n("ota_stop_boot_loops", "3", 1'000'000, "Devices with boot_loop that stop a campaign; 0 means never."),
    n("ota_max_in_flight", "10000", 10'000'000, "Devices under way in one campaign."),
    n("ota_rate_per_min", "0", 100'000'000, "Devices admitted a minute in one campaign; 0 means no limit."),
    rate("ota_rate_bytes", "0", "Bytes of images whose download may be asked for, a second, all campaigns together; 0 means no limit."),
    {.name = "ota_approval", .kind = flag, .standard = "false", .doc = "A campaign starts only after somebody other than its maker has approved it."},
    n("ota_admission_batch", "1000", 10'000, "Devices admitted in one transaction."),
    rate("ota_transfer_rate", "0", "Bytes a second of one download; 0 means no limit."),

    {.name = "ota_keys", .kind = path, .standard = "", .doc = "Root-signed key list (keys.json): published on ota/keys, replaced by POST /api/v1/key-list; its release keys are ours when ota_release_keys is empty."},
    {.name = "ota_commands", .standard = "", .doc = "Commands of your own that may be sent to devices, and the least role: reboot=operator,shell=admin. Empty: none."},
    {.name = "ota_ddi", .kind = flag, .standard = "false", .doc = "hawkBit's device API at /DEFAULT/controller/v1, for SWUpdate, RAUC and Zephyr devices."},
    {.name = "ota_ddi_gateway_token", .kind = path, .standard = "", .doc = "File (0600) with a token that speaks for every device of the DDI; empty: only target tokens and client certificates."},
    time("ota_ddi_poll", "5m", "How often an idle device shall poll the DDI; 30 s while it has an update. Three polls missed: offline."),

    time("ota_heartbeat_checkpoint", "30s", "Heartbeat slots that changed are written to the hot store after this time."),
    time("ota_last_seen_flush", "30s", "last_seen of devices that were heard is written to the registry after this time, folded."),
    {.name = "ota_alert_webhook", .standard = "", .doc = "Where alerts are posted to: https://host/path, or file:/path of a file (0600) that holds the address, as Slack's is a secret. Empty: nowhere."},
    {.name = "ota_alert_webhook_format", .kind = choice, .standard = "airmail", .doc = "In whose words: our own JSON, a Slack message, PagerDuty's Events v2, Alertmanager's /api/v2/alerts.", .choices = "airmail slack pagerduty alertmanager"},
    {.name = "ota_alert_webhook_key", .kind = path, .standard = "", .doc = "File (0600) with the secret that signs posts (airmail: X-Airmail-Signature) or PagerDuty's routing key."},
    {.name = "ota_alert_webhook_inside", .kind = flag, .standard = "false", .doc = "Whether the receiver may have an address inside of this network, or speak plain http; otherwise such addresses are refused after resolving."},
    {.name = "ota_alert_webhook_cafile", .kind = path, .standard = "", .doc = "CA certificates of the receiver; empty means the system's."},
    percent_of("ota_alert_failure_percent", "10", "Share of failed updates that raises an alert."),
    percent_of("ota_alert_offline_percent", "5", "Share of offline devices that raises an alert."),
};

}

std::span<directive const> updates() { return rows; }

}
