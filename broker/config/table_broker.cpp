// Mosquitto's directives for the whole broker. Source: reference/brokers.md 2.2.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;
constexpr auto all = scope::global;
constexpr auto sec = scope::secured;

constexpr directive rows[] = {
    {.name = "allow_anonymous", .kind = flag, .where = sec, .standard = "false", .doc = "Clients without a user name may connect; true only when no listener is configured.", .reloadable = true},
    {.name = "password_file", .kind = path, .where = sec, .standard = "", .doc = "User names and hashed passwords, as mosquitto_passwd writes them.", .reloadable = true},
    {.name = "acl_file", .kind = path, .where = sec, .standard = "", .doc = "Who may do what with which topic; on device listeners more rules beside the built-in ones.", .reloadable = true},
    {.name = "acl_mode", .kind = choice, .where = all, .standard = "enforce", .doc = "observe: what the acl_file would deny is logged, counted and let through; built-in device rules always hold.", .choices = "enforce observe", .reloadable = true},
    {.name = "per_listener_settings", .kind = flag, .where = all, .standard = "false", .doc = "Makes the lines on authentication the listener's they stand after."},
    {.name = "allow_zero_length_clientid", .kind = flag, .where = sec, .standard = "true", .doc = "A client may leave its id to the broker.", .reloadable = true},
    {.name = "auto_id_prefix", .where = sec, .standard = "auto-", .doc = "Beginning of client ids that the broker makes.", .reloadable = true},
    {.name = "clientid_prefixes", .where = all, .standard = "", .doc = "Client ids must begin with this.", .reloadable = true},
    {.name = "check_retain_source", .kind = flag, .where = all, .standard = "true", .doc = "A retained message is delivered only while its publisher may still publish it; not with per_listener_settings.", .reloadable = true},
    {.name = "plugin", .kind = path, .where = sec, .standard = "", .doc = "A plugin written for Mosquitto.", .repeats = true, .status = standing::refused},
    {.name = "global_plugin", .kind = path, .where = all, .standard = "", .doc = "A plugin written for Mosquitto, for all listeners.", .repeats = true, .status = standing::refused},
    {.name = "plugin_load", .where = all, .standard = "", .doc = "A plugin written for Mosquitto: NAME PATH.", .repeats = true, .status = standing::refused},
    {.name = "plugin_use", .where = sec, .standard = "", .doc = "Uses a plugin loaded by plugin_load.", .repeats = true, .status = standing::refused},
    {.name = "auth_plugin", .kind = path, .where = sec, .standard = "", .doc = "A plugin written for Mosquitto.", .repeats = true, .status = standing::refused},
    {.name = "auth_plugin_deny_special_chars", .kind = flag, .where = sec, .standard = "true", .doc = "Refuses + and # in names before they reach an auth plugin.", .status = standing::refused},

    {.name = "max_inflight_messages", .kind = count, .where = all, .standard = "20", .doc = "QoS 1 and 2 messages under way to one client; when not written, limit_receive_maximum_out.", .reloadable = true, .most = 65535},
    {.name = "max_inflight_bytes", .kind = count, .where = all, .standard = "0", .doc = "Bytes of such messages, in steps of 64; one message always may; 0 means no limit.", .unit = "bytes", .reloadable = true},
    {.name = "max_queued_messages", .kind = count, .where = all, .standard = "1000", .doc = "Messages waiting for one client; 0 means no limit.", .reloadable = true, .most = 100'000'000},
    {.name = "max_queued_bytes", .kind = size, .where = all, .standard = "0", .doc = "Bytes waiting for one client; 0 means limit_queue_size.", .unit = "bytes", .reloadable = true},
    {.name = "max_packet_size", .kind = size, .where = all, .standard = "0", .doc = "Largest MQTT packet; 0 means limit_packet.", .unit = "bytes", .reloadable = true},
    {.name = "message_size_limit", .kind = size, .where = all, .standard = "0", .doc = "Largest payload of a PUBLISH; 0 means what fits the packet.", .unit = "bytes", .reloadable = true},
    {.name = "max_keepalive", .kind = count, .where = all, .standard = "0", .doc = "Longest keep alive: MQTT 5 clients are told it, older ones that ask for more (or for none) are refused; 0 means no limit; when not written, limit_keepalive.", .unit = "seconds", .reloadable = true, .most = 65535},
    {.name = "queue_qos0_messages", .kind = flag, .where = all, .standard = "false", .doc = "QoS 0 messages wait for absent clients too.", .reloadable = true},
    {.name = "persistent_client_expiration", .kind = expiry, .where = all, .standard = "", .doc = "Sessions whose client stays away longer are removed: a number and h, d, w, m (months) or y.", .reloadable = true},
    {.name = "retain_available", .kind = flag, .where = all, .standard = "true", .doc = "Messages can be retained.", .reloadable = true},
    {.name = "retain_expiry_interval", .kind = count, .where = all, .standard = "0", .doc = "Retained messages older than this are removed; 0 means never.", .unit = "minutes", .most = 100'000'000},
    {.name = "upgrade_outgoing_qos", .kind = flag, .where = all, .standard = "false", .doc = "Delivers with the subscription's QoS even if the message came with less; what came with QoS 0 waits in memory only."},
    {.name = "set_tcp_nodelay", .kind = flag, .where = all, .standard = "true", .doc = "false lets the kernel hold small packets back (Nagle's algorithm). Mosquitto's default is false, ours is not.", .reloadable = true},
    {.name = "global_max_clients", .kind = count, .where = all, .standard = "-1", .doc = "Sessions of all listeners; connected or kept; -1 or 0 means no limit.", .least = -1, .most = 1'000'000'000},
    {.name = "global_max_connections", .kind = count, .where = all, .standard = "-1", .doc = "Connections of all listeners; -1 means no limit.", .reloadable = true, .least = -1, .most = 100'000'000},
    {.name = "memory_limit", .kind = size, .where = all, .standard = "0", .doc = "Memory that the broker may take; 0 means what its control group and the machine have. See limit_memory_refuse and limit_memory_shed.", .unit = "bytes", .reloadable = true},
    {.name = "allow_duplicate_messages", .kind = flag, .where = all, .standard = "true", .doc = "Overlapping subscriptions of one client each get their copy.", .status = standing::ignored},
    {.name = "retry_interval", .kind = count, .where = all, .standard = "", .doc = "Has had no effect since Mosquitto 1.5.", .status = standing::ignored},

    {.name = "persistence", .kind = flag, .where = all, .standard = "true", .doc = "false: everything is forgotten at the end; true or not written: an acknowledgement means on disk."},
    {.name = "retained_persistence", .kind = flag, .where = all, .standard = "true", .doc = "The same as persistence.", .same_as = "persistence"},
    {.name = "persistence_location", .kind = path, .where = all, .standard = "", .doc = "Airmail keeps its data in the folder airmail/ below it; empty means store_path."},
    {.name = "persistence_file", .where = all, .standard = "mosquitto.db", .doc = "Mosquitto's file: never touched; `airmailctl migrate mosquitto` reads it.", .status = standing::ignored},
    {.name = "autosave_interval", .kind = count, .where = all, .standard = "1800", .doc = "Every acknowledgement is durable here: there is nothing to save later.", .status = standing::ignored},
    {.name = "autosave_on_changes", .kind = flag, .where = all, .standard = "false", .doc = "As autosave_interval.", .status = standing::ignored},

    {.name = "log_dest", .where = all, .standard = "stderr", .doc = "Where log lines go: stderr, stdout, syslog, topic, none, or file PATH.", .reloadable = true, .repeats = true},
    {.name = "log_type", .kind = choice, .where = all, .standard = "", .doc = "Which kinds of lines are written; several lines add up.", .choices = "debug error warning notice information subscribe unsubscribe websockets internal none all", .reloadable = true, .repeats = true},
    {.name = "log_timestamp", .kind = flag, .where = all, .standard = "true", .doc = "Lines begin with the time.", .reloadable = true},
    {.name = "log_timestamp_format", .where = all, .standard = "", .doc = "strftime format of it, local time; empty means RFC 3339 in UTC.", .reloadable = true},
    {.name = "log_facility", .kind = count, .where = all, .standard = "5", .doc = "syslog facility local0 to local7.", .most = 7},
    {.name = "connection_messages", .kind = flag, .where = all, .standard = "true", .doc = "Clients that come, go and are cut are logged; on device listeners those that are cut.", .reloadable = true},
    {.name = "pid_file", .kind = path, .where = all, .standard = "", .doc = "File that gets the process id."},
    {.name = "user", .where = all, .standard = "", .doc = "User to become when started as root; empty means airmail if it exists."},
    {.name = "sys_interval", .kind = count, .where = all, .standard = "10", .doc = "Time between updates of $SYS; 0 means none.", .unit = "seconds", .reloadable = true, .most = 65535},
    {.name = "include_dir", .kind = path, .where = all, .standard = "", .doc = "Reads every *.conf of a folder here, in order of name; main file only.", .repeats = true},
    {.name = "enable_control_api", .kind = flag, .where = all, .standard = "false", .doc = "Answers listPlugins and listListeners on $CONTROL/broker/v1, to those whom acl_file lets publish there. The other $CONTROL topics are refused.", .reloadable = true},
};

}

std::span<directive const> broker() { return rows; }

}
