// Mosquitto's bridges: names and sentences; config/bridge.cpp reads the values.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;

constexpr directive line(std::string_view name, std::string_view doc, bool repeats = false, type kind = text, std::string_view same_as = "") {
    return {.name = name, .kind = kind, .where = scope::bridge, .standard = "", .doc = doc, .reloadable = true, .repeats = repeats, .same_as = same_as};
}

constexpr directive rows[] = {
    {.name = "connection", .where = scope::block, .standard = "", .doc = "Opens a bridge to another broker; the lines after it are its own.", .repeats = true},
    line("address", "Hosts and ports of the other broker."),
    line("addresses", "The same as address.", false, text, "address"),
    line("topic", "PATTERN [out|in|both] [qos] [local prefix] [remote prefix].", true),
    line("remote_clientid", "Client id shown to the other broker."),
    line("clientid", "The same as remote_clientid.", false, text, "remote_clientid"),
    line("remote_username", "User name shown to the other broker."),
    line("username", "The same as remote_username.", false, text, "remote_username"),
    line("remote_password", "Password shown to the other broker."),
    line("password", "The same as remote_password.", false, text, "remote_password"),
    line("local_clientid", "Client id of the bridge on this side."),
    line("local_username", "User name of the bridge on this side."),
    line("local_password", "Password of the bridge on this side."),
    line("cleansession", "Starts with a clean session over there.", false, flag),
    line("local_cleansession", "Starts with a clean session here.", false, flag),
    line("keepalive_interval", "Keep alive of the bridge."),
    line("restart_timeout", "BASE [CAP [STABLE]]: waits between attempts, seconds."),
    line("round_robin", "Treats all addresses alike.", false, flag),
    line("notifications", "Publishes the bridge's state.", false, flag),
    line("notifications_local_only", "Publishes it on this side only.", false, flag),
    line("notification_topic", "Where the state is published."),
    line("try_private", "Tells the other broker that this is a bridge.", false, flag),
    line("start_type", "automatic, lazy or once."),
    line("threshold", "Messages that wake a lazy bridge."),
    line("idle_timeout", "Idle time after which a lazy bridge stops."),
    line("bridge_protocol_version", "mqttv31, mqttv311 or mqttv50."),
    line("bridge_attempt_unsubscribe", "Unsubscribes from topics that are no longer bridged.", false, flag),
    line("bridge_outgoing_retain", "Keeps the RETAIN bit on the way out.", false, flag),
    line("bridge_max_packet_size", "Largest packet to the other broker."),
    line("bridge_cafile", "Authorities of the other broker's certificate."),
    line("bridge_capath", "Folder of such authorities."),
    line("bridge_certfile", "Certificate shown to the other broker."),
    line("bridge_keyfile", "Key of it."),
    line("bridge_insecure", "Does not check the other broker's name.", false, flag),
    line("bridge_tls_version", "TLS version."),
    line("bridge_tls_use_os_certs", "Trusts the system's authorities.", false, flag),
    line("bridge_alpn", "ALPN name."),
    line("bridge_ciphers", "Cipher suites."),
    line("bridge_ciphers_tls1.3", "Cipher suites for TLS 1.3."),
    line("bridge_bind_address", "Local address to connect from."),
    line("bridge_identity", "Identity for a pre-shared key."),
    line("bridge_psk", "Pre-shared key."),
    line("bridge_require_ocsp", "Asks for a stapled OCSP answer.", false, flag),
    line("bridge_receive_maximum", "Receive Maximum of the bridge."),
    line("bridge_session_expiry_interval", "Session Expiry Interval of the bridge."),
    line("bridge_max_topic_alias", "Topic aliases of the bridge."),
    line("bridge_reload_type", "lazy or immediate."),
    line("bridge_tcp_keepalive", "TCP keep-alive: IDLE INTERVAL COUNT."),
    line("bridge_tcp_user_timeout", "TCP_USER_TIMEOUT, milliseconds."),
};

}

std::span<directive const> bridges() { return rows; }

}
