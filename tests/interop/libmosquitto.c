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

static struct client *enter(const char *name, int clean) {
    char id[64];
    struct client *c = calloc(1, sizeof *c);
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
