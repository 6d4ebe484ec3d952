-- Changes of folded columns alone (last_seen): one row a key, however often it changes. The newest number is the newest change.
CREATE TABLE outbox_folded(
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    pk         TEXT NOT NULL,
    row        TEXT NOT NULL,
    at_ms      INTEGER NOT NULL,
    UNIQUE(table_name, pk)
) STRICT;

-- What is copied, as the plugins declared it: for those who copy.
CREATE TABLE airmail_outbox_tables(
    table_name  TEXT PRIMARY KEY NOT NULL,
    primary_key TEXT NOT NULL,
    folded      TEXT NOT NULL DEFAULT '[]',
    version     INTEGER NOT NULL DEFAULT 1,
    built_in    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Rows that a destination refused for what they contain, with its words: set aside, so that the rest goes on.
CREATE TABLE airmail_outbox_poison(
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    table_name  TEXT NOT NULL,
    pk          TEXT NOT NULL,
    op          TEXT NOT NULL,
    row         TEXT,
    reason      TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    UNIQUE(destination, seq, table_name, pk)
) STRICT;

-- folded: how far outbox_folded was read. snapshot_from: a copy of the tables is under way since this seq; -1 = none.
ALTER TABLE airmail_outbox_cursors ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE airmail_outbox_cursors ADD COLUMN snapshot_from INTEGER NOT NULL DEFAULT -1;
