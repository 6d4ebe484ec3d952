/* What the shim under the daemon and the test above it share: orders in a mapped file, and the tape of what the process asked
 * the disk to do. Plain C: the shim stands before every other library. */
#ifndef AIRMAIL_DISK_SHIM_H
#define AIRMAIL_DISK_SHIM_H

#include <stdint.h>

/* Orders, read at each call; and counters. One page, mapped by both. AIRMAIL_SHIM_ORDERS names the file. */
struct shim_orders {
    uint32_t write_errno;      /* every write to a watched file fails with it; 0 = none */
    uint32_t sync_errno;       /* every sync (and every write of an O_DSYNC descriptor) fails with it, and nothing is synced */
    uint32_t sync_delay_ms;    /* every sync takes so much longer */
    uint32_t sync_lies;        /* 1: syncs answer success and do nothing: the defence is off */
    uint64_t events;           /* records on the tape so far */
    uint64_t writes_failed, syncs_failed, syncs;
};

/* The tape, appended to AIRMAIL_SHIM_TAPE: this head, then `size` bytes (data of a write; new name of a rename). */
enum shim_op { shim_write = 1, shim_truncate, shim_sync_begins, shim_sync_ends, shim_rename, shim_unlink, shim_create };
struct shim_record {
    uint32_t op;
    uint32_t dsync;            /* a write that is on the disk when it returns: it has an end record of its own (shim_sync_ends, ends = its number) */
    uint64_t number;           /* 1, 2, ... in the order of the tape */
    uint64_t offset;           /* of a write; the length of a truncate; the number of the record that a sync_ends belongs to */
    uint32_t size;
    char name[60];             /* below the watched directory */
};

#endif
