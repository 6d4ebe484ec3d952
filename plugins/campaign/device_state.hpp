#pragma once
// One device in one campaign: the table of reference/ota.md 2.4-2.5 as a function. No I/O, no clock, no strings: an event, the
// row, the time and the timers go in; the row changes and a set of actions comes out. Whoever calls it compares versions and
// command ids, writes the row in the transaction of the event, and then does what the actions say.
//
//   waiting 0 -> sent 4 -> delivered 6 -> accepted 8 -> downloading 10 -> downloaded 20 -> verifying 25
//      ^           |                                        | stalled, checksum ...
//      |           v no answer                              v
//      '-- retry -- failed <--------------------------------'      -> installing 30 -> rebooting 40 -> probation 50 -> completed
//                                                                        '--------> rollback (reported, inferred) <------'

#include <cstdint>
#include <optional>
#include <string_view>

namespace airmail::plugins::campaign {

/// The document's words: what the world sees.
enum class status : std::uint8_t { pending, downloading, installing, completed, failed, rollback };

/// Where inside them. `rank` orders stages within one attempt; a status of a smaller rank is stale.
enum class stage : std::uint8_t {
    waiting, admitted, sent, delivered, accepted, deferred, downloading, downloaded, verifying, installing, rebooting, probation,
    confirmed, inferred, already_installed, failed, rollback_reported, rollback_inferred,
};

/// The closed list of reference/ota.md 2.4 (unspecified: a device that says `failed` and nothing else).
enum class reason : std::uint8_t {
    none, checksum_mismatch, signature_invalid, manifest_expired, incompatible, downgrade_refused, no_space, download_error,
    url_expired, stalled, no_response, install_timeout, boot_loop, rejected, unspecified, cancelled, superseded, not_applicable,
    device_removed,
};

int rank_of(stage s);
status status_of(stage s);
std::string_view name_of(status s);
std::string_view name_of(stage s);
std::string_view name_of(reason r);
std::optional<status> status_named(std::string_view s);
std::optional<stage> stage_named(std::string_view s);
std::optional<reason> reason_named(std::string_view s);
/// Failures that say nothing about the firmware: cancelled, superseded, not_applicable, device_removed.
bool counts_as_failure(reason r);
/// How many new attempts this reason is worth.
int retries_of(reason r);

/// Milliseconds; defaults of reference/ota.md 2.4. Each is an `ota_*` directive (settings.hpp).
struct timers {
    std::int64_t ack = 30'000;                    // sent, connected, no answer -> same command again
    std::int64_t start = 300'000;                 // delivered, connected, no status -> again
    std::int64_t stall = 600'000;                 // connected, no progress
    std::int64_t install = 1'800'000;             // installing and rebooting, wall clock
    std::int64_t probation = 600'000;             // 0 = the document's rule: completed when seen
    int probation_heartbeats = 2;
    std::int64_t rollback_grace = 60'000;         // old version after a reboot: time for the device to say `rollback`
    std::int64_t cancel = 30'000;                 // cancel sent, no answer -> failed(cancelled)
    std::int64_t retry = 60'000;                  // first back-off, times 4 each
    std::int64_t boot_loop_window = 600'000;
    int boot_loop_connects = 4;
    std::int64_t rollback_window = 86'400'000;    // completed, then the old version again
    int resends_max = 3;
};

/// What is persisted per device and campaign. Owned by: the campaign plugin's lane.
struct device_row {
    stage at = stage::waiting;
    reason why = reason::none;
    std::uint32_t attempt = 1;
    std::uint32_t rev = 0;                        // +1 per applied change
    bool issued = false;                          // this attempt's command has left at least once
    bool connected = false;
    bool cancel_requested = false;                // a latch: progress never clears it
    bool superseded = false;                      // the latch came from a newer campaign
    bool too_late = false;                        // asked to stop at rank >= 30
    bool installed_anyway = false;                // cancelled, and yet the new version was seen
    bool anomaly = false;                         // failed by our timers, and yet completed
    bool suspect = false;                         // old version after a reboot; deadline_at ends the grace
    bool old_seen = false;                        // a new session told the old version while installing
    bool retry_pending = false;                   // failed, and deadline_at is when it is tried again
    std::uint8_t resends = 0;
    std::uint8_t heartbeats = 0;                  // with the new version, in probation
    std::uint8_t loops = 0;                       // connects while installing or in probation
    std::int64_t loop_since = 0;
    std::int64_t last_new_at = 0;                 // newest counted heartbeat with the new version
    std::uint64_t connection = 0;                 // newest session
    std::int64_t deadline_at = 0;                 // 0 = no timer runs
    std::int64_t remaining = 0;                   // a connected-time timer that stands still
    std::int64_t completed_at = 0;
    int progress = -1;
    std::uint64_t bytes = 0;

    bool operator==(device_row const&) const = default;
};

/// Nothing more will come by itself.
bool terminal(device_row const& r);
/// Holds an admission token and is the device's one update.
inline bool in_flight(device_row const& r) { return rank_of(r.at) >= 2 && rank_of(r.at) <= 50; }

/// The columns of table 2.5, and the words devices say besides.
enum class event_kind : std::uint8_t {
    admit,                 // A   a token is granted, or an operator forces a new attempt
    puback,                // P
    downloading,           // D   also: first byte served
    downloaded, verifying, // G
    installing,            // I
    rebooting,             //     device says so before it goes
    gone,                  // X   disconnected
    ready,                 //     session there (again)
    heartbeat_new,         // HN
    heartbeat_old,         // HO when `first`
    completed,             // C
    failed,                // F
    rollback,              // R
    accepted, deferred, rejected, cancelled, too_late,
    cancel,                // K   latched by an operator
    timer,                 // T
    supersede,             // Z
    not_applicable,        //     expired, poisoned, no longer matching
    removed,               //     device deleted or blocked
};

/// Did a status name our command?
enum class id_match : std::uint8_t { absent, current, other };
/// What boot_id says against the one before the session.
enum class boot : std::uint8_t { unknown, same, changed };

struct event {
    event_kind what;
    id_match command = id_match::absent;
    reason why = reason::none;         // with failed
    int progress = -1;                 // percent
    std::uint64_t bytes = 0;
    bool first = false;                // first heartbeat of a session
    bool forced = false;               // admit: an operator's re-run
    bool version_new = false;          // completed, rollback: the last heartbeat had the new version
    enum boot boot = boot::unknown;
    std::uint64_t connection = 0;      // ready, gone
    std::uint64_t jitter = 0;          // hash of the device: spreads retries, same for the same device
};

/// What the caller has to do, after the row is written.
enum action : std::uint32_t {
    send_command = 1,      // mint URL and envelope for this attempt, publish
    send_cancel = 2,
    revoke_url = 4,
    send_report = 8,       // ask for a heartbeat: {"command":"report"}
    poison = 16,           // never offer this version to this device again by itself
    alert = 32,            // rollback, boot loop, signature
    stale = 64,            // audited, nothing changed
    answered_too_late = 128,
};

struct outcome {
    std::uint32_t actions = 0;
    bool changed = false;              // the row must be written
    bool has(action a) const { return actions & a; }
};

/// One step. Events that the table calls impossible or stale change nothing and say `stale`.
/// @param now milliseconds of the stored clock
outcome apply(device_row& row, event const& e, std::int64_t now, timers const& t);

/// Back-off before attempt + 1: retry * 4^(attempt - 1) plus up to a quarter of it from the jitter.
std::int64_t backoff(timers const& t, std::uint32_t attempt, std::uint64_t jitter);

}
