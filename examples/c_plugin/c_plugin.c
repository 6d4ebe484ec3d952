/* A plugin in C: keeps the highest value seen per device and announces each new one on records/<device>. */
#include <plugins/sdk/c_api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR(text) ((airmail_str){(text), sizeof(text) - 1})

struct record_keeper { const airmail_host* host; };

static airmail_str declare_it(void) {
    return STR("{\"topics\":["
               "  {\"filter\":\"devices/{id}/value\",\"schema\":{\"type\":\"number\"}},"
               "  {\"filter\":\"records/{id}\",\"direction\":\"down\"}],"
               " \"tables\":[{\"name\":\"records\",\"primary_key\":\"device\",\"migrations\":["
               "  \"CREATE TABLE records(device TEXT PRIMARY KEY NOT NULL, value REAL NOT NULL)\"]}]}");
}

static void* create(const airmail_host* host) {
    struct record_keeper* self = malloc(sizeof *self);
    if (self) self->host = host;
    return self;
}
static void destroy(void* self) { free(self); }

static airmail_verdict on_message(void* p, const airmail_message* m) {
    struct record_keeper* self = p;
    const airmail_host* h = self->host;
    char text[64], topic[128];
    if (m->payload.len >= sizeof text || m->identity.len > 64) return AIRMAIL_REFUSE;
    memcpy(text, m->payload.ptr, m->payload.len), text[m->payload.len] = 0;

    /* One statement decides: it changes a row only when the value is a new record. */
    airmail_value params[2] = {{.type = 3, .s = m->identity}, {.type = 2, .d = strtod(text, NULL)}};
    int rc = h->sql(h->self,
                    STR("INSERT INTO records VALUES(?, ?) ON CONFLICT(device) DO UPDATE SET value = excluded.value"
                        " WHERE excluded.value > records.value"),
                    params, 2, NULL, NULL);
    if (rc != 0) return h->fail(h->self, h->last_error(h->self)), AIRMAIL_FAIL;
    if (h->sql_changes(h->self) == 0) return AIRMAIL_OK;

    airmail_publish p_out = {.size = sizeof p_out, .version = AIRMAIL_ABI_VERSION, .payload = m->payload, .qos = 1};
    p_out.topic.ptr = topic;
    p_out.topic.len = (size_t)snprintf(topic, sizeof topic, "records/%.*s", (int)m->identity.len, m->identity.ptr);
    return h->publish(h->self, &p_out) == 0 ? AIRMAIL_OK : AIRMAIL_FAIL;
}

AIRMAIL_EXPORT const airmail_plugin_v1_t* airmail_plugin_v1(void) {
    static airmail_plugin_v1_t table = {.size = sizeof table, .version = AIRMAIL_ABI_VERSION, .declare = declare_it,
                                        .create = create, .destroy = destroy, .on_message = on_message};
    table.id = STR("example.records");
    return &table;
}
