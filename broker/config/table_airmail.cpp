// Airmail's own directives, apart from limits and updates.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;
constexpr auto all = scope::global;

constexpr directive rows[] = {
    {.name = "strict", .kind = flag, .where = all, .standard = "false", .doc = "Turns every warning about this configuration into a refusal to start."},
    {.name = "device_listener", .kind = flag, .where = scope::both, .standard = "false", .doc = "Devices connect here: client certificate, default deny, strict file checks, narrow limits."},
    {.name = "device_identity", .kind = choice, .where = scope::both, .standard = "san_uri", .doc = "The one certificate field that names a device.", .choices = "san_uri san_dns cn"},
    {.name = "device_uri_prefix", .where = scope::both, .standard = "urn:airmail:device:", .doc = "What stands before the serial number when device_identity is san_uri."},

    {.name = "device_revoked_will", .kind = choice, .where = all, .standard = "drop", .doc = "What becomes of the will of a device that is cut because its certificate was revoked.", .choices = "drop publish", .reloadable = true},
    {.name = "airmail_unix_mode", .where = scope::both, .standard = "0660", .doc = "File mode of a unix socket listener, in octal: who may write may connect."},
    {.name = "airmail_proxy_from", .where = scope::both, .standard = "", .doc = "Proxies that speak for others: an address, a range such as 10.0.0.0/8, or unix; all others connect for themselves. When not set, everybody must send the header.", .reloadable = true, .repeats = true},
    {.name = "http_websocket_path", .where = scope::both, .standard = "", .doc = "The one path at which a WebSocket listener answers, such as /mqtt; when not set, every path.", .reloadable = true},

    {.name = "airmail_server_reference", .where = scope::both, .standard = "", .doc = "HOST:PORT that MQTT 5 clients are sent to while this broker drains (0x9C and Server Reference).", .reloadable = true},
    {.name = "airmail_retry_after", .kind = duration, .where = scope::both, .standard = "10s", .doc = "How long an MQTT 5 client that is sent away for a while (stop, busy, quota, silent OCSP responder) is told to stay away: user property retry_after_s, for each its own time from this to twice as much; 0 says nothing.", .unit = "seconds", .reloadable = true},
    {.name = "airmail_response_information", .where = scope::both, .standard = "", .doc = "Response Information for MQTT 5 clients that ask; %c is the client id, %u the identity.", .reloadable = true},
    {.name = "airmail_payload_format_check", .kind = flag, .where = scope::both, .standard = "true", .doc = "Refuses (0x99) a payload that is said to be UTF-8 and is not.", .mosquitto = "false", .reloadable = true},
    {.name = "airmail_overlapping", .kind = choice, .where = scope::both, .standard = "one", .doc = "Overlapping subscriptions of a client get one copy with all identifiers, or each its own.", .choices = "one each", .reloadable = true},

    {.name = "airmail_share_strategy", .kind = choice, .where = all, .standard = "round_robin", .doc = "Which member of a shared subscription gets the next message: by turns, by a hash of the publisher, one until it leaves, or who has the fewest waiting.", .choices = "round_robin hash sticky least_loaded"},
    {.name = "shard_count", .kind = count, .where = all, .standard = "0", .doc = "Threads that serve connections; 0 means one per core.", .most = 256},
    {.name = "shard_folding", .kind = flag, .where = all, .standard = "true", .doc = "While all shards together keep less than a third of one core busy, one thread serves them all; false keeps every thread at its own."},
    {.name = "store_path", .kind = path, .where = all, .standard = "/var/lib/airmail", .doc = "Data folder; made with mode 0700."},
    {.name = "store_map_size", .kind = size, .where = all, .standard = "64GiB", .doc = "Address space of the hot store (a sparse file); when it is full, publishers are told 0x97.", .unit = "bytes"},
    {.name = "store_durability", .kind = choice, .where = all, .standard = "durable", .doc = "What a PUBACK means: on disk, or in memory.", .choices = "durable memory"},

    {.name = "bridge_queue_messages", .kind = count, .where = all, .standard = "100000", .doc = "Messages that wait for the other side of a bridge, on disk; 0 means no limit. Beyond it the newest go, counted.", .reloadable = false, .most = 100'000'000},
    {.name = "bridge_queue_size", .kind = size, .where = all, .standard = "256MiB", .doc = "Bytes that wait for the other side of a bridge; 0 means no limit.", .unit = "bytes"},

    {.name = "tls_handshake_timeout", .kind = duration, .where = scope::both, .standard = "10s", .doc = "A handshake must be finished after this time.", .unit = "seconds", .reloadable = true},
    {.name = "tls_handshakes_max", .kind = count, .where = scope::both, .standard = "512", .doc = "Handshakes under way per shard; further connections wait in the kernel.", .reloadable = true, .least = 1, .most = 100'000},
    {.name = "tls_ocsp", .kind = choice, .where = scope::both, .standard = "off", .doc = "Asks the authority of each client certificate whether it still holds, before the client is let in: soft refuses what it has revoked, hard also what it does not know or does not answer for.", .choices = "off soft hard", .reloadable = true},
    {.name = "tls_ocsp_responder", .where = scope::both, .standard = "", .doc = "http://HOST[:PORT][/PATH] that is asked; when not set, the one that the certificate names (authorityInfoAccess).", .reloadable = true},
    {.name = "tls_ocsp_timeout", .kind = duration, .where = scope::both, .standard = "3s", .doc = "Longest wait for a responder; whole seconds.", .unit = "seconds", .reloadable = true},
    {.name = "tls_ocsp_refresh", .kind = duration, .where = scope::both, .standard = "1h", .doc = "Who is connected is asked about again after this time, or when the answer ends if that is earlier; what has been revoked meanwhile is cut.", .unit = "seconds", .reloadable = true},
    {.name = "tls_stapling", .kind = flag, .where = scope::both, .standard = "false", .doc = "Fetches what the server's own authority says of its certificate (OCSP) and sends it along in handshakes that ask for it.", .reloadable = false},
    {.name = "tls_tickets", .kind = count, .where = scope::both, .standard = "0", .doc = "Session tickets after a handshake; 0 saves memory and makes every handshake a full one.", .most = 2},
    {.name = "tls_strip", .kind = flag, .where = scope::both, .standard = "true", .doc = "Gives the peer's certificate chain back to the heap once identity is copied out of it."},

    {.name = "http_bind", .where = all, .standard = "", .doc = "Address of the HTTPS listener for firmware; empty means all.", .unit = ""},
    {.name = "http_port", .kind = count, .where = all, .standard = "8443", .doc = "Its port; 0 turns HTTPS off.", .most = 65535},
    {.name = "http_admin_bind", .where = all, .standard = "127.0.0.1", .doc = "Address on which dashboard, GraphQL and REST answer."},
    {.name = "http_certfile", .kind = path, .where = all, .standard = "", .doc = "Certificate of the HTTPS listener.", .reloadable = true},
    {.name = "http_keyfile", .kind = path, .where = all, .standard = "", .doc = "Key of it.", .reloadable = true},
    {.name = "http_cafile", .kind = path, .where = all, .standard = "", .doc = "Devices may show a client certificate of these authorities to HTTPS: a firmware URL then opens for its own device only, and the DDI needs no token. Empty: nobody is asked.", .reloadable = true},
    {.name = "http_crlfile", .kind = path, .where = all, .standard = "", .doc = "Revoked certificates of them.", .reloadable = true},
    {.name = "http_upload_max", .kind = size, .where = all, .standard = "4GiB", .doc = "Largest firmware image that can be uploaded.", .unit = "bytes", .reloadable = true},
    {.name = "http_uploads_max", .kind = count, .where = all, .standard = "16", .doc = "Uploads that may be under way or wait to go on; one more is told 429.", .least = 1, .most = 1000},
    {.name = "http_uploads_size", .kind = size, .where = all, .standard = "16GiB", .doc = "Bytes they may have announced in all; beyond it one more is told 429.", .unit = "bytes"},
    {.name = "http_upload_expiry", .kind = duration, .where = all, .standard = "24h", .doc = "An upload that nobody went on with for this time is removed.", .unit = "seconds"},
    {.name = "http_graphql_rate", .kind = count, .where = all, .standard = "50", .doc = "GraphQL requests a second of one user, in bursts of four times that; an address may ask four times as often. 0 means no bound.", .unit = "requests/s", .most = 1'000'000},
    {.name = "http_graphql_depth", .kind = count, .where = all, .standard = "8", .doc = "Levels of fields in one GraphQL request.", .least = 1, .most = 64},
    {.name = "http_graphql_cost", .kind = count, .where = all, .standard = "2000", .doc = "Objects one GraphQL request may ask for, pages multiplied.", .least = 1, .most = 1'000'000},
    {.name = "http_graphql_aliases", .kind = count, .where = all, .standard = "20", .doc = "Aliases in one GraphQL request.", .least = 0, .most = 4000},
    {.name = "http_connections_max", .kind = count, .where = all, .standard = "4096", .doc = "HTTPS connections at once.", .reloadable = true, .least = 1, .most = 1'000'000},

    {.name = "metrics_bind", .where = all, .standard = "127.0.0.1", .doc = "Address of /metrics, /healthz and /readyz."},
    {.name = "metrics_port", .kind = count, .where = all, .standard = "9464", .doc = "Port of them; 0 turns them off.", .most = 65535},
    {.name = "control_socket", .kind = path, .where = all, .standard = "/run/airmail/control.sock", .doc = "Unix socket on which airmailctl speaks to the broker; empty is none."},
    {.name = "log_format", .kind = choice, .where = all, .standard = "text", .doc = "Log lines as text or as one JSON object each.", .choices = "text json", .reloadable = true},
    {.name = "log_queue", .kind = count, .where = all, .standard = "8192", .doc = "Log lines waiting to be written; beyond it the oldest go and are counted.", .least = 16, .most = 1'000'000},
    {.name = "shutdown_drain", .kind = duration, .where = all, .standard = "10s", .doc = "Longest time that a stop waits for connections to be told and acknowledgements to be written.", .unit = "seconds", .reloadable = true},

    {.name = "airmail_plugin", .where = scope::block, .standard = "", .doc = "Loads a plugin: the name of a built-in one, or the path of a .so; plugin_opt_* lines after it are its options.", .repeats = true},
    {.name = "plugin_inline", .kind = flag, .where = scope::plugin, .standard = "false", .doc = "Asks its login hook on the shard that reads the CONNECT instead of on a thread of its own with a time limit: faster, and a hook that blocks stops the shard. For shared objects whose hook is quick and may run on several threads at once."},
    {.name = "plugin_refuse_grant", .where = scope::plugin, .standard = "", .doc = "What the plugin asks for and shall not get, `publish FILTER` or `subscribe FILTER`; the log lists what it asks for.", .repeats = true},
};

}

std::span<directive const> airmail() { return rows; }

}
