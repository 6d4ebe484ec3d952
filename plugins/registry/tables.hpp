#pragma once
// devices, device_tags, device_attributes: the document's columns, and additive ones.

namespace airmail::plugins::registry {

// Times are unix ms. A device never seen has last_seen = created_at and ever_seen 0 (PRODUCT). `hash` spreads devices over buckets.
inline constexpr char devices_1[] = R"(CREATE TABLE devices(
    device_id        TEXT PRIMARY KEY NOT NULL,
    tenant           INTEGER NOT NULL DEFAULT 0,
    serial_no        TEXT NOT NULL,
    model            TEXT NOT NULL DEFAULT '',
    current_firmware TEXT NOT NULL DEFAULT '',
    last_seen        INTEGER NOT NULL,
    status           TEXT NOT NULL DEFAULT 'offline' CHECK(status IN ('online','offline','updating')),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    registration     TEXT NOT NULL DEFAULT 'accepted' CHECK(registration IN ('accepted','quarantined','blocked','imported')),
    ever_seen        INTEGER NOT NULL DEFAULT 0,
    hash             INTEGER NOT NULL,
    keys_version     INTEGER,
    security_counter INTEGER,
    boot_slot        TEXT NOT NULL DEFAULT '',
    UNIQUE(tenant, serial_no)
) STRICT;
CREATE INDEX devices_by_model ON devices(model, current_firmware);
CREATE INDEX devices_by_status ON devices(status);)";

// Lists are in the order of serial_no: with it behind the filter's column a page is a walk of the index, not a sort of what matches.
inline constexpr char devices_2[] = R"(DROP INDEX devices_by_status;
CREATE INDEX devices_by_status ON devices(status, serial_no);
CREATE INDEX devices_by_model_serial ON devices(model, serial_no);
CREATE INDEX devices_by_registration ON devices(registration, serial_no) WHERE registration <> 'accepted';)";

// The same for the devices of a model that run a version.
inline constexpr char devices_3[] = R"(DROP INDEX devices_by_model;
CREATE INDEX devices_by_model ON devices(model, current_firmware, serial_no);)";

// With the tenant behind them, so that a count stays in the index instead of looking at every row for it.
inline constexpr char devices_4[] = R"(DROP INDEX devices_by_status;
CREATE INDEX devices_by_status ON devices(status, serial_no, tenant);
DROP INDEX devices_by_model_serial;
CREATE INDEX devices_by_model_serial ON devices(model, serial_no, tenant);
DROP INDEX devices_by_model;
CREATE INDEX devices_by_model ON devices(model, current_firmware, serial_no, tenant);
DROP INDEX devices_by_registration;
CREATE INDEX devices_by_registration ON devices(registration, serial_no, tenant) WHERE registration <> 'accepted';)";

inline constexpr char tags_1[] = R"(CREATE TABLE device_tags(
    device_id TEXT NOT NULL,
    tag       TEXT NOT NULL,
    PRIMARY KEY(device_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_tags_by_tag ON device_tags(tag);)";

// A page of a tag's devices in the order of the list is a walk of this index, however many have it. A serial number never changes.
inline constexpr char tags_2[] = R"(ALTER TABLE device_tags ADD COLUMN serial_no TEXT NOT NULL DEFAULT '';
UPDATE device_tags SET serial_no = coalesce((SELECT serial_no FROM devices d WHERE d.device_id = device_tags.device_id), '');
DROP INDEX device_tags_by_tag;
CREATE INDEX device_tags_by_tag ON device_tags(tag, serial_no);)";

// What operators know of a device and the device does not: site, customer, hardware revision. `group` is one of them.
inline constexpr char attributes_1[] = R"(CREATE TABLE device_attributes(
    device_id TEXT NOT NULL,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY(device_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_attributes_by_key ON device_attributes(key, value);)";

}
