/* libmosquitto against airmaild: QoS 0-2, retained, and a session that resumes with what was queued, in 3.1.1 and 5.
 * Usage: libmosquitto PORT [CA CERTIFICATE KEY TOPIC]; with the last four as a device over TLS. */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct client {
    struct mosquitto *m;
    int connected, present, subscribed, published;
    char got[32][32];
    int qos[32], count, read;
    char seen[100];   /* of an exchange: how often each number came */
    int exchanging, came;
};

static int failed = 0, port, version;
static const char *word, *ca, *certificate, *key;
static struct client *all[4];

static void check(const char *what, int good) {
    if (!good) ++failed;
    printf("%s %s %s\n", good ? "ok  " : "FAIL", word, what);
    fflush(stdout);
}

static void on_connect(struct mosquitto *m, void *me, int rc, int flags, const mosquitto_property *p) {
    struct client *c = me;
    (void)m, (void)p;
    c->connected = rc == 0 ? 1 : -1;
    c->present = flags & 1;
}
static void on_subscribe(struct mosquitto *m, void *me, int mid, int n, const int *granted, const mosquitto_property *p) {
    (void)m, (void)mid, (void)p;
    ((struct client *)me)->subscribed = n == 1 && granted[0] < 128 ? 1 : -1;
}
static void on_publish(struct mosquitto *m, void *me, int mid, int rc, const mosquitto_property *p) {
    (void)m, (void)mid, (void)p;
    ((struct client *)me)->published = rc < 128 ? 1 : -1;
}
static void on_message(struct mosquitto *m, void *me, const struct mosquitto_message *x, const mosquitto_property *p) {
    struct client *c = me;
    (void)m, (void)p;
    if (c->exchanging) {
        int const n = atoi(x->payload ? x->payload : "-1");   /* libmosquitto ends payloads with a zero */
        if (n >= 0 && n < 100) ++c->seen[n];
        ++c->came;
        return;
    }
    if (c->count == 32 || x->payloadlen > 31) return;
    memcpy(c->got[c->count], x->payload ? x->payload : "", (size_t)x->payloadlen);
    c->qos[c->count++] = x->qos;
}

/* Drives everybody until *what is not `from`, at most 20 s. */
static int until(const int *what, int from) {
    time_t const end = time(NULL) + 20;
    while (*what == from && time(NULL) < end)
        for (int i = 0; i < 4; ++i)
            if (all[i]) mosquitto_loop(all[i]->m, 10, 1);
    return *what;
}

static struct client *come(const char *name, int clean, int exchanging) {
    char id[64];
    struct client *c = calloc(1, sizeof *c);
    c->exchanging = exchanging;   /* before the first packet: what waited comes with CONNACK */
    mosquitto_property *props = NULL;
    snprintf(id, sizeof id, "lib-%s-%s", name, word);
    c->m = mosquitto_new(id, clean, c);  /* with 5 it is Clean Start, and how long the session lives is said apart */
    mosquitto_int_option(c->m, MOSQ_OPT_PROTOCOL_VERSION, version);
    if (!clean && version == MQTT_PROTOCOL_V5) mosquitto_property_add_int32(&props, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 3600);
    mosquitto_connect_v5_callback_set(c->m, on_connect);
    mosquitto_subscribe_v5_callback_set(c->m, on_subscribe);
    mosquitto_publish_v5_callback_set(c->m, on_publish);
    mosquitto_message_v5_callback_set(c->m, on_message);
    if (ca) mosquitto_tls_set(c->m, ca, NULL, certificate, key, NULL);
    for (int i = 0; i < 4; ++i)
        if (!all[i]) {
            all[i] = c;
            break;
        }
    if (mosquitto_connect_bind_v5(c->m, "localhost", port, 60, NULL, props) != MOSQ_ERR_SUCCESS) c->connected = -1;
    mosquitto_property_free_all(&props);
    until(&c->connected, 0);
    return c;
}

static struct client *enter(const char *name, int clean) { return come(name, clean, 0); }

static void leave(struct client *c) {
    mosquitto_disconnect(c->m);
    mosquitto_loop(c->m, 100, 1);
    for (int i = 0; i < 4; ++i)
        if (all[i] == c) all[i] = NULL;
    mosquitto_destroy(c->m);
    free(c);
}

static int subscribe(struct client *c, const char *topic, int qos) {
    c->subscribed = 0;
    mosquitto_subscribe(c->m, NULL, topic, qos);
    return until(&c->subscribed, 0) == 1;
}
static int publish(struct client *c, const char *topic, const char *payload, int qos, int retain) {
    c->published = 0;
    mosquitto_publish(c->m, NULL, topic, (int)strlen(payload), payload, qos, retain);
    return until(&c->published, 0) == 1;
}
static int receives(struct client *c, const char *payload, int qos) {
    if (c->count == c->read) until(&c->count, c->read);
    if (c->count == c->read) return 0;
    int const good = strcmp(c->got[c->read], payload) == 0 && (qos < 0 || c->qos[c->read] == qos);
    ++c->read;
    return good;
}

static void walk(void) {
    int good;
    struct client *a = enter("a", 1), *b = enter("b", 1), *keeper;
    check("connects", a->connected == 1 && b->connected == 1);
    for (int i = 0; i < 3; ++i) {
        char what[16], topic[32], payload[32];
        snprintf(what, sizeof what, "QoS %d", i);
        snprintf(topic, sizeof topic, "lib/%d", i);
        snprintf(payload, sizeof payload, "hello %d", i);
        check(what, subscribe(b, topic, i) && publish(a, topic, payload, i, 0) && receives(b, payload, i));
    }
    check("retained", publish(a, "lib/kept", "k", 1, 1) && subscribe(b, "lib/kept", 1) && receives(b, "k", 1) && publish(a, "lib/kept", "", 1, 1) && receives(b, "", -1));

    keeper = enter("keeper", 0);
    check("no session at first", keeper->connected == 1 && !keeper->present && subscribe(keeper, "lib/queue", 2));
    leave(keeper);
    for (int i = 0; i < 5; ++i) {
        char payload[8];
        snprintf(payload, sizeof payload, "%d", i);
        publish(a, "lib/queue", payload, 1 + i % 2, 0);
    }
    keeper = enter("keeper", 0);
    good = keeper->connected == 1 && keeper->present;
    /* QoS 2 is handed over after its PUBREL, so later ones may overtake it. */
    int seen = 0;
    for (int i = 0; i < 5; ++i) {
        if (keeper->count == keeper->read) until(&keeper->count, keeper->read);
        if (keeper->count == keeper->read) break;
        int const d = keeper->got[keeper->read][0] - '0';
        if (d >= 0 && d < 5 && keeper->qos[keeper->read] == 1 + d % 2) seen |= 1 << d;
        ++keeper->read;
    }
    check("session resumes with its queue", good && seen == 0x1F);
    leave(keeper);
    leave(b);
    leave(a);
}

/* Rounds of a hundred: fifty at QoS 0 to 2 while the subscriber is there, fifty at QoS 1 and 2 while it is away; then its session
 * resumes. Each comes exactly once. AIRMAIL_LONG=1: many rounds. */
static void exchange(void) {
    int const rounds = getenv("AIRMAIL_LONG") ? 50 : 1;
    int good, r, i;
    char seen[100], text[16];
    struct client *a = enter("x", 1), *keeper = NULL;
    good = a->connected == 1;
    for (r = 0; r < rounds && good; ++r) {
        memset(seen, 0, sizeof seen);
        for (int part = 0; part < 2; ++part) {
            if (part) leave(keeper);   /* away: these wait */
            else if (r == 0) keeper = come("xk", 0, 1), good = keeper->connected == 1 && subscribe(keeper, "lib/long", 2);
            for (i = 0; i < 50; ++i) {
                snprintf(text, sizeof text, "%d", part * 50 + i);
                good &= publish(a, "lib/long", text, part ? 1 + i % 2 : i % 3, 0);
            }
            if (part) {
                keeper = come("xk", 0, 1);
                good &= keeper->connected == 1 && keeper->present;
            }
            while (keeper->came < 50 && good) {
                int const before = keeper->came;
                if (until(&keeper->came, before) == before) good = 0;
            }
            good &= keeper->came == 50;
            for (i = 0; i < 100; ++i) seen[i] += keeper->seen[i];
            memset(keeper->seen, 0, sizeof keeper->seen);
            keeper->came = 0;
        }
        for (i = 0; i < 100; ++i) good &= seen[i] == 1;
    }
    check("long exchange, each message once over many resumed sessions", good && r == rounds);
    if (keeper) leave(keeper);
    leave(enter("xk", 1));
    leave(a);
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 6) return 2;
    port = atoi(argv[1]);
    if (argc == 6) ca = argv[2], certificate = argv[3], key = argv[4];
    mosquitto_lib_init();
    for (int i = 0; i < 2; ++i) {
        version = i ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
        word = i ? "5" : "3.1.1";
        if (argc == 2) {
            walk();
            exchange();
            continue;
        }
        struct client *d = enter("device", 1);
        check("TLS with a client certificate", d->connected == 1 && publish(d, argv[5], "{}", 1, 0));
        leave(d);
    }
    mosquitto_lib_cleanup();
    printf("%d failed\n", failed);
    return failed != 0;
}
