/* @NAME@: keeps the latest message of every device on @NAME@/{id}, and says so on @NAME@/{id}/stored. */
#include <plugins/sdk/c_api.h>

#include <stdio.h>

#define STR(text) ((airmail_str){(text), sizeof(text) - 1})

static airmail_str declare_it(void) {
    return STR("{\"topics\":[{\"filter\":\"@NAME@/{id}\"},{\"filter\":\"@NAME@/{id}/stored\",\"direction\":\"down\"}],"
               " \"tables\":[{\"name\":\"@NAME@_latest\",\"primary_key\":\"device\",\"migrations\":["
               "  \"CREATE TABLE @NAME@_latest(device TEXT PRIMARY KEY NOT NULL, payload TEXT NOT NULL, at_ms INTEGER NOT NULL)\"]}]}");
}

/* The host outlives the plugin; this one keeps nothing else in memory. */
static void* create(const airmail_host* host) { return (void*)host; }
static void destroy(void* self) { (void)self; }

static airmail_verdict on_message(void* self, const airmail_message* m) {
    const airmail_host* h = self;
    airmail_value row[3] = {{.type = 3, .s = m->identity}, {.type = 3, .s = m->payload}, {.type = 1, .i = m->received_ms}};
    if (h->sql(h->self, STR("INSERT INTO @NAME@_latest VALUES(?, ?, ?) ON CONFLICT(device) DO UPDATE SET payload = excluded.payload, at_ms = excluded.at_ms"),
               row, 3, NULL, NULL) != 0)
        return h->fail(h->self, h->last_error(h->self)), AIRMAIL_FAIL;
    char topic[256];
    int size = snprintf(topic, sizeof topic, "@NAME@/%.*s/stored", (int)m->identity.len, m->identity.ptr);
    if (size < 0 || (size_t)size >= sizeof topic) return AIRMAIL_REFUSE;
    airmail_publish out = {.size = sizeof out, .version = AIRMAIL_ABI_VERSION, .topic = {topic, (size_t)size}, .payload = STR("{}"), .qos = 1};
    return h->publish(h->self, &out) == 0 ? AIRMAIL_OK : AIRMAIL_FAIL;
}

AIRMAIL_EXPORT const airmail_plugin_v1_t* airmail_plugin_v1(void) {
    static airmail_plugin_v1_t table = {.size = sizeof table, .version = AIRMAIL_ABI_VERSION, .declare = declare_it,
                                        .create = create, .destroy = destroy, .on_message = on_message};
    table.id = STR("local.@NAME@");
    return &table;
}
