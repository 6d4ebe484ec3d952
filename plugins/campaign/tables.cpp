#include "plugins/campaign/tables.hpp"

namespace airmail::plugins::campaign {

namespace {

// Times for people are unix ms; `deadline_at`, `remaining_ms`, `ended_ms`, `phase_since` are ms of the stored clock.
constexpr char campaigns_1[] = R"(CREATE TABLE campaigns(
    campaign_id     TEXT PRIMARY KEY NOT NULL,
    tenant          INTEGER NOT NULL DEFAULT 0,
    name            TEXT NOT NULL,
    firmware_id     TEXT NOT NULL,
    target_criteria TEXT NOT NULL DEFAULT '{}',
    status          TEXT NOT NULL DEFAULT 'pending' CHECK(status IN ('pending','active','completed','cancelled')),
    stage           TEXT NOT NULL DEFAULT 'draft',
    reason          TEXT NOT NULL DEFAULT '',
    created_by      TEXT NOT NULL DEFAULT '',
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    started_at      INTEGER,
    completed_at    INTEGER,
    start_at        INTEGER,
    expires_at      INTEGER,
    to_version      TEXT NOT NULL,
    phases          TEXT NOT NULL,
    phase           INTEGER NOT NULL DEFAULT 0,
    phase_since     INTEGER NOT NULL DEFAULT 0,
    salt            INTEGER NOT NULL,
    max_in_flight   INTEGER NOT NULL,
    rate_per_min    INTEGER NOT NULL DEFAULT 0,
    dynamic         INTEGER NOT NULL DEFAULT 0,
    allow_downgrade INTEGER NOT NULL DEFAULT 0,
    supersedes      INTEGER NOT NULL DEFAULT 0,
    n_total         INTEGER NOT NULL DEFAULT 0,
    n_pending       INTEGER NOT NULL DEFAULT 0,
    n_downloading   INTEGER NOT NULL DEFAULT 0,
    n_installing    INTEGER NOT NULL DEFAULT 0,
    n_completed     INTEGER NOT NULL DEFAULT 0,
    n_failed        INTEGER NOT NULL DEFAULT 0,
    n_rollback      INTEGER NOT NULL DEFAULT 0,
    n_finished      INTEGER NOT NULL DEFAULT 0,
    n_not_counting  INTEGER NOT NULL DEFAULT 0,
    n_in_flight     INTEGER NOT NULL DEFAULT 0,
    seq             INTEGER NOT NULL DEFAULT 0,
    traceparent     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX campaigns_by_status ON campaigns(status);)";

// stop_score: the stop rule's (stop_rule.hpp); auto_stop 0: only people stop it. windows, zone: window.hpp. rate_bytes_s: of images admitted.
constexpr char campaigns_2[] = R"(ALTER TABLE campaigns ADD COLUMN stop_score REAL NOT NULL DEFAULT 0;
ALTER TABLE campaigns ADD COLUMN auto_stop INTEGER NOT NULL DEFAULT 1;
ALTER TABLE campaigns ADD COLUMN priority INTEGER NOT NULL DEFAULT 500;
ALTER TABLE campaigns ADD COLUMN rate_bytes_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaigns ADD COLUMN windows TEXT NOT NULL DEFAULT '';
ALTER TABLE campaigns ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE campaigns ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
ALTER TABLE campaigns ADD COLUMN reverts TEXT NOT NULL DEFAULT '';)";

constexpr char devices_1[] = R"(CREATE TABLE campaign_devices(
    campaign_device_id TEXT PRIMARY KEY NOT NULL,
    tenant         INTEGER NOT NULL DEFAULT 0,
    campaign_id    TEXT NOT NULL,
    device_id      TEXT NOT NULL,
    serial_no      TEXT NOT NULL,
    status         TEXT NOT NULL DEFAULT 'pending' CHECK(status IN ('pending','downloading','installing','completed','failed','rollback')),
    error_message  TEXT,
    started_at     INTEGER,
    completed_at   INTEGER,
    stage          TEXT NOT NULL DEFAULT 'waiting',
    reason         TEXT NOT NULL DEFAULT '',
    attempt        INTEGER NOT NULL DEFAULT 1,
    command_id     TEXT,
    rank           INTEGER NOT NULL DEFAULT 0,
    rev            INTEGER NOT NULL DEFAULT 0,
    live           INTEGER NOT NULL DEFAULT 1,
    bucket         INTEGER NOT NULL,
    from_version   TEXT NOT NULL DEFAULT '',
    to_version     TEXT NOT NULL,
    failed_version TEXT,
    deadline_at    INTEGER NOT NULL DEFAULT 0,
    remaining_ms   INTEGER NOT NULL DEFAULT 0,
    progress       INTEGER NOT NULL DEFAULT -1,
    bytes          INTEGER NOT NULL DEFAULT 0,
    flags          INTEGER NOT NULL DEFAULT 0,
    resends        INTEGER NOT NULL DEFAULT 0,
    heartbeats     INTEGER NOT NULL DEFAULT 0,
    loops          INTEGER NOT NULL DEFAULT 0,
    loop_since     INTEGER NOT NULL DEFAULT 0,
    last_new_at    INTEGER NOT NULL DEFAULT 0,
    connection     INTEGER NOT NULL DEFAULT 0,
    ended_ms       INTEGER NOT NULL DEFAULT 0,
    security_counter INTEGER,
    updated_at     INTEGER NOT NULL,
    traceparent    TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX campaign_devices_pair ON campaign_devices(campaign_id, serial_no);
CREATE INDEX campaign_devices_by_serial ON campaign_devices(serial_no);
CREATE INDEX campaign_devices_waiting ON campaign_devices(campaign_id, bucket) WHERE rank = 0 AND live = 1;
CREATE INDEX campaign_devices_due ON campaign_devices(deadline_at) WHERE deadline_at > 0;
CREATE UNIQUE INDEX campaign_devices_one_in_flight ON campaign_devices(tenant, serial_no) WHERE rank BETWEEN 2 AND 50;)";

constexpr char events_1[] = R"(CREATE TABLE campaign_events(
    event_id    INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL DEFAULT 0,
    campaign_id TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    event       TEXT NOT NULL,
    device_id   TEXT,
    serial_no   TEXT,
    from_status TEXT NOT NULL DEFAULT '',
    to_status   TEXT NOT NULL DEFAULT '',
    stage       TEXT NOT NULL DEFAULT '',
    reason      TEXT NOT NULL DEFAULT '',
    command_id  TEXT,
    attempt     INTEGER NOT NULL DEFAULT 0,
    detail      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX campaign_events_by_seq ON campaign_events(campaign_id, seq);)";

// A device's timeline: without it one device's page walks every event of the campaigns it was in.
constexpr char events_2[] = R"(CREATE INDEX campaign_events_by_device ON campaign_events(campaign_id, serial_no, at) WHERE serial_no IS NOT NULL;)";

constexpr char poison_1[] = R"(CREATE TABLE campaign_poison(
    device_id  TEXT NOT NULL,
    to_version TEXT NOT NULL,
    serial_no  TEXT NOT NULL,
    reason     TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY(device_id, to_version)
) STRICT, WITHOUT ROWID;)";

// Versions that a campaign has stopped itself on: no campaign gives them to this model until somebody has looked.
constexpr char poison_models_1[] = R"(CREATE TABLE campaign_poison_models(
    model       TEXT NOT NULL,
    to_version  TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY(model, to_version)
) STRICT, WITHOUT ROWID;)";

}

std::vector<sdk::table_decl> tables() {
    return {{"campaigns", "campaign_id", true, {campaigns_1, campaigns_2}},
            {"campaign_devices", "campaign_device_id", true, {devices_1}},
            {"campaign_events", "event_id", true, {events_1, events_2}},
            {"campaign_poison", "device_id,to_version", false, {poison_1}},
            {"campaign_poison_models", "model,to_version", false, {poison_models_1}}};
}

}
