// limit_*: the bounds of reference/reliability.md section 5. The second column of defaults holds on Mosquitto listeners.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;
constexpr auto each = scope::both;
constexpr auto all = scope::global;
constexpr std::string_view same = "\x01";

constexpr directive n(std::string_view name, std::string_view standard, std::string_view mosquitto, std::int64_t most, std::string_view doc) {
    return {.name = name, .kind = count, .where = each, .standard = standard, .doc = doc, .mosquitto = mosquitto, .reloadable = true, .most = most};
}
constexpr directive bytes(std::string_view name, std::string_view standard, std::string_view mosquitto, std::string_view doc) {
    return {.name = name, .kind = size, .where = each, .standard = standard, .doc = doc, .unit = "bytes", .mosquitto = mosquitto, .reloadable = true};
}
constexpr directive time(std::string_view name, std::string_view standard, std::string_view mosquitto, std::string_view doc) {
    return {.name = name, .kind = duration, .where = each, .standard = standard, .doc = doc, .unit = "seconds", .mosquitto = mosquitto, .reloadable = true};
}
constexpr directive whole(directive d) {
    d.where = all;
    return d;
}
constexpr directive part(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = percent, .where = all, .standard = standard, .doc = doc, .unit = "percent", .reloadable = true};
}
/// What has to stay free on a disk; what to_room() reads.
constexpr directive room(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = text, .where = all, .standard = standard, .doc = doc, .reloadable = true};
}
/// The old name of another row.
constexpr directive also(std::string_view name, std::string_view meant) {
    return {.name = name, .kind = count, .where = all, .standard = "", .doc = "The same as the http_ setting of that name.", .same_as = meant};
}
constexpr std::int64_t u16 = 65535, u31 = 2147483647;

constexpr directive rows[] = {
    time("limit_connect_timeout", "15s", same, "From accept to CONNECT, TLS included."),
    bytes("limit_packet_before_login", "64KiB", same, "Largest packet of a client that has not logged in."),
    bytes("limit_packet", "256KiB", "2MiB", "Largest packet after login."),
    whole(n("limit_unauthenticated_connections", "4096", same, u31, "Connections that have not logged in yet, of all listeners.")),
    {.name = "limit_ocsp_entries", .kind = count, .where = all, .standard = "100000", .doc = "OCSP answers kept, besides those about whoever is connected.", .least = 1, .most = u31},
    whole(n("limit_connections_per_address", "1024", same, u31, "Connections from one address, loopback apart; 0 means no limit.")),
    whole(n("limit_accept_rate", "2000", same, u31, "New connections a second; 0 means no limit.")),
    whole(n("limit_accept_burst", "5000", same, u31, "New connections at once before the rate holds.")),
    whole(n("limit_accept_rate_per_address", "100", same, 1'000'000, "New connections a second from one address, loopback apart; 0 means no limit.")),
    whole(n("limit_accept_burst_per_address", "1024", same, u31, "New connections at once from one address before its rate holds.")),
    n("limit_client_logins", "60", "0", u31, "Logins of one client a minute before it is held off; 0 means no limit."),
    time("limit_client_backoff", "10s", same, "First time that such a client is held off; doubles with each further login."),
    time("limit_client_backoff_max", "10m", same, "Longest such time."),
    time("limit_keepalive", "1200s", "3600s", "Longest keep alive, also for 0; v3 clients of Mosquitto listeners get what they ask for."),
    n("limit_receive_maximum_in", "64", same, u16, "QoS 1 and 2 messages under way from one client."),
    n("limit_receive_maximum_out", "64", "20", u16, "QoS 1 and 2 messages under way to one client."),
    n("limit_topic_length", "512", "65535", u16, "Bytes of a topic or filter."),
    n("limit_topic_levels", "16", "200", 200, "Levels of a topic or filter."),
    n("limit_topic_alias_in", "16", "10", u16, "Topic aliases a client may use."),
    n("limit_topic_alias_out", "16", "10", u16, "Topic aliases the broker uses towards a client."),
    n("limit_filters_per_client", "64", "10000", u31, "Subscriptions of one client."),
    n("limit_user_properties", "32", same, u16, "User properties of one packet."),
    bytes("limit_user_properties_size", "8KiB", same, "Bytes of all user properties of one packet."),
    n("limit_queue_messages", "1000", same, u31, "Messages waiting for one session; 0 means no limit."),
    bytes("limit_queue_size", "4MiB", same, "Bytes waiting for one session; 0 means no limit."),
    time("limit_session_expiry", "7d", "0", "Longest session expiry; 0 means no limit."),
    n("limit_sessions_per_identity", "4", "0", u31, "Sessions of one identity; 0 means no limit."),
    n("limit_retained_per_identity", "32", "25000", u31, "Retained messages of one identity; 0 means no limit."),
    bytes("limit_retained_payload", "16KiB", "0", "Largest payload that is retained; 0 means no limit."),
    whole(n("limit_retained_total", "1M", same, u31, "Retained messages in all.")),
    whole(bytes("limit_retained_total_size", "512MiB", same, "Bytes of all retained messages.")),
    bytes("limit_will_payload", "4KiB", "0", "Largest payload of a will; 0 means no limit."),
    time("limit_will_delay", "1h", same, "Longest will delay."),
    n("limit_publish_rate", "50", "0", u31, "PUBLISH packets a second of one client; 0 means no limit."),
    n("limit_publish_burst", "200", "0", u31, "PUBLISH packets at once before the rate holds."),
    bytes("limit_publish_bytes", "256KiB/s", "0", "Bytes a second of one client; 0 means no limit."),
    bytes("limit_output_pause", "256KiB", same, "Bytes waiting in a connection at which its queue is no longer read."),
    bytes("limit_output_cut", "1MiB", same, "Bytes waiting in a connection at which it is cut."),
    time("limit_stalled_writer", "60s", same, "A connection that takes no byte for so long is cut."),
    whole(n("limit_login_failures", "10", same, u31, "Failed logins a minute from one address before it has to wait.")),
    whole(time("limit_login_backoff", "60s", same, "First wait; doubles with each further failure.")),
    whole(time("limit_login_backoff_max", "1h", same, "Longest such wait.")),
    whole(n("limit_shared_groups", "1000", same, u31, "Groups of shared subscriptions.")),
    part("limit_memory_refuse", "70%", "Share of the memory limit at which new connections are refused."),
    part("limit_memory_shed", "85%", "Share of the memory limit at which the largest queues are cut."),
    room("limit_disk_refuse", "10%", "Room on the disk of store_path below which messages for sessions and retained ones are refused (0x97), and uploads: a share of the file system, a size such as 1GiB, or both with a blank between, then the larger counts; 0 means never."),
    room("limit_disk_readonly", "3%", "The same, below which the store takes nothing but acknowledgements, removals and sessions that come back."),
    whole(bytes("limit_disk_reserve", "64MiB", same, "Kept back in store_path/reserve (at most a twentieth of the file system) and given up when the disk is full, so that cleaning up can write; 0 means none.")),
    whole(time("limit_plugin_warn", "50ms", same, "A plugin hook that takes longer is logged.")),
    whole(time("limit_plugin_fail", "2s", same, "A plugin hook that takes longer counts as failed.")),
    whole(n("limit_plugin_queue", "8192", same, 16'000'000, "Messages waiting for one plugin: durable ones, and as many others; beyond it durable ones are read back from the log.")),
    {.name = "limit_jwt_life", .kind = duration, .where = all, .standard = "15m", .doc = "Life of a dashboard token; the page renews it by itself. From 1m to 24h.", .unit = "seconds", .least = 60'000, .most = 86'400'000},
    also("limit_graphql_depth", "http_graphql_depth"),
    also("limit_graphql_cost", "http_graphql_cost"),
    also("limit_graphql_aliases", "http_graphql_aliases"),
    {.name = "limit_graphql_page", .kind = count, .where = all, .standard = "200", .doc = "Rows in one page of an answer.", .least = 1, .most = 200},
    whole(bytes("limit_http_header", "8KiB", same, "HTTP request header.")),
    bytes("limit_websocket_message", "1MiB", same, "Largest WebSocket message, all its frames; it may hold many MQTT packets."),
    whole(bytes("limit_http_body", "64KiB", same, "HTTP request body, uploads apart.")),
    whole(bytes("limit_http_linger", "16MiB", same, "Of a request body that was refused: so much is read and dropped, so that the sender sees the answer.")),
    whole(time("limit_http_linger_time", "5s", same, "And for so long at most; then the connection is closed under him.")),
    whole(time("limit_http_timeout", "10s", same, "From accept, or the last answer, to a whole request.")),
    whole(time("limit_tcp_keepalive", "60s", same, "TCP keep-alive probes begin after this silence.")),
    whole(time("limit_tcp_user_timeout", "60s", same, "Unacknowledged bytes older than this end a connection.")),
    whole(n("limit_tcp_backlog", "4096", same, u31, "Connections the kernel keeps until they are accepted.")),
};

}

std::span<directive const> limits() { return rows; }

}
