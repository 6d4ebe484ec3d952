// Every directive of Mosquitto 2.0 and 2.1 is known: an unknown line is fatal there, so a missing row would refuse a good file.

#include "broker/config/directives.hpp"
#include "broker/config/parse.hpp"

#include <doctest/doctest.h>
#include <string_view>

using namespace airmail::config;

namespace {

constexpr std::string_view names[] = {
    // listeners
    "listener", "port", "bind_address", "bind_interface", "socket_domain", "protocol", "max_connections", "mount_point", "max_qos", "maximum_qos",
    "max_topic_alias", "max_topic_alias_broker", "use_username_as_clientid", "accept_protocol_versions", "listener_allow_anonymous",
    "listener_auto_id_prefix", "enable_proxy_protocol", "proxy_protocol_v2_require_tls", "websockets_origin", "http_dir", "packet_buffer_size",
    "websockets_headers_size", "websockets_log_level",
    // TLS
    "cafile", "capath", "certfile", "keyfile", "require_certificate", "use_identity_as_username", "use_subject_as_username", "crlfile", "ciphers",
    "ciphers_tls1.3", "tls_version", "disable_client_cert_date_checks", "dhparamfile", "psk_hint", "psk_file", "tls_engine", "tls_engine_kpass_sha1",
    "tls_keyform",
    // authentication and rules
    "allow_anonymous", "password_file", "acl_file", "per_listener_settings", "allow_zero_length_clientid", "auto_id_prefix", "clientid_prefixes",
    "check_retain_source", "plugin", "auth_plugin", "auth_plugin_deny_special_chars", "global_plugin", "plugin_load", "plugin_use",
    // limits and sessions
    "max_inflight_messages", "max_inflight_bytes", "max_queued_messages", "max_queued_bytes", "max_packet_size", "message_size_limit", "max_keepalive",
    "queue_qos0_messages", "persistent_client_expiration", "retain_available", "retain_expiry_interval", "upgrade_outgoing_qos", "set_tcp_nodelay",
    "global_max_clients", "global_max_connections", "memory_limit", "allow_duplicate_messages", "retry_interval",
    // persistence
    "persistence", "retained_persistence", "persistence_location", "persistence_file", "autosave_interval", "autosave_on_changes",
    // logging and process
    "log_dest", "log_type", "log_timestamp", "log_timestamp_format", "log_facility", "connection_messages", "pid_file", "user", "sys_interval",
    "include_dir", "enable_control_api",
    // bridges
    "connection", "address", "addresses", "topic", "remote_clientid", "clientid", "remote_username", "username", "remote_password", "password",
    "local_clientid", "local_username", "local_password", "cleansession", "local_cleansession", "keepalive_interval", "restart_timeout", "round_robin",
    "notifications", "notifications_local_only", "notification_topic", "try_private", "start_type", "threshold", "idle_timeout",
    "bridge_protocol_version", "bridge_attempt_unsubscribe", "bridge_outgoing_retain", "bridge_max_packet_size", "bridge_cafile", "bridge_capath",
    "bridge_certfile", "bridge_keyfile", "bridge_insecure", "bridge_tls_version", "bridge_alpn", "bridge_tls_use_os_certs", "bridge_ciphers",
    "bridge_ciphers_tls1.3", "bridge_bind_address", "bridge_identity", "bridge_psk", "bridge_require_ocsp", "bridge_receive_maximum",
    "bridge_session_expiry_interval", "bridge_max_topic_alias", "bridge_reload_type", "bridge_tcp_keepalive", "bridge_tcp_user_timeout",
};

bool says(config const& c, std::string_view text) {
    for (auto const& f : c.findings())
        if (f.text.find(text) != std::string::npos) return true;
    return false;
}

}

TEST_CASE("every directive of Mosquitto 2.0 and 2.1 is known") {
    for (auto const name : names) {
        CAPTURE(name);
        CHECK(find(name) != nullptr);
    }
}

TEST_CASE("options of Mosquitto's plugins are known by their prefix") {
    CHECK(says(parse_text("plugin_opt_x y\n"), "plugin_opt_") == false);   // it must follow a plugin, but it is no unknown word
    CHECK(!says(parse_text("auth_opt_x y\n"), "unknown directive"));
}

TEST_CASE("with per_listener_settings what guards and stands before any listener is refused, not dropped as Mosquitto does") {
    auto const c = parse_text("per_listener_settings true\nacl_file /etc/acl\nlistener 1884 127.0.0.1\nallow_anonymous true\n");
    CHECK(!c.ok());
    CHECK(says(c, "acl_file stands before any listener"));
    auto const harmless = parse_text("per_listener_settings true\nallow_anonymous true\nlistener 1884 127.0.0.1\n");
    CHECK(harmless.ok());
    CHECK(says(harmless, "allow_anonymous stands before any listener"));
    CHECK(!harmless.listeners().at(0).allow_anonymous());
}

TEST_CASE("with per_listener_settings lines on authentication belong to the listener they follow, or to the default listener") {
    auto const c = parse_text("per_listener_settings true\nport 1883\nallow_anonymous true\nlistener 1884\npassword_file /p\n");
    REQUIRE(c.listeners().size() == 2);
    CHECK(c.listeners()[0].port == 1883);
    CHECK(c.listeners()[0].allow_anonymous());
    CHECK(!c.listeners()[1].allow_anonymous());
    CHECK(c.listeners()[0].text("password_file") == "");
    CHECK(c.listeners()[1].text("password_file") == "/p");
}

TEST_CASE("keys and certificates exclude each other, and a file of keys without a hint is refused: the listener would be open") {
    CHECK(says(parse_text("listener 8884 127.0.0.1\npsk_hint h\n"), "psk_hint needs psk_file"));
    CHECK(says(parse_text("listener 8884 127.0.0.1\npsk_hint h\npsk_file /k\ncertfile /c\nkeyfile /k\n"), "exclude each other"));
    CHECK(parse_text("listener 8884 127.0.0.1\npsk_file /k\npsk_hint h\n").listeners().at(0).tls());
    CHECK(says(parse_text("per_listener_settings true\nlistener 8884 127.0.0.1\npsk_file /k\n"), "psk_file without psk_hint"));
}

TEST_CASE("accept_protocol_versions is a list of 3, 4 and 5") {
    CHECK(parse_text("listener 1883 127.0.0.1\naccept_protocol_versions 4, 5\n").ok());
    CHECK(says(parse_text("listener 1883 127.0.0.1\naccept_protocol_versions 4, 6\n"), "expected some of 3, 4 and 5"));
}
