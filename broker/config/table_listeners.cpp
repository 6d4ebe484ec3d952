// Mosquitto's listener and TLS directives. Source: reference/brokers.md 2.2.

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;
constexpr auto in = scope::listener;

constexpr directive rows[] = {
    {.name = "listener", .kind = text, .where = scope::block, .standard = "", .doc = "Opens a listener: PORT [ADDRESS], or 0 and a path for a unix socket; the lines after it are its own.", .repeats = true},
    {.name = "port", .kind = count, .where = in, .standard = "1883", .doc = "Port of the default listener.", .most = 65535},
    {.name = "bind_address", .where = in, .standard = "", .doc = "Address of the default listener; empty means all."},
    {.name = "bind_interface", .where = in, .standard = "", .doc = "Network interface to listen on; connections by another one are not accepted."},
    {.name = "socket_domain", .kind = choice, .where = in, .standard = "", .doc = "Only IPv4 or only IPv6; both when not set.", .choices = "ipv4 ipv6"},
    {.name = "protocol", .kind = choice, .where = in, .standard = "mqtt", .doc = "What is spoken on the listener.", .choices = "mqtt websockets http_api"},
    {.name = "max_connections", .kind = count, .where = in, .standard = "-1", .doc = "Connections of this listener at once; -1 means no limit.", .reloadable = true, .least = -1, .most = 10'000'000},
    {.name = "mount_point", .where = in, .standard = "", .doc = "Stands before every topic of this listener's clients, who do not see it: site1/ keeps them below site1/. Rules see the whole topic. Not on device listeners."},
    {.name = "max_qos", .kind = count, .where = in, .standard = "2", .doc = "Highest QoS this listener's clients may publish with.", .reloadable = true, .most = 2},
    {.name = "maximum_qos", .kind = count, .where = in, .standard = "2", .doc = "The same as max_qos.", .most = 2, .same_as = "max_qos"},
    {.name = "max_topic_alias", .kind = count, .where = in, .standard = "10", .doc = "Topic aliases a client may use; on device listeners limit_topic_alias_in.", .reloadable = true, .most = 65535},
    {.name = "max_topic_alias_broker", .kind = count, .where = in, .standard = "10", .doc = "Topic aliases the broker may use towards a client.", .reloadable = true, .most = 65535},
    {.name = "use_username_as_clientid", .kind = flag, .where = in, .standard = "false", .doc = "Replaces the client id by the user name.", .reloadable = true},
    {.name = "accept_protocol_versions", .where = in, .standard = "", .doc = "Protocol versions that may connect: 3, 4, 5 with commas.", .reloadable = true},
    {.name = "listener_allow_anonymous", .kind = flag, .where = in, .standard = "", .doc = "allow_anonymous of this listener, whatever per_listener_settings says.", .reloadable = true},
    {.name = "listener_auto_id_prefix", .where = in, .standard = "", .doc = "auto_id_prefix of this listener, whatever per_listener_settings says.", .reloadable = true},
    {.name = "enable_proxy_protocol", .kind = count, .where = in, .standard = "0", .doc = "Version of the PROXY protocol that airmail_proxy_from must speak before each connection; 0 means none.", .reloadable = true, .most = 2},
    {.name = "proxy_protocol_v2_require_tls", .kind = flag, .where = in, .standard = "false", .doc = "Refuses what the proxy did not receive by TLS.", .reloadable = true},
    {.name = "websockets_origin", .where = in, .standard = "", .doc = "Origin of pages that may connect (https://example.org); when not set, all on Mosquitto listeners and none on device listeners.", .reloadable = true, .repeats = true},
    {.name = "http_dir", .kind = path, .where = in, .standard = "", .doc = "Folder of files served to browsers: a WebSocket listener serves none; use a web server.", .status = standing::refused},
    {.name = "packet_buffer_size", .kind = count, .where = in, .standard = "", .doc = "Mosquitto's read buffer; ours belongs to the shard.", .status = standing::ignored},
    {.name = "websockets_headers_size", .kind = count, .where = in, .standard = "", .doc = "Mosquitto's buffer for HTTP headers; see limit_http_header.", .status = standing::ignored},
    {.name = "websockets_log_level", .kind = count, .where = scope::global, .standard = "", .doc = "Log level of a library that Airmail does not use.", .status = standing::ignored},

    {.name = "cafile", .kind = path, .where = in, .standard = "", .doc = "Certificates of the authorities that client certificates must come from.", .reloadable = true},
    {.name = "capath", .kind = path, .where = in, .standard = "", .doc = "Folder of such certificates, hashed names.", .reloadable = true},
    {.name = "certfile", .kind = path, .where = in, .standard = "", .doc = "The server's certificate and its chain; makes this a TLS listener.", .reloadable = true},
    {.name = "keyfile", .kind = path, .where = in, .standard = "", .doc = "The server's private key.", .reloadable = true},
    {.name = "crlfile", .kind = path, .where = in, .standard = "", .doc = "Revoked certificates.", .reloadable = true},
    {.name = "require_certificate", .kind = flag, .where = in, .standard = "true", .doc = "Clients must show a certificate; always so on device listeners.", .mosquitto = "false"},
    {.name = "use_identity_as_username", .kind = flag, .where = in, .standard = "false", .doc = "The common name of the certificate becomes the user name."},
    {.name = "use_subject_as_username", .kind = flag, .where = in, .standard = "false", .doc = "The whole subject of the certificate becomes the user name."},
    {.name = "tls_version", .kind = choice, .where = in, .standard = "tlsv1.3", .doc = "Lowest TLS version.", .mosquitto = "tlsv1.2", .choices = "tlsv1.3 tlsv1.2 tlsv1.1 tlsv1"},
    {.name = "ciphers", .where = in, .standard = "", .doc = "Cipher suites for TLS 1.2, in OpenSSL's notation."},
    {.name = "ciphers_tls1.3", .where = in, .standard = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256", .doc = "Cipher suites for TLS 1.3."},
    {.name = "disable_client_cert_date_checks", .kind = flag, .where = in, .standard = "false", .doc = "true lets clients in whose certificate has expired or is not yet valid; refused on device listeners."},
    {.name = "dhparamfile", .kind = path, .where = in, .standard = "", .doc = "Diffie-Hellman parameters; only elliptic curves are offered.", .status = standing::ignored},
    {.name = "psk_hint", .where = in, .standard = "", .doc = "Makes this a pre-shared-key listener.", .reloadable = true},
    {.name = "psk_file", .kind = path, .where = scope::secured, .standard = "", .doc = "Pre-shared keys: IDENTITY:HEXADECIMAL, a line each.", .reloadable = true},
    {.name = "tls_engine", .where = in, .standard = "", .doc = "OpenSSL engine that holds the key.", .status = standing::refused},
    {.name = "tls_engine_kpass_sha1", .where = in, .standard = "", .doc = "Password of the engine's key.", .status = standing::refused},
    {.name = "tls_keyform", .kind = choice, .where = in, .standard = "pem", .doc = "Where the private key is.", .choices = "pem engine", .status = standing::refused},
};

}

std::span<directive const> listeners() { return rows; }

}
