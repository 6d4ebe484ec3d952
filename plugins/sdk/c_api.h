/* The plugin ABI, version 1. Plain C, append-only: every struct starts with its size and version, later versions only add
 * fields at the end. A plugin is one shared object with one symbol:
 *
 *     const airmail_plugin_v1_t* airmail_plugin_v1(void);
 *
 * Strings are (pointer, length), UTF-8, valid only during the call that passes them, never NUL-terminated. Memory made on
 * one side is freed on that side. No exception may cross. Every callback of an asynchronous plugin runs on its *lane* (one
 * thread, one SQLite connection): never two at once. What a callback writes (rows, publications, replies, revocations) takes
 * effect together: rows and the position in the log commit in one transaction, then the rest leaves. If the host is killed
 * in between, the batch is given again. */
#ifndef AIRMAIL_C_API_H
#define AIRMAIL_C_API_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AIRMAIL_ABI_VERSION 1u
#if defined(__GNUC__)
#define AIRMAIL_EXPORT __attribute__((visibility("default")))
#else
#define AIRMAIL_EXPORT
#endif

typedef struct { const char* ptr; size_t len; } airmail_str;

/* What a hook answers. REFUSE closes: the publisher gets 0x87 (or `reason`). DEFER: on_connect only, the answer comes later. */
typedef enum { AIRMAIL_OK = 0, AIRMAIL_REFUSE = 1, AIRMAIL_DEFER = 2, AIRMAIL_FAIL = 3 } airmail_verdict;

typedef enum { AIRMAIL_DEBUG = 0, AIRMAIL_INFO = 1, AIRMAIL_WARN = 2, AIRMAIL_ERROR = 3 } airmail_level;

/* A message on a topic the plugin declared. */
typedef struct {
    uint32_t size, version;
    airmail_str topic, identity, client_id, payload, content_type, response_topic, correlation_data, traceparent;
    uint64_t lsn;             /* position in the durable log; 0 = QoS 0, not stored */
    int64_t received_ms;      /* stored clock, milliseconds */
    uint32_t tenant;
    uint8_t qos, retain;
} airmail_message;

/* A message the plugin sends. Zero-initialise, set size and version. */
typedef struct {
    uint32_t size, version;
    airmail_str topic, payload, content_type, response_topic, correlation_data, traceparent;
    uint32_t expiry_s;        /* Message Expiry Interval, 0 = none */
    uint8_t qos, retain;
} airmail_publish;

/* Presence of an identity (as seen on the session subscribed to the plugin's ready topic). */
typedef enum { AIRMAIL_SESSION_READY = 1, AIRMAIL_SESSION_GONE_CLEAN = 2, AIRMAIL_SESSION_GONE_CRASH = 3, AIRMAIL_SESSION_CONNECT = 4 } airmail_session_event;
typedef struct {
    uint32_t size, version;
    airmail_session_event event;
    airmail_str identity, client_id, topic;      /* topic: the declared ready filter with {id} filled in */
    airmail_str note;                            /* user property `ota` of DISCONNECT, e.g. "reboot" */
    uint64_t connection;                         /* number of this connection, increasing */
    int64_t at_ms;
} airmail_session;

/* One publication of the plugin, at QoS 1, acknowledged by one receiver. */
typedef struct {
    uint32_t size, version;
    airmail_str identity, topic, correlation_data;   /* identity: who acknowledged */
} airmail_delivery;

/* One call of a method of the table (REST, GraphQL, CLI and other plugins all come here). */
typedef struct {
    uint32_t size, version;
    airmail_str method, params;                  /* params: a JSON object */
    airmail_str caller, role, request_id, traceparent;
    uint64_t reply;                              /* handle for host->reply_method */
} airmail_call;

/* One HTTP request on a route the plugin declared. */
typedef struct {
    uint32_t size, version;
    airmail_str verb, path, query, body, headers; /* headers: "name: value\n" lines, names in lower case */
    airmail_str body_file, body_sha256;           /* for "body":"file" routes: where the host put it, and its digest in hex */
    uint64_t body_size;
    airmail_str caller, role, request_id, peer;   /* peer: address, and the certificate's identity after a space if any */
    uint64_t reply;                               /* handle for host->reply_http */
} airmail_http;

/* kind 0 bytes, 1 file: `fd` is owned by the plugin until `done` is reported; the host answers Range, If-Range, HEAD itself. */
typedef struct {
    uint32_t size, version;
    uint32_t kind;
    uint32_t status;
    airmail_str content_type, headers, body;
    airmail_str file_path, etag;                  /* kind 1: the host opens it once and shares the page cache */
    uint64_t rate_bytes_s;                        /* 0 = unlimited */
    airmail_str revoke_token;                     /* host->revoke(token) closes every transfer that carries it */
    uint64_t byte_budget;                         /* 0 = none; beyond it the transfer is cut */
    uint64_t file_bytes;                          /* kind 1: only so many bytes from the beginning are the file; 0 = all of it */
} airmail_http_reply;

typedef struct { uint32_t type; /* 0 null 1 int 2 real 3 text 4 blob */ int64_t i; double d; airmail_str s; } airmail_value;
typedef int (*airmail_row_fn)(void* user, const airmail_value* columns, size_t count);   /* non-zero stops */
/* Called exactly once per call() that returned 0. Status 0: the batch that asked was rolled back, only free `user`. */
typedef void (*airmail_reply_fn)(void* user, uint32_t status, airmail_str json);

/* What the host gives. `self` is passed back as first argument. Returns 0 on success, else an errno-like code; last_error says why.
 * now_ms, wall_ms, log, option, timer and metric_* may be called from any thread (so a plugin's own worker comes back to its
 * lane with timer(id, now)); everything else only inside a hook: elsewhere it answers EPERM. */
typedef struct airmail_host {
    uint32_t size, version;
    void* self;
    int64_t (*now_ms)(void* self);                /* stored clock: deadlines and orders */
    int64_t (*wall_ms)(void* self);               /* unix time: only for people and for URLs */
    void (*log)(void* self, airmail_level level, airmail_str text, airmail_str fields_json);
    airmail_str (*option)(void* self, airmail_str key);           /* plugin_opt_* and the directives of the configuration; empty = unset */
    int (*publish)(void* self, const airmail_publish* p);         /* after commit */
    int (*sql)(void* self, airmail_str text, const airmail_value* params, size_t count, airmail_row_fn row, void* user);
    int64_t (*sql_changes)(void* self);
    int (*timer)(void* self, uint64_t id, int64_t due_ms);        /* one shot on the stored clock; same id replaces; due < 0 cancels */
    int (*call)(void* self, airmail_str method, airmail_str params, airmail_reply_fn done, void* user);
    int (*reply_method)(void* self, uint64_t handle, uint32_t status, airmail_str json);
    int (*reply_http)(void* self, uint64_t handle, const airmail_http_reply* reply);
    int (*revoke)(void* self, airmail_str token);                 /* after commit: closes transfers that carry it */
    int (*disconnect)(void* self, airmail_str identity, uint32_t reason);
    int (*state_put)(void* self, uint64_t key, airmail_str value);            /* small values in the hot store, asynchronous */
    int (*state_scan)(void* self, int (*f)(void* user, uint64_t key, airmail_str value), void* user);
    uint64_t (*metric)(void* self, airmail_str name, airmail_str labels_json); /* a declared metric's cell; labels may be empty */
    void (*metric_add)(void* self, uint64_t metric, double delta);
    void (*metric_set)(void* self, uint64_t metric, double value);
    int (*connect_answer)(void* self, uint64_t handle, airmail_verdict verdict, airmail_str role);
    airmail_str (*last_error)(void* self);
    int (*fail)(void* self, airmail_str why);     /* the item in hand fails: what this hook wrote is undone, the item set aside */
} airmail_host;

/* The plugin. `declare` returns a JSON document (see README.md, "What a plugin declares"). Hooks may be null. */
typedef struct airmail_plugin_v1_t {
    uint32_t size, version;
    airmail_str id;                                              /* "vendor.name" */
    airmail_str (*declare)(void);
    void* (*create)(const airmail_host* host);                   /* null = failed, host->last_error not consulted: log first */
    void (*destroy)(void* plugin);
    int (*configure)(void* plugin);                              /* read options; non-zero refuses to start */
    int (*start)(void* plugin);                                  /* tables exist; read your state */
    void (*stop)(void* plugin);
    airmail_verdict (*on_message)(void* plugin, const airmail_message* m);
    void (*on_session)(void* plugin, const airmail_session* s);
    void (*on_timer)(void* plugin, uint64_t id, int64_t now_ms);
    void (*on_method)(void* plugin, const airmail_call* c);
    void (*on_http)(void* plugin, const airmail_http* r);
    airmail_verdict (*on_connect)(void* plugin, airmail_str identity, airmail_str user, airmail_str password, airmail_str peer, uint64_t handle);
    /* With `plugin_inline true` on_connect is asked first on the thread that reads the socket, on several at once, with handle 0: only option,
       now_ms, wall_ms, log, timer and metric* work there, and AIRMAIL_DEFER asks again on the plugin's own thread, with a handle. */
    void (*on_committed)(void* plugin);                          /* a batch of this lane has committed */
    /* Later additions; a table whose `size` ends before one has not got it. */
    void (*on_delivered)(void* plugin, const airmail_delivery* d); /* PUBACK of a message the plugin published; a hint: may be missing after a
                                                                      crash or under overload */
} airmail_plugin_v1_t;

#ifdef __cplusplus
}
#endif
#endif
