/* A device for Airmail in C: libmosquitto, libcurl, libcrypto, cJSON.
 *
 *   cc -o device device.c -lmosquitto -lcurl -lcrypto -lcjson
 *   ./device dev-1.pem /var/lib/dev-1 TX-100 v1.0.0
 *
 * One thread of libmosquitto's listens; the main thread does one update at a time. slot_a and slot_b stand for the two partitions,
 * state.json for what a boot loader and a few bytes of flash remember: it is written before every step, and a start goes on from it. */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *bundle, *dir, *model;
static char id[65], host[256], boot_id[17], **arguments;
static int port;
static struct mosquitto* mqtt;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below, and is let go while bytes flow */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static cJSON *state, *next;   /* next: the command the main thread shall look at */
static char fresh_url[2048];  /* came while an update is under way */
static int cancelled, here;

/* --- Small change: members of JSON objects, bytes, files. */
static const char* text(const cJSON* o, const char* name) { const char* s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name)); return s ? s : ""; }
static double number(const cJSON* o, const char* name) { const cJSON* v = cJSON_GetObjectItemCaseSensitive(o, name); return cJSON_IsNumber(v) ? v->valuedouble : 0; }
static const cJSON* member(const cJSON* o, const char* name) { return cJSON_GetObjectItemCaseSensitive(o, name); }
static int has(const cJSON* list, const char* word) { const cJSON* v; cJSON_ArrayForEach(v, list) if (cJSON_IsString(v) && !strcmp(v->valuestring, word)) return 1; return 0; }
static void set(cJSON* o, const char* name, cJSON* v) { cJSON_DeleteItemFromObjectCaseSensitive(o, name); cJSON_AddItemToObject(o, name, v); }
static int stage(const char* word) { return !strcmp(text(state, "stage"), word); }
static const char* spare(void) { return *text(state, "active") == 'a' ? "b" : "a"; }
static char* path(const char* kind, const char* name) { static char out[2][512]; static int i; snprintf(out[i ^= 1], 512, "%s/%s%s", dir, kind, name); return out[i]; }
static long long size_of(const char* file) { struct stat s; return stat(file, &s) ? 0 : s.st_size; }

static unsigned char* from_base64(const char* s, size_t* size) {
    size_t n = strlen(s);
    unsigned char* out = malloc(n + 4);
    int got = n % 4 ? -1 : EVP_DecodeBlock(out, (const unsigned char*)s, (int)n);
    if (got < 0) return free(out), NULL;
    *size = (size_t)got - (n > 1 && s[n - 1] == '=') - (n > 1 && s[n - 2] == '=');
    return out[*size] = 0, out;
}
static void sha256(const void* data, size_t size, char hex[65]) {
    unsigned char d[32];
    EVP_Digest(data, size, d, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++) sprintf(hex + 2 * i, "%02x", d[i]);
}
static char* read_file(const char* name, size_t* size) {
    FILE* f = fopen(name, "rb");
    if (!f) return NULL;
    *size = (size_t)size_of(name);
    char* out = malloc(*size + 1);
    *size = fread(out, 1, *size, f), out[*size] = 0;
    return fclose(f), out;
}
static void save(void) {
    char* s = cJSON_PrintUnformatted(state);
    FILE* f = fopen(path("state.new", ""), "w");
    if (!f || fputs(s, f) < 0 || fflush(f) || fsync(fileno(f)) || fclose(f) || rename(path("state.new", ""), path("state.json", ""))) perror(dir), exit(1);
    free(s);
}

/* --- What a device says. */
static void publish(const char* leaf, cJSON* o) {
    char topic[128], *s = cJSON_PrintUnformatted(o);
    snprintf(topic, sizeof topic, "devices/%s/%s", id, leaf);
    mosquitto_publish(mqtt, NULL, topic, (int)strlen(s), s, 1, false);
    free(s), cJSON_Delete(o);
}
static void heartbeat(void) {
    cJSON* o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "serial_no", id), cJSON_AddStringToObject(o, "model", model), cJSON_AddNumberToObject(o, "timestamp", (double)time(NULL));
    cJSON_AddStringToObject(o, "current_firmware", text(member(state, "versions"), text(state, "active")));
    cJSON_AddStringToObject(o, "boot_id", boot_id), cJSON_AddStringToObject(o, "boot_slot", text(state, "active"));
    cJSON_AddNumberToObject(o, "counter", number(state, "counter")), cJSON_AddNumberToObject(o, "keys_version", number(member(state, "keys"), "version"));
    cJSON_AddStringToObject(o, "last_command_id", text(state, "last_command_id")), cJSON_AddStringToObject(o, "last_result", text(state, "last_result"));
    publish("heartbeat", o);
}
static void status(const cJSON* c, const char* word, const char* reason, long long bytes) {
    cJSON* o = cJSON_CreateObject();
    printf("%s %s %s\n", id, word, reason ? reason : ""), fflush(stdout);
    cJSON_AddStringToObject(o, "campaign_id", text(c, "campaign_id")), cJSON_AddStringToObject(o, "command_id", text(c, "command_id"));
    cJSON_AddStringToObject(o, "status", word), cJSON_AddNumberToObject(o, "timestamp", (double)time(NULL));
    if (reason) cJSON_AddStringToObject(o, "reason", reason), cJSON_AddStringToObject(o, "error", reason);
    if (bytes >= 0) cJSON_AddNumberToObject(o, "bytes", (double)bytes), cJSON_AddNumberToObject(o, "progress", (double)(bytes * 100 / (long long)(number(c, "size_bytes") + 1)));
    if (!strcmp(word, "rollback")) {
        cJSON_AddStringToObject(o, "current_firmware", text(member(state, "versions"), text(state, "active"))), cJSON_AddStringToObject(o, "failed_firmware", text(c, "version"));
        cJSON_AddStringToObject(o, "error", "self_test");
    }
    publish("status", o);
}
static void tell_again(const cJSON* c) {
    const char* r = text(state, "last_result");
    int plain = !strcmp(r, "completed") || !strcmp(r, "rollback") || !strcmp(r, "cancelled");
    status(c, plain ? r : "failed", plain ? NULL : r, -1);
}
static void ended(const cJSON* c, const char* result) { /* the last word; remembered, so that it can be told again */
    set(state, "last_command_id", cJSON_CreateString(text(c, "command_id"))), set(state, "last_result", cJSON_CreateString(result));
    set(state, "stage", cJSON_CreateString("idle"));
    save(), tell_again(c);
}

/* --- Trust. The payload of a DSSE envelope, once enough different keys of `role` have signed exactly these bytes; otherwise NULL. */
static cJSON* opened(const cJSON* e, const char* type, const cJSON* keys, const char* role, char hex[65]) {
    const cJSON *who = member(member(keys, "roles"), role), *s;
    size_t size = 0, n = 0;
    unsigned char* payload = from_base64(text(e, "payload"), &size);
    char good[16][65], *under = malloc(size + 256);
    if (!payload || strcmp(text(e, "type"), type)) return free(payload), free(under), NULL;
    size_t head = (size_t)sprintf(under, "DSSEv1 %zu %s %zu ", strlen(type), type, size);
    memcpy(under + head, payload, size);
    cJSON_ArrayForEach(s, member(e, "sigs")) {
        const char* kid = text(s, "kid");
        size_t der_size = 0, sig_size = 0, seen = 0;
        if (!has(member(who, "kids"), kid) || has(member(keys, "revoked"), kid) || n == 16) continue; /* a key we do not know says nothing */
        for (size_t i = 0; i < n; i++) seen |= !strcmp(good[i], kid);
        unsigned char *der = from_base64(text(member(member(keys, "keys"), kid), "public"), &der_size), *sig = from_base64(text(s, "sig"), &sig_size);
        const unsigned char* at = der;
        EVP_PKEY* key = der ? d2i_PUBKEY(NULL, &at, (long)der_size) : NULL;
        EVP_MD_CTX* ctx = EVP_MD_CTX_new();
        const EVP_MD* md = strcmp(text(s, "alg"), "ed25519") ? EVP_sha256() : NULL;
        if (key && sig && !seen && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 && EVP_DigestVerify(ctx, sig, sig_size, (unsigned char*)under, head + size) == 1)
            snprintf(good[n++], 65, "%s", kid);
        EVP_MD_CTX_free(ctx), EVP_PKEY_free(key), free(der), free(sig);
    }
    cJSON* out = who && n >= 1 && n >= (size_t)number(who, "threshold") ? cJSON_Parse((char*)payload) : NULL;
    if (hex) sha256(payload, size, hex);
    return free(payload), free(under), out;
}
/* NULL: obey. "": stale, no answer. Otherwise the reason for refusing. */
static const char* check_command(const cJSON* c, char manifest[65], int remember) {
    static const char* same[] = {"command", "command_id", "campaign_id", "version", "checksum", "size_bytes"};
    const char* why = NULL;
    cJSON* s = opened(member(c, "envelope"), "ota.command.v1", member(state, "keys"), "command", NULL);
    if (!s) return "signature_invalid";
    if (strcmp(text(s, "device_id"), id) || number(s, "seq") <= number(state, "seq")) why = "";
    else if (time(NULL) > (time_t)number(s, "expires_at")) why = "url_expired";
    for (size_t i = 0; !why && i < 6; i++)
        if (member(s, same[i]) && !cJSON_Compare(member(s, same[i]), member(c, same[i]), 1)) why = "signature_invalid";
    if (!why && remember) set(state, "seq", cJSON_CreateNumber(number(s, "seq")));
    if (manifest) snprintf(manifest, 65, "%s", text(s, "manifest_sha256"));
    return cJSON_Delete(s), why;
}
/* The release key's word, which the broker cannot give: what the image is, for whom, and not older than ours. */
static const char* check_release(const cJSON* c, const char* promised, cJSON** out) {
    char hex[65] = "";
    cJSON* m = *out = opened(member(c, "manifest"), "ota.release.v1", member(state, "keys"), "release", hex);
    if (!m || strcmp(hex, promised) || strcmp(text(m, "version"), text(c, "version"))) return "signature_invalid";
    if (!has(member(m, "model"), model)) return "incompatible";
    if (number(m, "security_counter") < number(state, "counter")) return "downgrade_refused";
    if (member(m, "expires") && time(NULL) > (time_t)number(m, "expires")) return "manifest_expired";
    return NULL;
}

/* --- One update, on the main thread, with the lock let go while bytes flow. */
struct sink { FILE* file; long long left; };
static size_t take(char* data, size_t one, size_t n, void* to) {
    struct sink* s = to;
    if (cancelled || (s->left -= (long long)n) < 0) return 0; /* never more than was signed */
    return fwrite(data, one, n, s->file);
}
static const char* download(const cJSON* c) {
    char url[2048], file[512], range[32];
    long long size = (long long)number(c, "size_bytes"), have;
    snprintf(url, sizeof url, "%s", text(c, "url")), snprintf(file, sizeof file, "%s", path("slot_", spare()));
    for (int tries = 0; (have = size_of(file)) < size; tries++) {
        if (tries == 12) return "download_error";
        status(c, "downloading", NULL, have);
        CURL* h = curl_easy_init();
        struct sink to = {fopen(file, "ab"), size - have};
        long code = 0;
        curl_easy_setopt(h, CURLOPT_URL, url), curl_easy_setopt(h, CURLOPT_CAINFO, bundle), curl_easy_setopt(h, CURLOPT_SSLCERT, bundle), curl_easy_setopt(h, CURLOPT_SSLKEY, bundle);
        curl_easy_setopt(h, CURLOPT_FAILONERROR, 1L), curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take), curl_easy_setopt(h, CURLOPT_WRITEDATA, &to), curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L), curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, 30L);
        snprintf(range, sizeof range, "%lld-", have);
        if (have) curl_easy_setopt(h, CURLOPT_RANGE, range);
        pthread_mutex_unlock(&lock);
        curl_easy_perform(h);
        pthread_mutex_lock(&lock);
        curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
        curl_easy_cleanup(h), fclose(to.file);
        if (have && code == 200 && truncate(file, 0)) return "no_space"; /* it does not know ranges: from the start */
        if (!cancelled && (code == 403 || code == 410)) {
            struct timespec until = {time(NULL) + 20, 0};
            cJSON* ask = cJSON_CreateObject();
            cJSON_AddStringToObject(ask, "request", "url"), cJSON_AddStringToObject(ask, "command_id", text(c, "command_id")), publish("request", ask);
            for (*fresh_url = 0; !*fresh_url && !cancelled;)
                if (pthread_cond_timedwait(&wake, &lock, &until)) return "url_expired";
            snprintf(url, sizeof url, "%s", fresh_url);
        } else if (code >= 400) return "download_error";
        if (cancelled) return "cancelled";
    }
    return NULL;
}
static const char* check_image(const cJSON* c) {
    const cJSON* part = cJSON_GetArrayItem(member(member(state, "release"), "components"), 0);
    size_t size = 0, image = (size_t)number(part, "size");
    char whole[80] = "sha256:", hex[65], *data = read_file(path("slot_", spare()), &size);
    sha256(data, size, whole + 7), sha256(data, image < size ? image : size, hex); /* a real device hashes its partition in pieces */
    free(data);
    if (strcmp(whole, text(c, "checksum"))) return "checksum_mismatch";
    return strcmp(hex, text(part, "sha256")) ? "signature_invalid" : NULL; /* not the bytes that the release key has signed */
}
static void reboot(void) {
    mosquitto_disconnect(mqtt);
    pthread_mutex_unlock(&lock);
    mosquitto_loop_stop(mqtt, false);
    execv("/proc/self/exe", arguments);
}
static void update(const cJSON* c) {
    const char* why = NULL;
    if (stage("idle")) {
        char promised[65] = "";
        cJSON* m = NULL;
        if ((why = check_command(c, promised, 1)) && !*why) return;
        if (!why) why = check_release(c, promised, &m);
        if (why) return cJSON_Delete(m), ended(c, why);
        FILE* f = fopen(path("slot_", spare()), "wb");
        if (!f || fclose(f)) return ended(c, "no_space");
        set(state, "command", cJSON_Duplicate(c, 1)), set(state, "release", m), set(state, "stage", cJSON_CreateString("downloading"));
        save(), status(c, "accepted", NULL, -1);
    }
    cancelled = 0;
    if ((why = download(c))) return ended(c, why);
    status(c, "verifying", NULL, -1);
    if ((why = check_image(c))) return ended(c, why);
    set(state, "stage", cJSON_CreateString("installing")), save(); /* from here on a cancel is too late */
    status(c, "installing", NULL, -1);
    pthread_mutex_unlock(&lock), sleep(1), pthread_mutex_lock(&lock); /* flash here */
    set((cJSON*)member(state, "versions"), spare(), cJSON_CreateString(text(c, "version")));
    set(state, "active", cJSON_CreateString(spare())), set(state, "stage", cJSON_CreateString("testing")), save(); /* the boot loader's "try once" */
    status(c, "rebooting", NULL, -1);
    pthread_mutex_unlock(&lock), usleep(300000), pthread_mutex_lock(&lock);
    reboot();
}
/* Connected and subscribed. In a new slot this is the moment of truth: confirm it, or go back. */
static void first_words(void) {
    cJSON* c = cJSON_Duplicate(member(state, "command"), 1);
    const char* test = getenv("SELF_TEST");
    if (stage("testing") && test && system(test)) {
        set(state, "active", cJSON_CreateString(spare())), set(state, "stage", cJSON_CreateString("rolled_back")), save();
        return reboot();
    }
    if (stage("testing")) { /* only now may the counter rise: until now the old slot could have been needed */
        double counter = number(member(state, "release"), "security_counter");
        if (counter > number(state, "counter")) set(state, "counter", cJSON_CreateNumber(counter));
        heartbeat(), ended(c, "completed");
    } else if (stage("rolled_back")) {
        heartbeat(), status(c, "rollback", NULL, -1);
        set(state, "last_command_id", cJSON_CreateString(text(c, "command_id"))), set(state, "last_result", cJSON_CreateString("rollback")), set(state, "stage", cJSON_CreateString("idle")), save();
    } else {
        heartbeat();
        if (!stage("idle")) set(state, "stage", cJSON_CreateString("downloading")), update(c); /* power went: on with what lies there */
    }
    cJSON_Delete(c);
}

/* --- What comes, on libmosquitto's thread: quick answers here, an update goes to the main thread. */
static void connected(struct mosquitto* m, void* unused, int rc) {
    char topic[128], *both[] = {topic, "ota/keys"};
    (void)unused;
    snprintf(topic, sizeof topic, "devices/%s/command", id);
    if (rc == 0) mosquitto_subscribe_multiple(m, NULL, 2, both, 1, 0, NULL);
}
static void subscribed(struct mosquitto* m, void* unused, int mid, int n, const int* qos) {
    (void)m, (void)unused, (void)mid, (void)n, (void)qos;
    pthread_mutex_lock(&lock), here = 1, pthread_cond_signal(&wake), pthread_mutex_unlock(&lock);
}
static void rotate(const cJSON* e) { /* keys.json N+1, signed by the roots of N and by its own */
    cJSON *list = opened(e, "ota.keys.v1", member(state, "keys"), "root", NULL), *own = list ? opened(e, "ota.keys.v1", list, "root", NULL) : NULL;
    if (own && number(own, "version") == number(member(state, "keys"), "version") + 1 && time(NULL) < (time_t)number(own, "expires")) set(state, "keys", own), save(), heartbeat();
    else cJSON_Delete(own);
    cJSON_Delete(list);
}
static void message(struct mosquitto* m, void* unused, const struct mosquitto_message* in) {
    cJSON* c = cJSON_ParseWithLength(in->payload, (size_t)in->payloadlen);
    const char *what = text(c, "command"), *cid = text(c, "command_id"), *why;
    (void)m, (void)unused;
    pthread_mutex_lock(&lock);
    int same = !stage("idle") && !strcmp(cid, text(member(state, "command"), "command_id")), last = *cid && !strcmp(cid, text(state, "last_command_id"));
    if (!strcmp(in->topic, "ota/keys")) rotate(c);
    else if (!strcmp(what, "ota_update") || !strcmp(what, "url")) {
        if (same) snprintf(fresh_url, sizeof fresh_url, "%s", text(c, "url"));    /* the same again, perhaps with a fresh URL */
        else if (*what != 'o') {}
        else if (last) tell_again(c);
        else if (stage("idle") && !next) next = cJSON_Duplicate(c, 1);
    } else if (!strcmp(what, "cancel")) {
        if (stage("idle")) last ? tell_again(c) : status(c, "cancelled", "cancelled", -1);
        else if (same && !check_command(c, NULL, 1)) { if (stage("downloading")) cancelled = 1; else status(c, "too_late", NULL, -1); } /* a download answers where it stops */
    } else if (!strcmp(what, "report")) heartbeat();
    else if (!strcmp(what, "verify_only")) { /* a rehearsal: would we believe this release? */
        char promised[65] = "";
        cJSON* release = NULL;
        if (!(why = check_command(c, promised, 0))) why = check_release(c, promised, &release);
        if (!why || *why) status(c, why ? "rejected" : "accepted", why, -1);
        cJSON_Delete(release);
    } else if (!strcmp(what, "config")) {
        const cJSON* s;
        cJSON_ArrayForEach(s, member(c, "settings")) {
            cJSON* o = cJSON_CreateObject();
            cJSON_AddStringToObject(o, "setting_changed", s->string), cJSON_AddStringToObject(o, "old_value", text(member(state, "settings"), s->string));
            cJSON_AddStringToObject(o, "new_value", s->valuestring ? s->valuestring : ""), cJSON_AddNumberToObject(o, "timestamp", (double)time(NULL));
            set((cJSON*)member(state, "settings"), s->string, cJSON_CreateString(s->valuestring ? s->valuestring : "")), publish("notify", o);
        }
        save();
    }
    pthread_cond_signal(&wake), pthread_mutex_unlock(&lock);
    cJSON_Delete(c);
}

/* Sent away, and told for how long (retry_after_s): this is the thread that would come back. */
static void hold_off(const mosquitto_property* p) {
    char *name = NULL, *value = NULL;
    for (int more = 0; (p = mosquitto_property_read_string_pair(p, MQTT_PROP_USER_PROPERTY, &name, &value, more)); more = 1) {
        if (!strcmp(name, "retry_after_s")) sleep((unsigned)(atoi(value) < 600 ? atoi(value) : 600));
        free(name), free(value);
    }
}
static void refused(struct mosquitto* m, void* u, int rc, int flags, const mosquitto_property* p) { (void)m, (void)u, (void)flags; if (rc) hold_off(p); }
static void sent_away(struct mosquitto* m, void* u, int rc, const mosquitto_property* p) { (void)m, (void)u, (void)rc; hold_off(p); }

static char* header(const char* pem, const char* name) { /* a "Name: value" line of the bundle */
    const char* at = strstr(pem, name);
    return at ? strndup(at + strlen(name), strcspn(at + strlen(name), "\r\n")) : NULL;
}
int main(int argc, char** argv) {
    size_t size = 0;
    if (argc < 4) return fprintf(stderr, "usage: device BUNDLE DIR MODEL [FIRST_VERSION]\n"), 2;
    bundle = argv[1], dir = argv[2], model = argv[3], arguments = argv;
    char *pem = read_file(bundle, &size), *broker = pem ? header(pem, "Airmail-Broker: ") : NULL, *name = pem ? header(pem, "Airmail-Device: ") : NULL, *keys = pem ? header(pem, "Airmail-Keys: ") : NULL;
    if (!broker || !name || !keys || !strrchr(broker, ':')) return fprintf(stderr, "%s: no device bundle\n", bundle), 2;
    port = atoi(strrchr(broker, ':') + 1), *strrchr(broker, ':') = 0;
    snprintf(host, sizeof host, "%s", broker), snprintf(id, sizeof id, "%s", name);
    mkdir(dir, 0700);
    char* old = read_file(path("state.json", ""), &size);
    if (old) state = cJSON_Parse(old);
    else {
        unsigned char *e = from_base64(keys, &size), *list = NULL;
        cJSON* envelope = e ? cJSON_Parse((char*)e) : NULL;
        list = from_base64(text(envelope, "payload"), &size);
        state = cJSON_Parse("{\"active\":\"a\",\"versions\":{\"a\":\"\",\"b\":\"\"},\"stage\":\"idle\",\"seq\":0,\"counter\":0,\"settings\":{}}");
        set((cJSON*)member(state, "versions"), "a", cJSON_CreateString(argc > 4 ? argv[4] : "v1.0.0")), set(state, "keys", cJSON_Parse((char*)list)), save();
    }
    unsigned char random[8];
    RAND_bytes(random, 8);
    for (int i = 0; i < 8; i++) sprintf(boot_id + 2 * i, "%02x", random[i]);
    curl_global_init(CURL_GLOBAL_ALL), mosquitto_lib_init();
    mqtt = mosquitto_new(id, true, NULL);
    mosquitto_tls_set(mqtt, bundle, NULL, bundle, bundle, NULL);
    mosquitto_int_option(mqtt, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_connect_v5_callback_set(mqtt, refused), mosquitto_disconnect_v5_callback_set(mqtt, sent_away);
    mosquitto_connect_callback_set(mqtt, connected), mosquitto_subscribe_callback_set(mqtt, subscribed), mosquitto_message_callback_set(mqtt, message);
    mosquitto_reconnect_delay_set(mqtt, 1, 30, true);
    mosquitto_loop_start(mqtt);
    while (mosquitto_connect(mqtt, host, port, 60)) sleep(1);
    int beat = getenv("HEARTBEAT_S") ? atoi(getenv("HEARTBEAT_S")) : 300;
    pthread_mutex_lock(&lock);
    for (;;) {
        struct timespec until = {time(NULL) + beat, 0};
        if (!here && !next && pthread_cond_timedwait(&wake, &lock, &until)) heartbeat();
        if (here) here = 0, first_words();
        if (next) { cJSON* c = next; next = NULL, update(c), cJSON_Delete(c); }
    }
}
