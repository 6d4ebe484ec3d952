-- How far each consumer lane has applied the durable log. Written in the transaction of the effects themselves.
CREATE TABLE airmail_applied(
    lane TEXT PRIMARY KEY NOT NULL,
    lsn  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages that a plugin could not take: set aside with the reason, so that the lane goes on and nothing is silent.
CREATE TABLE airmail_dead_letters(
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    lane     TEXT NOT NULL,
    lsn      INTEGER NOT NULL,
    tenant   INTEGER NOT NULL DEFAULT 0,
    topic    TEXT NOT NULL,
    identity TEXT NOT NULL DEFAULT '',
    reason   TEXT NOT NULL,
    payload  BLOB,
    at_ms    INTEGER NOT NULL,
    UNIQUE(lane, lsn)
) STRICT;

-- Who did what. Each row's hash covers the row and the hash before it: a changed or missing row shows (audit verify).
CREATE TABLE audit_log(
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      INTEGER NOT NULL DEFAULT 0,
    at_ms       INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    role        TEXT NOT NULL DEFAULT '',
    action      TEXT NOT NULL,
    target      TEXT NOT NULL DEFAULT '',
    outcome     TEXT NOT NULL DEFAULT 'ok',
    detail      TEXT NOT NULL DEFAULT '{}',
    request_id  TEXT NOT NULL DEFAULT '',
    traceparent TEXT NOT NULL DEFAULT '',
    prev_hash   TEXT NOT NULL,
    hash        TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX audit_log_by_time ON audit_log(at_ms);
CREATE INDEX audit_log_by_target ON audit_log(target);
CREATE TRIGGER audit_log_keeps_its_rows BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_keeps_its_word BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

-- Keys of the control API. The secret is 256 random bits, shown once; here is its SHA-256.
CREATE TABLE api_keys(
    key_id        TEXT PRIMARY KEY NOT NULL,
    tenant        INTEGER NOT NULL DEFAULT 0,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    scope         TEXT NOT NULL DEFAULT '',
    secret_hash   TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    created_by    TEXT NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    revoked_by    TEXT
) STRICT, WITHOUT ROWID;

-- People of the dashboard. password_hash is argon2id in its own text form.
CREATE TABLE users(
    user_id       TEXT PRIMARY KEY NOT NULL,
    tenant        INTEGER NOT NULL DEFAULT 0,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    disabled      INTEGER NOT NULL DEFAULT 0,
    UNIQUE(tenant, name)
) STRICT, WITHOUT ROWID;

-- Every change of a replicated table, in order, written by triggers (storage/outbox).
CREATE TABLE outbox(
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id     INTEGER NOT NULL,
    table_name  TEXT NOT NULL,
    pk          TEXT NOT NULL,
    op          TEXT NOT NULL CHECK(op IN ('I', 'U', 'D')),
    row         TEXT,
    device      TEXT NOT NULL DEFAULT '',
    at_ms       INTEGER NOT NULL,
    traceparent TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE airmail_outbox_cursors(
    destination      TEXT PRIMARY KEY NOT NULL,
    seq              INTEGER NOT NULL DEFAULT 0,
    needs_snapshot   INTEGER NOT NULL DEFAULT 1,
    snapshots_needed INTEGER NOT NULL DEFAULT 1,
    reason           TEXT NOT NULL DEFAULT 'new destination'
) STRICT, WITHOUT ROWID;
