/* Eclipse Paho for C (MQTTClient, its blocking interface) against airmaild: QoS 0-2, retained, and a session that resumes with
 * what was queued, in 3.1.1 and 5. Usage: paho_c URI [CA CERTIFICATE KEY TOPIC]; with the last four as a device over TLS. */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed = 0;
static const char *uri, *word;
static int version;
static MQTTClient_SSLOptions *secure = NULL;

static void check(const char *what, int good) {
    if (!good) ++failed;
    printf("%s %s %s\n", good ? "ok  " : "FAIL", word, what);
    fflush(stdout);
}

static MQTTClient make(const char *id) {
    MQTTClient c;
    MQTTClient_createOptions o = MQTTClient_createOptions_initializer;
    o.MQTTVersion = version;
    if (MQTTClient_createWithOptions(&c, uri, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &o) != MQTTCLIENT_SUCCESS) exit(2);
    return c;
}

/* Returns 0, or what the server said; `present` hears whether it had a session. */
static int enter(MQTTClient c, int clean, int *present) {
    int rc;
    if (version == MQTTVERSION_5) {
        MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer5;
        MQTTProperties props = MQTTProperties_initializer;
        MQTTProperty expiry;
        MQTTResponse r;
        o.cleanstart = clean;
        o.ssl = secure;
        o.connectTimeout = 20;
        expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
        expiry.value.integer4 = clean ? 0 : 3600;
        MQTTProperties_add(&props, &expiry);
        r = MQTTClient_connect5(c, &o, &props, NULL);
        rc = r.reasonCode;
        *present = o.returned.sessionPresent;
        MQTTResponse_free(r);
        MQTTProperties_free(&props);
    } else {
        MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer;
        o.MQTTVersion = version;
        o.cleansession = clean;
        o.ssl = secure;
        o.connectTimeout = 20;
        rc = MQTTClient_connect(c, &o);
        *present = o.returned.sessionPresent;
    }
    return rc;
}

static void leave(MQTTClient c) {
    if (version == MQTTVERSION_5) MQTTClient_disconnect5(c, 5000, MQTTREASONCODE_SUCCESS, NULL);
    else MQTTClient_disconnect(c, 5000);
    MQTTClient_destroy(&c);
}

static int subscribe(MQTTClient c, const char *topic, int qos) {
    if (version == MQTTVERSION_5) {
        MQTTResponse r = MQTTClient_subscribe5(c, topic, qos, NULL, NULL);
        int const granted = r.reasonCode;
        MQTTResponse_free(r);
        return granted == qos;
    }
    return MQTTClient_subscribe(c, topic, qos) == MQTTCLIENT_SUCCESS;
}

static int publish(MQTTClient c, const char *topic, const char *payload, int qos, int retained) {
    MQTTClient_deliveryToken token = 0;
    if (version == MQTTVERSION_5) {
        MQTTResponse r = MQTTClient_publish5(c, topic, (int)strlen(payload), payload, qos, retained, NULL, &token);
        int const rc = r.reasonCode;
        MQTTResponse_free(r);
        if (rc >= 128) return 0;
    } else if (MQTTClient_publish(c, topic, (int)strlen(payload), payload, qos, retained, &token) != MQTTCLIENT_SUCCESS) return 0;
    return MQTTClient_waitForCompletion(c, token, 20000) == MQTTCLIENT_SUCCESS;
}

/* The next message's one digit; 9 when none came. QoS 2 is handed over after its PUBREL, so later ones may overtake it. */
static int digit(MQTTClient c) {
    char *topic = NULL;
    int length = 0, d = 9;
    MQTTClient_message *m = NULL;
    int const rc = MQTTClient_receive(c, &topic, &length, &m, 20000);
    if ((rc != MQTTCLIENT_SUCCESS && rc != MQTTCLIENT_TOPICNAME_TRUNCATED) || !m) return d;
    if (m->payloadlen == 1) d = *(char *)m->payload - '0';
    if (m->qos != 1 + d % 2) d = 9;
    MQTTClient_freeMessage(&m);
    MQTTClient_free(topic);
    return d;
}

/* The next message is this payload, with this QoS (-1: any). */
static int receives(MQTTClient c, const char *payload, int qos) {
    char *topic = NULL;
    int length = 0, good;
    MQTTClient_message *m = NULL;
    int const rc = MQTTClient_receive(c, &topic, &length, &m, 20000);
    if ((rc != MQTTCLIENT_SUCCESS && rc != MQTTCLIENT_TOPICNAME_TRUNCATED) || !m) return 0;
    good = m->payloadlen == (int)strlen(payload) && memcmp(m->payload, payload, strlen(payload)) == 0 && (qos < 0 || m->qos == qos);
    MQTTClient_freeMessage(&m);
    MQTTClient_free(topic);
    return good;
}

static void walk(void) {
    char what[64], id[64];
    int present = 0, i;
    MQTTClient a, b, keeper;
    snprintf(id, sizeof id, "paho-c-a-%s", word), a = make(id);
    snprintf(id, sizeof id, "paho-c-b-%s", word), b = make(id);
    check("connects", enter(a, 1, &present) == 0 && enter(b, 1, &present) == 0);
    for (i = 0; i < 3; ++i) {
        char topic[32], payload[32];
        snprintf(topic, sizeof topic, "pahoc/%d", i);
        snprintf(payload, sizeof payload, "hello %d", i);
        snprintf(what, sizeof what, "QoS %d", i);
        check(what, subscribe(b, topic, i) && publish(a, topic, payload, i, 0) && receives(b, payload, i));
    }
    check("retained", publish(a, "pahoc/kept", "k", 1, 1) && subscribe(b, "pahoc/kept", 1) && receives(b, "k", 1));
    check("cleared again", publish(a, "pahoc/kept", "", 1, 1) && receives(b, "", -1));

    snprintf(id, sizeof id, "paho-c-keeper-%s", word), keeper = make(id);
    check("no session at first", enter(keeper, 0, &present) == 0 && !present && subscribe(keeper, "pahoc/queue", 2));
    leave(keeper);
    for (i = 0; i < 5; ++i) {
        char payload[8];
        snprintf(payload, sizeof payload, "%d", i);
        publish(a, "pahoc/queue", payload, 1 + i % 2, 0);
    }
    keeper = make(id);
    /* Paho's MQTTClient tells Session Present to 3.1.1 clients only (README.md): in 5 the queue that comes is the proof. */
    i = enter(keeper, 0, &present) == 0 && (present || version == MQTTVERSION_5);
    int seen = 0;
    for (int n = 0; n < 5; ++n) seen |= 1 << digit(keeper);
    check("session resumes with its queue", i && seen == 0x1F);
    leave(keeper);
    keeper = make(id); /* the next way in begins without it */
    enter(keeper, 1, &present);
    leave(keeper);
    leave(b);
    leave(a);
}

/* Rounds: ten messages at QoS 0 to 2 while the subscriber is there, ten at QoS 1 and 2 while it is away; then its session resumes.
 * Each comes exactly once. AIRMAIL_LONG=1: many rounds, fifty and fifty. (Paho waits 80 ms or so for each of its own.) */
static void exchange(void) {
    int const lasts = getenv("AIRMAIL_LONG") != NULL, rounds = lasts ? 10 : 1, half = lasts ? 50 : 10;
    int present, good = 1, r, i;
    char id[64], text[16];
    char seen[100];
    MQTTClient a, keeper = NULL;
    snprintf(id, sizeof id, "paho-c-x-%s", word), a = make(id);
    good = enter(a, 1, &present) == 0;
    snprintf(id, sizeof id, "paho-c-xk-%s", word);
    for (r = 0; r < rounds && good; ++r) {
        memset(seen, 0, sizeof seen);
        for (int part = 0; part < 2; ++part) {
            if (part) leave(keeper);   /* away: these wait */
            else if (r == 0) keeper = make(id), good = enter(keeper, 0, &present) == 0 && subscribe(keeper, "pahoc/long", 2);
            for (i = 0; i < half; ++i) {
                snprintf(text, sizeof text, "%d", part * half + i);
                good &= publish(a, "pahoc/long", text, part ? 1 + i % 2 : i % 3, 0);
            }
            if (part) keeper = make(id), good &= enter(keeper, 0, &present) == 0;
            for (i = 0; i < half && good; ++i) {
                char *topic = NULL;
                int length = 0;
                MQTTClient_message *m = NULL;
                int const rc = MQTTClient_receive(keeper, &topic, &length, &m, 20000);
                if ((rc != MQTTCLIENT_SUCCESS && rc != MQTTCLIENT_TOPICNAME_TRUNCATED) || !m) {
                    good = 0;
                    break;
                }
                snprintf(text, sizeof text, "%.*s", m->payloadlen, (char *)m->payload);
                if (atoi(text) >= 0 && atoi(text) < 100) ++seen[atoi(text)];
                MQTTClient_freeMessage(&m);
                MQTTClient_free(topic);
            }
        }
        for (i = 0; i < 2 * half; ++i) good &= seen[i] == 1;
    }
    check("long exchange, each message once over many resumed sessions", good && r == rounds);
    if (keeper) leave(keeper);
    keeper = make(id);
    enter(keeper, 1, &present);
    leave(keeper);
    leave(a);
}

static void device(const char *topic) {
    char id[64];
    int present = 0;
    MQTTClient d;
    snprintf(id, sizeof id, "paho-c-device-%s", word), d = make(id);
    check("TLS with a client certificate", enter(d, 1, &present) == 0 && publish(d, topic, "{}", 1, 0));
    leave(d);
}

int main(int argc, char **argv) {
    static const int versions[] = {MQTTVERSION_3_1_1, MQTTVERSION_5};
    if (argc != 2 && argc != 6) return 2;
    uri = argv[1];
    MQTTClient_SSLOptions o = MQTTClient_SSLOptions_initializer;
    if (argc == 6) o.trustStore = argv[2], o.keyStore = argv[3], o.privateKey = argv[4], o.verify = 1, secure = &o;
    for (int i = 0; i < 2; ++i) {
        version = versions[i];
        word = i ? "5" : "3.1.1";
        if (argc == 6) device(argv[5]);
        else walk(), exchange();
    }
    printf("%d failed\n", failed);
    return failed != 0;
}
